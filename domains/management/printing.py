"""Writes a domain's page to print where the command is told to."""

from __future__ import annotations

from pathlib import Path

from domains.admin import printed_records
from domains.foundation.command import CommandError
from domains.models import Domain


def written(domain: Domain, place: str, language: str) -> str:
    """Write the page to this file, and say so; `-` returns it. Raise `CommandError`."""
    text = printed_records.document(domain, language=language)
    if place == "-":
        return text
    try:
        Path(place).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{place} cannot be written: {error.strerror}") from error
    return f"Wrote {place}. Print it, or send it to the person who runs the DNS.\n"
