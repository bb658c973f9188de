"""What operating the service leaves: the audit log, items that were put aside, and whose keys
these are.
"""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models.senders import Project


class SetAsideQuerySet(models.QuerySet["SetAside"]):
    def troubles(self) -> Self:
        """Choose what a person should look at.

        It is put aside, or fails again and again where nothing is ever put aside.
        """
        return self.filter(Q(set_aside_at__isnull=False) | Q(failures__gte=3))


class AuditEntry(models.Model):
    """Something that a person, or a command in a person's name, did to the service.

    Never changed, never deleted by hand: PostgreSQL refuses both, and the seals of
    `domains.operations.audit_chain` would show it.
    """

    at = models.DateTimeField(_("at"), db_default=Now())
    actor = models.TextField(
        _("who"), help_text=_("The user of the portal, or the account that ran a command.")
    )
    client_address = models.GenericIPAddressField(_("from"), null=True)
    action = models.CharField(_("what"), max_length=40)
    project = models.ForeignKey(Project, models.SET_NULL, null=True, verbose_name=_("project"))
    object_type = models.CharField(_("kind of thing"), max_length=40)
    object_id = models.TextField(_("id"), blank=True)
    object_name = models.TextField(_("thing"))
    reason = models.TextField(_("reason"), blank=True)
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_type", "object_id", "id"], name="audit_by_object"),
            models.Index(fields=["at"], name="audit_by_time"),  # for retention
            HashIndex(
                fields=["object_name"], name="audit_by_name"
            ),  # what is gone is known by its name only, which may be long
        ]

    def __str__(self) -> str:
        return f"{self.action}: {self.object_name}"


class ItemKind(models.TextChoices):
    """What the item is; `key` is its id."""

    INBOUND = "inbound", _("Inbound mail")
    OCCURRENCE = "occurrence", _("What was learned of an address")
    REPORT = "report", _("Failure report that is owed")
    ORDER = "order", _("Order")
    IMPORT = "import", _("Import")
    SECOND_LOOK = "second_look", _("Second look")
    DELIVERY = "delivery", _("Delivery")
    EXPIRY = "expiry", _("Deadline of a delivery")
    PROBATION = "probation", _("Probation")
    DOMAIN = "domain", _("Check of a domain")
    KEY = "key", _("Signing key to be made")
    ROUTING = "routing", _("Routing of a domain")
    LANE = "lane", _("Lane")
    ALERT = "alert", _("Alert of a credential")
    STEP = "step", _("Step of a job")


class SetAside(models.Model):
    """An item of a queue that made its loop fail: how often, and with which traceback; after the
    third time it is put aside.
    """

    kind = models.CharField(_("kind"), max_length=12, choices=ItemKind.choices)
    key = models.TextField(_("item"))
    failures = models.PositiveSmallIntegerField(_("failures"), default=1)
    first_failed_at = models.DateTimeField(_("first failure"), db_default=Now())
    last_failed_at = models.DateTimeField(_("last failure"), db_default=Now())
    # The loop passes the item over until then; without end once it is put aside.
    retry_at = models.DateTimeField(_("tried again"), db_default=Now())
    traceback = models.TextField(_("traceback"), blank=True)
    set_aside_at = models.DateTimeField(_("put aside"), null=True)

    objects = SetAsideQuerySet.as_manager()

    class Meta:
        verbose_name = _("item put aside")
        verbose_name_plural = _("items put aside")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="set_aside_once")]
        indexes = [
            models.Index(
                fields=["set_aside_at"],
                condition=Q(set_aside_at__isnull=False),
                name="set_aside_open",
            ),
            models.Index(fields=["last_failed_at"], name="set_aside_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.key}"


class FingerprintKind(models.TextChoices):
    SECRET = "secret-key", _("secret key")
    RING = "ring", _("key ring")


class KeyFingerprint(models.Model):
    """What tells the installation's keys from others, and from which no key can be found; the keys
    are files of each machine.
    """

    kind = models.CharField(
        _("kind"), max_length=10, choices=FingerprintKind.choices, primary_key=True
    )
    fingerprints = ArrayField(
        models.CharField(max_length=32), verbose_name=_("fingerprints, newest first")
    )
    noted_at = models.DateTimeField(_("noted"), db_default=Now())

    class Meta:
        verbose_name = _("fingerprint of a key")
        verbose_name_plural = _("fingerprints of keys")

    def __str__(self) -> str:
        return self.kind
