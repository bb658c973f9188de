"""Whether the names that SPF and DKIM prove for a message align with its From (RFC 9989, section
4.4), as far as the last check of the domain knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from domains.identity.dmarc import DmarcRecord

Degree = Literal["same", "near", "apart"]
Verdict = Literal["both", "signature", "return_path", "none"]


@dataclass(frozen=True, slots=True)
class Author:
    """The domain of a From, the project's domain at or above it, and the DMARC record that was
    found for that.
    """

    domain: str
    organization: str = ""
    record: DmarcRecord | None = None

    def degree(self, identity: str, tag: str) -> Degree:
        """Tell how a proved name stands to From; `tag` is `adkim` or `aspf`.

        A strict record takes the same name alone. No public suffix aligns: names of one label
        are the only ones that can be told without DNS.
        """
        if self.domain and identity == self.domain:
            return "same"
        is_strict = self.record is not None and self.record.is_strict(tag)
        if is_strict or "." not in identity or not self.domain:
            return "apart"
        tops = {self.domain, self.organization or self.domain}
        is_near = _is_below(self.domain, identity) or any(_is_below(identity, top) for top in tops)
        return "near" if is_near or identity in tops else "apart"

    @property
    def policy(self) -> str:
        """What the record asks of receivers where neither aligns; "" where none was found."""
        if self.record is None:
            return ""
        names = ("p",) if self.record.domain == self.domain else ("sp", "p")
        return self.record.policy(*names)


def verdict(signatures: Sequence[Degree], return_paths: Sequence[Degree]) -> Verdict:
    """Tell what DMARC may rest on: each return path that was used has to align."""
    by_dkim = any(each != "apart" for each in signatures)
    by_spf = bool(return_paths) and all(each != "apart" for each in return_paths)
    if by_dkim:
        return "both" if by_spf else "signature"
    return "return_path" if by_spf else "none"


def _is_below(name: str, top: str) -> bool:
    return name.endswith(f".{top}")
