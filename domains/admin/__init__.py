"""The portal's pages about projects, domains, signing keys, credentials, and the audit log."""

from domains.admin import audit_log, credentials, projects, sending_domains, signing_keys

__all__ = ["audit_log", "credentials", "projects", "sending_domains", "signing_keys"]
