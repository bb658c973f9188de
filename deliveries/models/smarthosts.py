"""Smarthosts: hosts of others through which mail leaves, how we log in there, and the access
tokens of those that want one.
"""

from __future__ import annotations

from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class SmarthostQuerySet(models.QuerySet["Smarthost"]):
    def with_secrets(self) -> Self:
        return self.exclude(sealed=b"")


class Smarthost(models.Model):
    """A service that takes our mail for any recipient: its hosts in order, our log-in there, and
    how much it takes.
    """

    class Mechanism(models.TextChoices):
        NONE = "none", _("None: it knows our address")
        PLAIN = "PLAIN", _("User name and password (PLAIN)")
        LOGIN = "LOGIN", _("User name and password (LOGIN)")
        XOAUTH2 = "XOAUTH2", _("Access token (XOAUTH2)")
        OAUTHBEARER = "OAUTHBEARER", _("Access token (OAUTHBEARER)")

    class Grant(models.TextChoices):
        CLIENT = "client_credentials", _("Client credentials")
        REFRESH = "refresh_token", _("Refresh token")

    class HostTls(models.TextChoices):
        NONE = "none", _("Never")
        OPPORTUNISTIC = "opportunistic", _("Where offered")
        REQUIRED = "required", _("Required, any certificate")
        VERIFIED = "verified", _("Required, verified certificate")
        IMPLICIT = "implicit", _("From the first byte, verified certificate")

    BY_TOKEN = (Mechanism.XOAUTH2, Mechanism.OAUTHBEARER)

    name = models.SlugField(_("name"), max_length=30, unique=True)
    preset = models.CharField(_("preset"), max_length=20, blank=True, default="")
    hosts = models.JSONField(_("hosts"), help_text=_("[[host, port, TLS], …] in their order"))
    mechanism = models.CharField(
        _("log-in"), max_length=11, choices=Mechanism.choices, default=Mechanism.PLAIN
    )
    username = models.CharField(_("user name"), max_length=320, blank=True, default="")
    # A JSON object of the secrets (password, client_secret, refresh_token), under the key ring.
    sealed = models.BinaryField(default=b"", editable=False)
    grant = models.CharField(
        _("how tokens are got"), max_length=18, choices=Grant.choices, blank=True, default=""
    )
    token_url = models.CharField(_("token URL"), max_length=500, blank=True, default="")
    client_id = models.CharField(_("client id"), max_length=255, blank=True, default="")
    scope = models.CharField(_("scope"), max_length=500, blank=True, default="")
    tenant = models.CharField(_("tenant"), max_length=100, blank=True, default="")

    connections = models.PositiveIntegerField(_("connections at once"), null=True, blank=True)
    messages_per_connection = models.PositiveIntegerField(
        _("messages per connection"), null=True, blank=True
    )
    per_second = models.PositiveIntegerField(_("messages a second"), null=True, blank=True)
    per_minute = models.PositiveIntegerField(_("messages a minute"), null=True, blank=True)
    per_hour = models.PositiveIntegerField(_("messages an hour"), null=True, blank=True)
    per_day = models.PositiveIntegerField(_("messages a day"), null=True, blank=True)

    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    objects = SmarthostQuerySet.as_manager()

    class Meta:
        verbose_name = _("smarthost")
        verbose_name_plural = _("smarthosts")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(mechanism="none") | ~Q(username=""), name="smarthost_log_in_has_a_name"
            ),
            models.CheckConstraint(
                condition=~Q(mechanism__in=["XOAUTH2", "OAUTHBEARER"])
                | (~Q(grant="") & ~Q(token_url="") & ~Q(client_id="")),
                name="smarthost_token_has_a_source",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def takes_tokens(self) -> bool:
        return self.mechanism in self.BY_TOKEN

    @property
    def site(self) -> str:
        """Of its lane."""
        return f"smarthost:{self.name}"

    @property
    def lane_hosts(self) -> list[list[Any]]:
        """As a lane has them: the order is the preference."""
        return [[place, host, port] for place, (host, port, _tls) in enumerate(self.hosts)]


class SmarthostTokenQuerySet(models.QuerySet["SmarthostToken"]):
    def held(self) -> Self:
        return self.exclude(sealed=b"")


class SmarthostToken(models.Model):
    """The access token that all workers share, and who gets the next one: one at a time."""

    smarthost = models.OneToOneField(
        Smarthost, models.CASCADE, primary_key=True, related_name="token"
    )
    sealed = models.BinaryField(default=b"", editable=False)
    got_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)
    # While a worker asks for a new one.
    renewing_until = models.DateTimeField(null=True, editable=False)
    failed_at = models.DateTimeField(null=True, editable=False)
    failure = models.TextField(blank=True, default="", db_default="", editable=False)
    is_final = models.BooleanField(default=False, db_default=False, editable=False)

    objects = SmarthostTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        constraints = [
            models.CheckConstraint(
                condition=Q(got_at__isnull=True) | Q(expires_at__gt=F("got_at")),
                name="smarthosttoken_ends_later",
            )
        ]

    def __str__(self) -> str:
        return str(self.smarthost)
