"""The DKIM keys of sending domains, and the states that each goes through."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from domains.models.senders import Domain, name_validator

# A record that one look finds may be gone at the next: a zone is loaded server by server, and a
# receiver may still hold that there is none (RFC 2308).
CHECKS = 3
SPACING = timedelta(minutes=10)
LEAST_WATCH = timedelta(hours=1)
# A message that was signed just before the switch may leave as late as its project's lifetime
# says; two days more for the servers that it waits at behind us.
AFTER_LIFETIME = timedelta(days=2)


class SigningKeyQuerySet(models.QuerySet["SigningKey"]):
    def active(self) -> Self:
        """Keep the keys that sign."""
        return self.filter(is_active=True)

    def waiting(self) -> Self:
        """Keep the keys that are to sign, and do not yet."""
        return self.filter(state__in=SigningKey.WAITING)

    def to_publish(self) -> Self:
        """Keep the keys whose record must be published in DNS."""
        return self.exclude(state=KeyState.RETIRED)

    def unseen(self) -> Self:
        """Keep the keys whose record has not been seen in DNS yet."""
        return self.to_publish().filter(seen_at__isnull=True)

    def predecessors(self, key: SigningKey, *, now: datetime) -> Self:
        """Find keys that may sign again in place of this one, the last one first."""
        proven = Q(seen_at__isnull=False) | Q(signs_unseen=True)
        retiring = self.filter(proven, state=KeyState.RETIRING, retires_at__gt=now)
        mine = retiring.filter(domain=key.domain_id, algorithm=key.algorithm).exclude(pk=key.pk)
        return mine.order_by("-retires_at", "-pk")

    def switched_since(self, moment: datetime) -> Self:
        """Keep the keys that sign since `moment` and have a predecessor that could sign in their
        place.
        """
        retiring = SigningKey.objects.filter(
            domain=OuterRef("domain"),
            algorithm=OuterRef("algorithm"),
            state=KeyState.RETIRING,
        )
        return self.active().filter(Exists(retiring), signs_since__gte=moment)

    def over(self, *, now: datetime) -> Self:
        """Keep the keys that are retiring and whose signature is on no mail under way any more."""
        return self.filter(state=KeyState.RETIRING, retires_at__lte=now)


class KeyState(models.TextChoices):
    MADE = "made", _("Made")
    PUBLISHED = "published", _("Published")
    SEEN = "seen", _("Seen")
    SIGNING = "signing", _("Signing")
    RETIRING = "retiring", _("Retiring")
    RETIRED = "retired", _("Retired")


class KeyAlgorithm(models.TextChoices):
    RSA = "rsa", "RSA"
    ED25519 = "ed25519", "Ed25519"


class SigningKey(models.Model):
    """A DKIM key pair of a domain; the private half is encrypted by the key ring.

    No key signs before its record was seen in DNS, or an operator has taken it on their word: the
    constraints say so.
    """

    WAITING = (KeyState.MADE, KeyState.PUBLISHED, KeyState.SEEN)

    domain = models.ForeignKey(
        Domain, on_delete=models.CASCADE, related_name="keys", verbose_name=_("domain")
    )
    selector = models.CharField(_("selector"), max_length=63, validators=[name_validator])
    algorithm = models.CharField(
        _("algorithm"), max_length=8, choices=KeyAlgorithm.choices, default=KeyAlgorithm.RSA
    )
    private_key = models.BinaryField(_("encrypted private key"), editable=False)
    public_record = models.TextField(_("TXT record"), editable=False)
    is_active = models.BooleanField(_("signs"), default=False, editable=False)
    state = models.CharField(
        _("state"),
        max_length=9,
        choices=KeyState.choices,
        default=KeyState.MADE,
        db_default=KeyState.MADE,
        editable=False,
    )
    found_since = models.DateTimeField(
        _("found in DNS since"), null=True, blank=True, editable=False
    )
    sightings = models.PositiveSmallIntegerField(
        _("checks that found it"), default=0, db_default=0, editable=False
    )
    seen_at = models.DateTimeField(_("seen"), null=True, blank=True, editable=False)
    signs_unseen = models.BooleanField(
        _("may sign unseen"),
        default=False,
        db_default=False,
        editable=False,
        help_text=_("On an operator's word, or because it signed before keys had states."),
    )
    signs_since = models.DateTimeField(_("signs since"), null=True, blank=True, editable=False)
    # Answers of class `authentication` to messages that it signed, since it signs.
    refusals = models.PositiveBigIntegerField(default=0, db_default=0, editable=False)
    retires_at = models.DateTimeField(
        _("needed in DNS until"), null=True, blank=True, editable=False
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    objects = SigningKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")
        ordering = ["domain", "-created_at"]
        constraints = [
            # A delegated selector has one key after the other.
            models.UniqueConstraint(
                fields=["domain", "selector"],
                condition=~Q(state="retired"),
                name="selector_once_per_domain",
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, state="signing")
                | (Q(is_active=False) & ~Q(state="signing")),
                name="key_signs_in_its_state",
            ),
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(seen_at__isnull=False) | Q(signs_unseen=True),
                name="key_signs_after_it_was_seen",
                violation_error_message=_("This key has not been seen in DNS yet."),
            ),
            models.CheckConstraint(
                condition=Q(seen_at__isnull=True)
                | Q(
                    sightings__gte=CHECKS,
                    found_since__isnull=False,
                    seen_at__gte=F("found_since") + LEAST_WATCH,
                ),
                name="key_is_seen_by_several_checks",
            ),
            models.CheckConstraint(
                condition=~Q(state="retiring") | Q(retires_at__isnull=False),
                name="key_retires_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.record_name

    @property
    def record_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain.name}"

    @property
    def may_sign(self) -> bool:
        """Tell whether a person may let it sign: it was seen, or has signed before."""
        return not self.is_active and (self.seen_at is not None or self.signs_unseen)

    def note_found(self, *, now: datetime, watch: timedelta) -> None:
        """Count a check that found the record; `watch` is how long the checks have to go on."""
        if self.found_since is None:
            self.found_since = now
        if now >= self.found_since + self.sightings * SPACING:
            self.sightings += 1
        if self.sightings >= CHECKS and now >= self.found_since + max(watch, LEAST_WATCH):
            self.seen_at, self.signs_unseen = now, False
        if self.state in self.WAITING:
            self.state = KeyState.SEEN if self.seen_at else KeyState.PUBLISHED
        self.save()

    def note_lost(self) -> None:
        """Begin anew where the record is not, or no longer, there."""
        self.found_since, self.sightings = None, 0
        if self.state in self.WAITING:
            self.state = KeyState.MADE
        self.save()

    def sign(self, *, now: datetime, unseen: bool = False) -> None:
        """Let it sign; raises `IntegrityError` where it may not."""
        if not self.is_active:
            self.signs_since, self.refusals = now, 0
        self.state, self.is_active, self.retires_at = KeyState.SIGNING, True, None
        self.signs_unseen = self.signs_unseen or (unseen and self.seen_at is None)
        self.save()

    def retire(self, *, now: datetime) -> None:
        """Sign no more; the record is needed until the mail under way has arrived. A key that
        never signed is retired at once.
        """
        if self.is_active:
            lifetime = timedelta(seconds=self.domain.project.lifetime)
            self.state, self.retires_at = KeyState.RETIRING, now + lifetime + AFTER_LIFETIME
        elif self.state in self.WAITING:
            self.state = KeyState.RETIRED
        self.is_active = False
        self.save()
