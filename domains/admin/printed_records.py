"""A domain's records on one page of paper, for the person who runs its DNS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.translation import get_language, override

from domains.admin.shown_records import shown
from domains.foundation.text.addresses import readable_domain
from domains.identity import checking
from domains.models import Domain

STYLE = "relay_portal/print.css"


def page(domain: Domain) -> dict[str, Any]:
    """Return what the template shows, in the active language."""
    found = [shown(each) for each in checking.records_of(domain)]
    for each in found:
        each["short"] = _short(each["name"], domain.name)
    return {
        "domain": domain,
        "readable": readable_domain(domain.name),
        "host": settings.EKIDEN_HOSTNAME,
        "records": found,
        "open": sum(each["state"] not in ("found", "unneeded") for each in found),
        "language": get_language() or "en",
    }


def document(domain: Domain, *, language: str) -> str:
    """Return the page as one file that needs no other."""
    with override(language):
        style = Path(str(finders.find(STYLE))).read_text(encoding="utf-8")
        return render_to_string("domains/printed.html", page(domain) | {"style": style})


def _short(name: str, domain: str) -> str:
    """Return the name as panels ask for it, without the domain; @ for the domain itself."""
    return "@" if name == domain else name.removesuffix(f".{domain}")
