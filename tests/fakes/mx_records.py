"""What a scripted MX notes of its sessions and messages."""

import time
from dataclasses import dataclass, field


@dataclass
class Received:
    """One accepted message; `content` is what the sender meant, dots removed."""

    reverse_path: str
    recipients: list[str]
    content: bytes
    mail_parameters: list[str]
    is_tls: bool
    is_chunked: bool
    at: float = field(default_factory=time.monotonic)


@dataclass
class SessionRecord:
    """All that one client did; `raw` are its bytes, those under TLS deciphered."""

    peer: str
    commands: list[str] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    violations: list[str] = field(default_factory=list)
    messages: list[Received] = field(default_factory=list)
    tls: str = ""
    server_name: str | None = None
    is_open: bool = True
    ended_by: str = ""  # "quit", "client" (hung up), "us"
