"""The rows of this app: who may send, and what operating the service leaves."""

from domains.models.audit_seals import AuditSeal, UnsealedEntry
from domains.models.authentication import (
    AuthenticationRefusal,
    IdentityAlert,
    ReadPosition,
    SampledDay,
    SignatureCheck,
)
from domains.models.credentials import Credential
from domains.models.dmarc import DmarcCount, DmarcReport
from domains.models.domain_alerts import DomainAlert
from domains.models.identity import DomainChange, DomainReport
from domains.models.key_zone import DelegatedSelector, UpdateKey
from domains.models.keys import SigningKey
from domains.models.operations import AuditEntry, KeyFingerprint, SetAside
from domains.models.ourselves import OwnLight
from domains.models.return_paths import ReturnPath
from domains.models.senders import Domain, Project, name_validator

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "AuthenticationRefusal",
    "Credential",
    "DelegatedSelector",
    "DmarcCount",
    "DmarcReport",
    "Domain",
    "DomainAlert",
    "DomainChange",
    "DomainReport",
    "IdentityAlert",
    "KeyFingerprint",
    "OwnLight",
    "Project",
    "ReadPosition",
    "ReturnPath",
    "SampledDay",
    "SetAside",
    "SignatureCheck",
    "SigningKey",
    "UnsealedEntry",
    "UpdateKey",
    "name_validator",
]
