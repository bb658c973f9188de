"""The labels of forms begin with a capital, as those do that Django makes of a model's fields."""

import re

from tests.test_layers import ROOT, modules

LOWER = re.compile(r"""label=(?:gettext_lazy|gettext|_)\(\s*["'][a-z]""")


def test_no_form_has_a_label_in_lower_case():
    found = [
        str(path.relative_to(ROOT)) for path in modules() if LOWER.search(path.read_text("utf-8"))
    ]
    assert found == []


def test_such_a_label_is_found():
    assert LOWER.search('label=_("pool")')
    assert not LOWER.search('label=capfirst(_("pool"))')
