"""The zone that we keep for the keys of domains: the selectors that lead into it, and the key that
signs our updates of it.
"""

from __future__ import annotations

from hashlib import sha256

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models.senders import Domain, name_validator


class DelegatedSelector(models.Model):
    """A selector of a domain whose name is a CNAME into our zone, where we change the key."""

    domain = models.ForeignKey(
        Domain, on_delete=models.CASCADE, related_name="delegated", verbose_name=_("domain")
    )
    selector = models.CharField(_("selector"), max_length=63, validators=[name_validator])
    is_found = models.BooleanField(_("its CNAME was found"), default=False, editable=False)
    # Given back to the domain's own zone, as soon as no key stands there.
    is_ending = models.BooleanField(default=False, editable=False)
    # What the server of our zone has taken last, and why it took nothing since.
    kept_value = models.TextField(blank=True, editable=False)
    kept_at = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        verbose_name = _("delegated selector")
        verbose_name_plural = _("delegated selectors")
        ordering = ["domain", "selector"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "selector"], name="delegated_selector_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Where receivers look for the key."""
        return f"{self.selector}._domainkey.{self.domain.name}"

    @property
    def target(self) -> str:
        """Where its CNAME leads: a name of this project's own, so that the CNAME also proves that
        the domain is the project's, and one that fits however long the domain's name is.
        """
        own = sha256(self.domain.token.encode()).hexdigest()[:24]
        return f"{self.selector}.{own}.{settings.EKIDEN_KEY_ZONE}"


class HmacAlgorithm(models.TextChoices):
    SHA256 = "hmac-sha256", "HMAC-SHA256"
    SHA384 = "hmac-sha384", "HMAC-SHA384"
    SHA512 = "hmac-sha512", "HMAC-SHA512"


class UpdateKey(models.Model):
    """The TSIG key (RFC 8945) of our updates; the secret is encrypted by the key ring."""

    name = models.CharField(_("name"), max_length=253)
    algorithm = models.CharField(_("algorithm"), max_length=11, choices=HmacAlgorithm.choices)
    secret = models.BinaryField(editable=False)
    set_at = models.DateTimeField(_("set"), db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="one_update_key"),
        ]

    def __str__(self) -> str:
        return self.name
