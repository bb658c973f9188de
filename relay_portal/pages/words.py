"""Words for codes that rows hold, as filters of the templates: stages, classes, origins."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from deliveries.smtp.outcomes import Stage
from domains.operations.audit_words import actor_label
from suppressions.classes import MEANINGS
from suppressions.exchange import error_words
from suppressions.models import Suppression

register = template.Library()
STEPS = {
    Stage.DNS.value: _("looking for the mail hosts"),
    Stage.CONNECT.value: _("connecting"),
    Stage.GREETING.value: _("the greeting"),
    Stage.EHLO.value: "EHLO",
    Stage.STARTTLS.value: "STARTTLS",
    Stage.AUTH.value: "AUTH",
    Stage.MAIL.value: _("the sender (MAIL)"),
    Stage.RCPT.value: _("the recipient (RCPT)"),
    Stage.DATA.value: "DATA",
    Stage.BODY.value: _("the whole message"),
    Stage.QUIT.value: "QUIT",
}
STAGES = STEPS | {
    Stage.SUPPRESSION.value: _("the look at suppressions"),
    Stage.EXPIRY.value: _("the deadline"),
    Stage.INTERRUPTED.value: _("interrupted"),
    Stage.REPORT.value: _("a report that came back"),
    Stage.OPERATOR.value: _("an order"),
    Stage.CLAIM.value: _("a claim"),
}
TITLES = {str(class_): meaning.title for class_, meaning in MEANINGS.items()}


@register.filter
def stage_in_words(stage: str) -> str:
    return str(STAGES.get(stage, stage))


@register.filter
def actor_in_words(actor: str) -> str:
    return actor_label(actor)


@register.filter
def class_in_words(category: str) -> str:
    return gettext(TITLES[category]) if category in TITLES else category


@register.filter
def origin_in_words(source: str) -> str:
    """Say where a suppression comes from."""
    return str(dict(Suppression.SuppressedBy.choices).get(source, source))


@register.filter
def import_error_in_words(why: str) -> str:
    """Say why a line of a file of suppressions cannot be taken."""
    return error_words.in_words(why)
