"""A message's life: messages, their content, deliveries, attempts, and what comes back.

The rows of the hot path (message, content, delivery, attempt, submission) carry no foreign-key
constraints: they are written together in one statement by `intake` and `ledger`, and the checks
cost about 10 µs a row and key.
"""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from deliveries.message.ids import new_id
from deliveries.models.lanes import Lane
from deliveries.models.states import FAILED, LIVE, DeliveryState
from domains.models import Credential, Project
from suppressions.classes import MEANINGS, Class, Meaning


class MessageQuerySet(models.QuerySet["Message"]):
    def with_message_id(self, message_id: str) -> Self:
        """Filter by Message-ID, given with or without its angle brackets."""
        return self.filter(message_id=f"<{message_id.strip().strip('<>')}>")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def live(self) -> Self:
        # The same said twice, each for an index of its own.
        return self.filter(ended_at__isnull=True, state__in=LIVE)

    def ended(self) -> Self:
        return self.filter(ended_at__isnull=False)

    def besides_reports(self) -> Self:
        """Choose customers' mail, without our own reports (`states.IS_REPORT`)."""
        return self.exclude(flow=0, notify="NEVER")

    def to_address(self, key: str) -> Self:
        return self.filter(recipient_key=key)

    def beginning(self, text: str) -> Self:
        """Filter by how the recipient's key begins, by its index, which sorts by code point."""
        return self.filter(recipient_key__gte=text, recipient_key__lt=f"{text}\U0010ffff")

    def owing_reports(self) -> Self:
        return self.filter(owes_report=True)


