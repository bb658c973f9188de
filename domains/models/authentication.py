"""What receivers make of our signatures, as we verify them ourselves and as their answers say."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models.senders import Domain


class SignatureCheck(models.Model):
    """A message that left with our signatures, verified as a receiver does."""

    message_id = models.UUIDField(_("message"), primary_key=True)
    domain = models.ForeignKey(
        Domain, on_delete=models.CASCADE, null=True, related_name="signature_checks"
    )
    checked_at = models.DateTimeField(_("checked"), db_default=Now())
    result = models.CharField(_("result"), max_length=10)  # pass, fail, unknown, or none of ours
    findings = models.JSONField(default=list)
    # Whether its deliveries were looked at for TLS, which takes until they have ended.
    is_followed = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["checked_at"], condition=Q(is_followed=False), name="signature_to_follow"
            ),
            models.Index(fields=["domain", "checked_at"], name="signature_check_by_domain"),
            models.Index(fields=["checked_at"], name="signature_check_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id}: {self.result}"


class SampledDay(models.Model):
    """What the sample of a domain's mail showed in a day: of messages, where `receiver` is empty,
    else of their deliveries to one receiver.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="sampled_days")
    day = models.DateField(_("day"))
    receiver = models.CharField(_("receiver"), max_length=253, blank=True)
    amount = models.PositiveBigIntegerField(default=0)
    by_tls = models.PositiveBigIntegerField(default=0)
    bulk = models.PositiveBigIntegerField(default=0)
    one_click = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["domain", "day", "receiver"], name="sampled_day_once")
        ]
        indexes = [models.Index(fields=["last_at"], name="sampled_day_by_age")]

    def __str__(self) -> str:
        return f"{self.day} {self.receiver}: {self.amount}"


class AuthenticationRefusal(models.Model):
    """How often in a day one receiver did not take a domain's mail for authenticated."""

    domain = models.ForeignKey(
        Domain, on_delete=models.CASCADE, related_name="authentication_refusals"
    )
    day = models.DateField(_("day"))
    receiver = models.CharField(_("receiver"), max_length=253)
    mechanism = models.CharField(_("mechanism"), max_length=10)
    amount = models.PositiveBigIntegerField(_("answers"), default=0)
    last_at = models.DateTimeField(_("last"))
    example = models.TextField(_("the last answer"), blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "day", "receiver", "mechanism"],
                name="authentication_refusal_once",
            )
        ]
        indexes = [models.Index(fields=["last_at"], name="auth_refusal_by_age")]

    def __str__(self) -> str:
        return f"{self.day} {self.receiver} {self.mechanism}: {self.amount}"


class ReadPosition(models.Model):
    """How far a job that reads a growing table has come."""

    name = models.CharField(max_length=40, primary_key=True)
    value = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class IdentityAlertKind(models.TextChoices):
    SIGNATURE = "signature", _("Signatures fail")
    OURSELVES = "ourselves", _("Our own address or name")


class IdentityAlert(models.Model):
    """Something by which receivers know us is not well, from when until when."""

    kind = models.CharField(_("kind"), max_length=12, choices=IdentityAlertKind.choices)
    subject = models.CharField(_("about"), max_length=253)
    text = models.TextField(_("what is wrong"))
    slip = models.CharField(max_length=40, blank=True)  # the sentence's code, in any language
    given = models.JSONField(default=dict)
    opened_at = models.DateTimeField(_("since"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(ended_at__isnull=True),
                name="identity_alert_open_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["ended_at"],
                condition=Q(ended_at__isnull=False),
                name="identity_alert_by_end",
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"
