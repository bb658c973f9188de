"""Who may send: projects, their domains, signing keys and credentials."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from domains.models.sandboxing import OwnSandbox

name_validator = RegexValidator(
    r"^[a-z0-9][a-z0-9-]{0,62}$",
    _("Lower-case letters, digits and hyphens, at most 63, not beginning with a hyphen."),
)


LONGEST_NAME = 253  # characters of a domain name
KEY_PLACE = len("ek202601abcdef._domainkey.")  # before the domain in the names of keys made here


class DomainQuerySet(models.QuerySet["Domain"]):
    def verified(self) -> Self:
        return self.filter(verified_at__isnull=False)

    def unverified(self) -> Self:
        return self.filter(verified_at__isnull=True)

    def due_for_check(self, *, before: datetime) -> Self:
        """Return the unverified ones, those whose proof is gone, and those not looked at since
        `before`; who has waited longest comes first.
        """
        due = Q(verified_at__isnull=True) | Q(lost_at__isnull=False)
        due |= Q(checked_at__isnull=True) | Q(checked_at__lt=before)
        return self.filter(due).order_by(F("checked_at").asc(nulls_first=True))

    def not_looked_at_since(self, moment: datetime) -> Self:
        return self.filter(Q(checked_at__isnull=True) | Q(checked_at__lt=moment))


class Project(OwnSandbox):
    """One app or team: what its mail has in common, and how its mail is treated."""

    class WhenInDoubt(models.TextChoices):
        RETRY = "retry", _("One more try after a longer wait (the recipient may get it twice)")
        DELIVERED = "delivered", _("Count it as delivered (the recipient may not get it)")

    name = models.CharField(_("name"), max_length=63, unique=True, validators=[name_validator])
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    hides_client_address = models.BooleanField(
        _("hide the client's address"),
        default=False,
        help_text=_("Leave the app's address out of the Received line."),
    )
    takes_foreign_names = models.BooleanField(
        _("take names that show other addresses"),
        default=True,
        db_default=True,
        help_text=_(
            "Else a display name in From or Sender with an address of none of the verified "
            "domains is refused."
        ),
    )
    keeps_subject = models.BooleanField(
        _("keep the subject"),
        default=True,
        db_default=True,
        help_text=_("Support staff sees it in lists and finds messages by its words."),
    )
    shows_content = models.BooleanField(
        _("show contents in the portal"),
        default=True,
        db_default=True,
        help_text=_("To owners and operators, each look written down; else to nobody."),
    )
    sends_reports = models.BooleanField(
        _("report failures to the sender"),
        default=True,
        help_text=_("An RFC 3464 report for each final failure."),
    )
    retry_schedule = ArrayField(
        models.PositiveIntegerField(validators=[MinValueValidator(1)]),
        verbose_name=_("retry schedule"),
        default=list,
        blank=True,
        help_text=_(
            "Seconds to wait after each deferred attempt, the last one repeated; empty for the "
            "usual schedule."
        ),
    )
    lifetime = models.PositiveIntegerField(
        _("lifetime in seconds"),
        default=432_000,
        validators=[MinValueValidator(1)],
        help_text=_("432000 is 5 days."),
    )
    in_doubt = models.CharField(
        _("reply lost after the final dot"),
        max_length=10,
        choices=WhenInDoubt.choices,
        default=WhenInDoubt.RETRY,
    )
    idempotency_window = models.PositiveIntegerField(
        _("idempotency window in seconds"),
        default=86_400,
        help_text=_("The same message again within it is one message."),
    )
    content_days = models.PositiveIntegerField(_("days to keep content"), default=7)
    log_days = models.PositiveIntegerField(_("days to keep the log"), default=90)
    transcript_days = models.PositiveSmallIntegerField(
        _("days to keep SMTP dialogues"),
        default=0,
        db_default=0,
        validators=[MaxValueValidator(90)],
        help_text=_("Of attempts that failed, without content. 0: none are kept."),
    )

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Domain(models.Model):
    """A domain that a project says it sends for; only a verified one may stand in a sender
    address.
    """

    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, related_name="domains", verbose_name=_("project")
    )
    name = models.CharField(_("name"), max_length=253, help_text=_("The A-label form, lower case."))
    token = models.CharField(_("ownership token"), max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True, editable=False)
    is_assumed = models.BooleanField(
        _("taken on an operator's word"),
        default=False,
        editable=False,
        help_text=_("Verified without a look at DNS."),
    )
    lost_at = models.DateTimeField(
        _("without a proof in DNS since"), null=True, blank=True, editable=False
    )
    lapsed_at = models.DateTimeField(_("no longer verified since"), null=True, editable=False)
    # Since when its zone proves it while another project has it.
    claims_since = models.DateTimeField(null=True, editable=False)
    checked_at = models.DateTimeField(_("last checked"), null=True, blank=True, editable=False)
    findings = models.JSONField(_("findings"), default=list, blank=True, editable=False)
    covers_subdomains = models.BooleanField(
        _("names below it may send"),
        default=False,
        db_default=False,
        editable=False,
        help_text=_("Any name below the domain may stand in From; the domain signs."),
    )
    # Whether its DMARC policy asks names below it for signatures of their own (adkim=s).
    is_strict = models.BooleanField(default=False, db_default=False, editable=False)
    return_path_label = models.CharField(
        _("label of the return path"),
        max_length=63,
        default="rp",
        db_default="rp",
        blank=True,
        validators=[name_validator],
        help_text=_(
            "Failures of the domain's mail come back at this name below it, once its CNAME leads "
            "here. Empty: at the installation's own name."
        ),
    )
    rotation_days = models.PositiveSmallIntegerField(
        _("days until its next key is made"),
        default=180,
        db_default=180,
        validators=[MaxValueValidator(3650)],
        help_text=_("Where its selectors are delegated to this relay. 0: only when asked."),
    )

    objects = DomainQuerySet.as_manager()

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="domain_once_per_project"),
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(verified_at__isnull=False),
                name="domain_verified_by_one_project",
                violation_error_message=_("Another project has verified this domain."),
            ),
            models.CheckConstraint(
                condition=Q(name=Lower("name")), name="domain_name_is_lower_case"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if KEY_PLACE + len(self.name) > LONGEST_NAME:
            longest = LONGEST_NAME - KEY_PLACE
            raise ValidationError(
                _("The domain is too long for its DNS records; %(most)d characters fit."),
                params={"most": longest},
            )

    @property
    def lets_names_below_send(self) -> bool:
        """Tell whether mail from names below it is taken now."""
        return self.covers_subdomains and not self.is_strict

    @property
    def return_path_name(self) -> str:
        """The name of its own return path; "" where none is wanted, or none can be."""
        name = f"{self.return_path_label}.{self.name}"
        return name if self.return_path_label and len(name) <= LONGEST_NAME else ""

    @property
    def is_verified(self) -> bool:
        return self.verified_at is not None

    def verify(self, *, now: datetime, assumed: bool = False) -> None:
        """Let the project send as this domain from now on."""
        self.verified_at, self.is_assumed = now, assumed
        self.lost_at = self.lapsed_at = self.claims_since = None
        self.save(
            update_fields=["verified_at", "is_assumed", "lost_at", "lapsed_at", "claims_since"]
        )