class Message(models.Model):
    """One accepted message: its envelope and where it came from."""

    class Origin(models.TextChoices):
        SUBMISSION = "submission", _("Submitted by an app")
        REPORT = "report", _("A report of ours")

    id = models.UUIDField(_("id"), primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(
        Project, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("project")
    )
    credential = models.ForeignKey(
        Credential,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        verbose_name=_("credential"),
    )
    origin = models.CharField(
        _("origin"), max_length=10, choices=Origin.choices, default=Origin.SUBMISSION
    )
    accepted_at = models.DateTimeField(_("accepted"), db_default=Now())
    mail_from = models.TextField(
        _("reverse-path"), blank=True, help_text=_("Empty: the null reverse-path.")
    )
    header_from = models.TextField(_("From"), blank=True)
    message_id = models.TextField(_("Message-ID"))
    subject = models.TextField(
        _("subject"),
        blank=True,
        default="",
        db_default="",
        help_text=_("Decoded; empty where the project does not keep it."),
    )
    size = models.PositiveIntegerField(_("size"), help_text=_("Bytes, as they will be sent."))
    recipient_count = models.PositiveIntegerField(_("recipients"))
    eight_bit = models.BooleanField(_("holds 8-bit data"), default=False)
    smtputf8 = models.BooleanField(_("needs SMTPUTF8"), default=False)
    envid = models.TextField(_("ENVID"), blank=True)
    ret = models.CharField(_("RET"), max_length=4, blank=True)
    client_address = models.GenericIPAddressField(_("client address"), null=True)
    client_tls = models.TextField(_("client's TLS"), blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["message_id"], name="message_by_message_id"),
            models.Index(fields=["project", "id"], name="message_by_project"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Content(models.Model):
    """The bytes of a message as they will be sent, zstd-compressed; gone when their retention is
    over.
    """

    message = models.OneToOneField(
        Message, models.DO_NOTHING, primary_key=True, db_constraint=False
    )
    data = models.BinaryField(_("compressed bytes"))

    class Meta:
        verbose_name = _("content")
        verbose_name_plural = _("contents")


class Submission(models.Model):
    """What a client has already handed in, so that the same again within a window is not a second
    message.
    """

    key = models.BinaryField(primary_key=True)
    message_id = models.UUIDField()
    expires_at = models.DateTimeField(db_index=True)


class Delivery(models.Model):
    """One recipient of one message, from 250 to its last outcome."""

    class Hold(models.IntegerChoices):
        NONE = 0, _("No")
        HELD = 1, _("Held by a person")
        # Whatever is paused but all of delivery does not stop it any more.
        RELEASED = 2, _("Released")

    id = models.UUIDField(_("id"), primary_key=True, default=new_id, editable=False)
    message = models.ForeignKey(
        Message,
        models.DO_NOTHING,
        db_constraint=False,
        related_name="deliveries",
        verbose_name=_("message"),
    )
    project = models.ForeignKey(
        Project, models.DO_NOTHING, db_constraint=False, db_index=False, verbose_name=_("project")
    )
    recipient = models.TextField(_("recipient"), help_text=_("As it is sent in RCPT TO."))
    recipient_key = models.TextField(_("recipient key"))
    domain = models.CharField(_("domain"), max_length=253)
    notify = models.CharField(_("NOTIFY"), max_length=28, blank=True)
    orcpt = models.TextField(_("ORCPT"), blank=True)
    lane = models.ForeignKey(
        Lane,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        default=Lane.ROUTING,
        verbose_name=_("lane"),
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Credential.PriorityLevel.choices, default=1
    )
    # What takes turns within a lane and priority: the credential's id; 0 for reports of ours.
    flow = models.BigIntegerField(default=0, editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=DeliveryState.choices, default=DeliveryState.QUEUED
    )
    attempt_count = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due"), null=True, db_default=Now())
    expires_at = models.DateTimeField(_("deadline"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    # The epoch of the lane's lease under which an agent took this row; 0: nobody has it in hand.
    claim = models.BigIntegerField(default=0, editable=False)
    is_in_doubt = models.BooleanField(_("in doubt"), default=False)
    # Answers in a row that said "too fast", or workers lost; each makes the wait longer, and none
    # uses up a try.
    throttle_count = models.PositiveSmallIntegerField(
        _("held back for the pace"), default=0, db_default=0
    )
    owes_report = models.BooleanField(_("a report is owed"), default=False)
    hold = models.PositiveSmallIntegerField(
        _("hold"), choices=Hold.choices, db_default=Hold.NONE, default=Hold.NONE
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=DeliveryState.values), name="delivery_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=LIVE, ended_at__isnull=True, due_at__isnull=False)
                | (~Q(state__in=LIVE) & Q(ended_at__isnull=False, due_at__isnull=True)),
                name="delivery_is_live_and_due_or_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["recipient_key", "id"], name="delivery_by_recipient"),
            # The claim order within a lane: priority, then turns between flows, then age.
            models.Index(
                "lane",
                "priority",
                "flow",
                "due_at",
                condition=Q(ended_at__isnull=True),
                name="delivery_claim_order",
            ),
            # Not by `ended_at`: who asks for the live of a lane would be led through all the live,
            # by whichever index has most of them gone when PostgreSQL makes its plan.
            models.Index(
                fields=["expires_at"], condition=Q(state__in=LIVE), name="delivery_by_deadline"
            ),
            models.Index(fields=["id"], condition=Q(owes_report=True), name="delivery_report_owed"),
            # What did not arrive, for lists; of what did, any stretch of time holds plenty.
            models.Index(
                fields=["state", "id"], condition=Q(state__in=FAILED), name="delivery_failed"
            ),
            # What stops have put aside, by what a stop may be about; see
            # `deliveries.steering.pauses`.
            models.Index(
                fields=["domain", "project", "flow"],
                condition=Q(ended_at__isnull=True, lane=Lane.PARKED) & ~Q(hold=1),
                name="delivery_put_aside",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient} ({self.id})"

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    @property
    def is_report(self) -> bool:
        """Tell whether it is one of ours (`states.IS_REPORT`)."""
        return not self.flow and self.notify == "NEVER"


class Attempt(models.Model):
    """One try at a delivery, or another event that changed it: when, where, and what was
    answered.
    """

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(
        Delivery,
        models.DO_NOTHING,
        db_constraint=False,
        related_name="attempts",
        verbose_name=_("delivery"),
    )
    at = models.DateTimeField(_("at"), db_default=Now())
    outcome = models.CharField(_("outcome"), max_length=11)
    stage = models.CharField(_("stage"), max_length=11)
    host = models.TextField(_("host"), blank=True)
    address = models.CharField(_("address"), max_length=60, blank=True)
    source = models.CharField(_("source"), max_length=45, blank=True)
    return_path = models.CharField(
        _("return path"), max_length=253, blank=True, default="", db_default=""
    )
    tls = models.TextField(_("TLS"), blank=True)
    code = models.PositiveSmallIntegerField(_("code"), null=True)
    enhanced = models.CharField(_("enhanced code"), max_length=11, blank=True)
    text = models.TextField(_("text"), blank=True)
    # What the answer means: its class, of `suppressions.classes`, and the rule that said so; empty
    # where nothing failed.
    category = models.CharField(_("class"), max_length=17, blank=True, default="", db_default="")
    rule = models.TextField(_("rule"), blank=True, default="", db_default="")
    seconds = models.FloatField(_("seconds"), default=0)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.stage}: {self.code or ''} {self.text}"

    @property
    def meaning(self) -> Meaning | None:
        """What the answer means to people; None where nothing failed."""
        return MEANINGS[Class(self.category)] if self.category else None
