"""Give a new installation its secret key, write down whose keys these are, and change them where
an operator says so.
"""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import transaction

from deliveries.models import Message
from domains.foundation import sql
from domains.foundation.secrets.fingerprints import fingerprint
from domains.foundation.secrets.keyring import KeyRing
from domains.models import Domain, KeyFingerprint, KeyState, SigningKey, UpdateKey
from domains.operations import own_keys
from domains.operations.own_keys import HOW, SECRET, KeyMismatch
from domains.senders.key_states import sign_on_word
from domains.senders.keys import make_key
from relay_portal.models import User
from relay_portal.setup import secret_key

# S105 : a text
NEW_SECRET = "Is it lost, or was it changed on purpose: ./ekiden setup --new-secret-key"  # noqa: S105


@transaction.atomic
def settle() -> None:
    """See that the keys of this machine are the installation's, which begins here where the
    database is empty.

    Raises `KeyMismatch`. A version before this one has noted nothing: its keys are taken as they
    are, if they prove that they are those of the database. A machine that has made its own without
    asking, as that version did, cannot prove it.
    """
    _alone()
    if not own_keys.noted(SECRET):
        _begin() if _is_empty() else _adopt()
    own_keys.check_secret()
    own_keys.check_ring()


@transaction.atomic
def renew_secret() -> None:
    """Make another secret key the installation's: a new one, or what EKIDEN_SECRET_KEY says."""
    _alone()
    if not settings.HAS_SECRET_KEY_FROM_ENVIRONMENT:
        settings.SECRET_KEY = secret_key.replace(own_keys.secret_path())
    elif fingerprint(_own()) in own_keys.noted(SECRET):
        raise KeyMismatch(
            "EKIDEN_SECRET_KEY still has the old value: give it a new one first, on all machines."
        )
    own_keys.note(SECRET, [fingerprint(_own())])


@transaction.atomic
def renew_ring() -> list[str]:
    """Make a new key ring in place of a lost one; a domain whose key it cannot read gets a new
    key, which signs once it was seen in DNS; mail leaves unsigned until then.

    Returns these domains' names.
    """
    _alone()
    place = own_keys.ring_place()
    if place.exists():
        raise KeyMismatch(
            f"There is a key ring in {place}. Is it the wrong one, move it away first."
        )
    lost = SigningKey.objects.active() | SigningKey.objects.waiting()
    domains = list(Domain.objects.filter(pk__in=lost.values("domain")))
    SigningKey.objects.filter(pk__in=list(lost.values_list("pk", flat=True))).update(
        is_active=False, state=KeyState.RETIRED
    )
    UpdateKey.objects.all().delete()  # nobody can read it any more; a person sets it again
    KeyFingerprint.objects.filter(kind=own_keys.RING).delete()
    own_keys.note_ring(KeyRing.open(place))
    for domain in domains:
        make_key(domain)
        if domain.is_assumed:
            sign_on_word(domain)
    return [domain.name for domain in domains]


def _alone() -> None:
    """Lock the table, so that of two machines that begin at once the second finds the first one's
    keys.
    """
    sql.run(f"LOCK TABLE {KeyFingerprint._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")


def _is_empty() -> bool:
    return not (Message.objects.exists() or SigningKey.objects.exists() or User.objects.exists())


def _begin() -> None:
    if own_keys.secret_key() is None:
        settings.SECRET_KEY = secret_key.make(own_keys.secret_path())
    own_keys.note(SECRET, [fingerprint(_own())])


def _adopt() -> None:
    if own_keys.secret_key() is None:
        raise KeyMismatch(
            f"There is no secret key in {own_keys.secret_place()}, and the database holds mail "
            f"or accounts: {HOW}. {NEW_SECRET}"
        )
    own_keys.check_ring()
    if not _has_signed_the_newest_session():
        raise KeyMismatch(
            "The portal's sessions in the database are signed by another secret key than that in "
            f"{own_keys.secret_place()}: {HOW}. {NEW_SECRET}"
        )
    own_keys.note(SECRET, [fingerprint(_own())])


def _has_signed_the_newest_session() -> bool:
    newest = Session.objects.order_by("-expire_date").first()
    if newest is None:
        return True
    store = import_module(settings.SESSION_ENGINE).SessionStore
    try:
        signing.loads(newest.session_data, salt=store().key_salt, serializer=store().serializer)
    except signing.BadSignature:
        return False
    return True


def _own() -> bytes:
    own = own_keys.secret_key()
    assert own is not None  # made a moment ago, or given
    return own
