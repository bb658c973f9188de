"""The listeners' self-signed certificate without its key, for the apps that are to trust it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from django.conf import settings

from smtp_listener.protocol import tls

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)


def path() -> Path:
    """Return the file that `publish` writes."""
    return Path(settings.EKIDEN_DATA / "certificate.pem")


def publish() -> None:
    """Write it where every account may read it, whatever the umask. Raises OSError."""
    both, _ = tls.own_pair(settings.EKIDEN_DATA / "tls", settings.EKIDEN_HOSTNAME)
    draft = path().with_name(f"certificate.{os.getpid()}")
    draft.write_bytes(b"".join(CERTIFICATE.findall(both.read_bytes())))
    draft.chmod(0o644)
    draft.rename(path())
