"""The people who use the portal."""

from ipaddress import ip_network
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device

from domains.foundation.rights import Role
from domains.models import Project


class People(UserManager["User"]):
    use_in_migrations = False

    def local_owners(self) -> models.QuerySet["User"]:
        """Return who may let people in and needs no OpenID provider for it."""
        return self.filter(
            role=Role.OWNER, is_limited=False, is_active=True, is_staff=True, provideridentity=None
        )

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **given: Any
    ) -> "User":
        """Create an owner of the whole installation, which is what Django calls a superuser."""
        given = {"role": Role.OWNER, "is_limited": False, "is_staff": True, **given}
        return self.create_user(username, email, password, **given)


class User(AbstractUser):
    """A person with a log-in; staff reach the portal after their second factor.

    The role decides what they may do (`domains.foundation.rights`); Django's `is_superuser` decides
    nothing.
    """

    role = models.CharField(
        _("role"),
        max_length=10,
        choices=Role.choices,
        default=Role.SUPPORT,
        db_default=Role.SUPPORT,
    )
    is_limited = models.BooleanField(
        _("limited to projects"),
        default=True,
        db_default=True,
        help_text=_("Sees the projects chosen here and no others, nor what concerns all of them."),
    )
    projects = models.ManyToManyField(
        Project,
        verbose_name=_("projects"),
        blank=True,
        help_text=_("Of a person who is limited to projects; without one they see no mail."),
    )
    # Kept although the devices tell: whoever has lost them all must not get new ones by the
    # password alone.
    enrolled_at = models.DateTimeField(
        _("second factor since"), null=True, blank=True, editable=False
    )

    # "" is the installation's.
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, default="", db_default="", editable=False
    )
    # "" is the browser's.
    language = models.CharField(
        _("language"), max_length=10, blank=True, default="", db_default="", editable=False
    )

    objects: ClassVar[People] = People()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="user_has_a_known_role"
            )
        ]

    @property
    def zone(self) -> ZoneInfo | None:
        """Return the zone of this person's times; None for the installation's."""
        try:
            return ZoneInfo(self.time_zone) if self.time_zone else None
        except (ValueError, ZoneInfoNotFoundError):  # the system's data base has lost it
            return None

    def check_an_owner_remains(self) -> None:
        """Raise `ValidationError` where this change would leave nobody who may let people in.

        Who comes by the OpenID provider does not count: the provider may be away. Call it in the
        transaction of the change.
        """
        is_owner = self.role == Role.OWNER and not self.is_limited and self.is_active
        if not self.pk or is_owner:
            return
        before = User.objects.get(pk=self.pk)
        if before.role != Role.OWNER or before.is_limited:
            return
        # All of them are locked: of two owners who take each other's role, one hears of the other.
        owners = User.objects.local_owners().select_for_update(of=("self",)).order_by("pk")
        if not {owner.pk for owner in owners} - {self.pk}:
            raise ValidationError(_("This is the last owner: make somebody else one before."))


class Invitation(models.Model):
    """Lets one person choose a password and enrol a second factor, once.

    The link's secret is not kept; the row goes when it is used, and a newer one takes its place.
    """

    user = models.OneToOneField(User, models.CASCADE, verbose_name=_("user"))
    token_hash = models.CharField(_("hash of the link's secret"), max_length=64, unique=True)
    created_by = models.TextField(_("by"))
    created_at = models.DateTimeField(_("at"), auto_now=True)
    expires_at = models.DateTimeField(_("ends"))

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")

    def __str__(self) -> str:
        return str(self.user)


class ProviderIdentity(Device):  # type: ignore[misc]  # django_otp publishes no types
    """Who a person is at the OpenID provider: found by issuer and subject, never by an address.

    As a device of django-otp it is what verified a session whose second factor the provider asked
    for; no code fits it.
    """

    user = models.OneToOneField(User, models.CASCADE)
    issuer = models.TextField(_("issuer"))
    subject = models.TextField(_("subject"))
    created_at = models.DateTimeField(_("at"), auto_now_add=True)

    class Meta:
        verbose_name = _("identity at the provider")
        verbose_name_plural = _("identities at the provider")
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="one_person_for_a_subject")
        ]


class GroupRole(models.Model):
    """What the members of a group at the OpenID provider may do here."""

    group = models.TextField(
        _("group"), unique=True, help_text=_("As the provider writes it, letter by letter.")
    )
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.SUPPORT)
    is_limited = models.BooleanField(
        _("limited to projects"),
        default=True,
        help_text=_("Sees the projects chosen here and no others, nor what concerns all of them."),
    )
    projects = models.ManyToManyField(
        Project,
        verbose_name=_("projects"),
        blank=True,
        help_text=_("Of a person who is limited to projects; without one they see no mail."),
    )

    class Meta:
        verbose_name = _("group at the provider")
        verbose_name_plural = _("groups at the provider")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="group_has_a_known_role"
            )
        ]

    def __str__(self) -> str:
        return self.group


class LogInNetwork(models.Model):
    """A network from which people may log in; with a row for a role, or for everybody, no other
    will do.
    """

    network = models.CharField(
        _("network"),
        max_length=43,
        help_text=_("Such as 192.0.2.0/24, 2001:db8::/32, or one address."),
    )
    role = models.CharField(
        _("role"),
        max_length=10,
        choices=Role.choices,
        blank=True,
        help_text=_("Empty: for all roles that have no network of their own."),
    )
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("network")
        verbose_name_plural = _("networks that may log in")
        constraints = [
            models.UniqueConstraint(
                fields=["network", "role"],
                name="log_in_network_once",
                violation_error_message=_("This network is there already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.network} ({self.role})" if self.role else self.network

    def clean(self) -> None:
        try:
            self.network = str(ip_network(self.network.strip()))
        except ValueError as error:
            raise ValidationError(
                _("%(text)s is no network: write it as 192.0.2.0/24 or 2001:db8::/32.")
                % {"text": self.network}
            ) from error
