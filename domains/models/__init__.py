"""The rows of this app: who may send, and what operating the service leaves."""

from domains.models.audit_seals import AuditSeal, UnsealedEntry
from domains.models.authentication import (
    AuthenticationRefusal,
    IdentityAlert,
    IdentityAlertKind,
    ReadPosition,
    SampledDay,
    SignatureCheck,
)
from domains.models.credentials import Credential, CredentialKind
from domains.models.dmarc import DmarcCount, DmarcReport
from domains.models.domain_alerts import DomainAlert, DomainAlertKind
from domains.models.identity import DomainChange, DomainReport
from domains.models.key_zone import DelegatedSelector, HmacAlgorithm, UpdateKey
from domains.models.keys import KeyAlgorithm, KeyState, SigningKey
from domains.models.operations import (
    AuditEntry,
    FingerprintKind,
    ItemKind,
    KeyFingerprint,
    SetAside,
)
from domains.models.ourselves import OwnLight
from domains.models.return_paths import ReturnPath, ReturnPathState
from domains.models.senders import Domain, Project, name_validator

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "AuthenticationRefusal",
    "Credential",
    "CredentialKind",
    "DelegatedSelector",
    "DmarcCount",
    "DmarcReport",
    "Domain",
    "DomainAlert",
    "DomainAlertKind",
    "DomainChange",
    "DomainReport",
    "FingerprintKind",
    "HmacAlgorithm",
    "IdentityAlert",
    "IdentityAlertKind",
    "ItemKind",
    "KeyAlgorithm",
    "KeyFingerprint",
    "KeyState",
    "OwnLight",
    "Project",
    "ReadPosition",
    "ReturnPath",
    "ReturnPathState",
    "SampledDay",
    "SetAside",
    "SignatureCheck",
    "SigningKey",
    "UnsealedEntry",
    "UpdateKey",
    "name_validator",
]
