"""The rows of this app: who may send, and what operating the service leaves."""

from domains.models.audit_seals import AuditSeal, UnsealedEntry
from domains.models.credentials import Credential
from domains.models.dmarc import DmarcCount, DmarcReport
from domains.models.identity import DomainChange, DomainReport
from domains.models.keys import SigningKey
from domains.models.operations import AuditEntry, KeyFingerprint, SetAside
from domains.models.senders import Domain, Project, name_validator

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "Credential",
    "DmarcCount",
    "DmarcReport",
    "Domain",
    "DomainChange",
    "DomainReport",
    "KeyFingerprint",
    "Project",
    "SetAside",
    "SigningKey",
    "UnsealedEntry",
    "name_validator",
]
