"""The DMARC policy that receivers find for a domain, and what aligns with it (RFC 9989)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

WALK = 8  # queries at most (section 4.10)
POLICIES = ("none", "quarantine", "reject")
Texts = Callable[[str], Awaitable[tuple[str, ...]]]  # the TXT records at a name; () for none


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A record found at `_dmarc.` and `domain`; tags that RFC 9989 does not know are not read."""

    domain: str
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def psd(self) -> str:
        value = self.tags.get("psd", "u").lower()
        return value if value in ("y", "n") else "u"

    def policy(self, *names: str) -> str:
        """Return the first of these tags that holds a policy; a missing or unknown `p` is none."""
        for name in names:
            if (value := self.tags.get(name, "").lower()) in POLICIES:
                return value
        return "none"

    def is_strict(self, tag: str) -> bool:
        """Return whether `adkim` or `aspf` asks for the same name."""
        return self.tags.get(tag, "r").lower() == "s"


@dataclass(frozen=True, slots=True)
class DmarcPolicy:
    """What applies to mail from a domain.

    `policy` is None where no record applies; `found_at` is the domain whose record it is. `tested`
    is the policy as receivers apply it while `t=y` asks for one step less (section 4.7).
    """

    domain: str
    organization: str
    policy: str | None = None
    tested: str | None = None
    found_at: str = ""
    record: DmarcRecord | None = None

    @property
    def is_inherited(self) -> bool:
        return self.policy is not None and self.found_at != self.domain


def parsed(domain: str, text: str) -> DmarcRecord | None:
    """Return the record; None where the text is none: `v=DMARC1` must come first, in capitals."""
    if not re.match(r"v\s*=\s*DMARC1\s*(;|$)", text):
        return None
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return DmarcRecord(domain, tags)


def steps(domain: str) -> list[str]:
    """Return the names that the tree walk asks, from the longest: eight of them at most."""
    labels = domain.split(".")
    above = labels[1:] if len(labels) <= WALK else labels[-(WALK - 1) :]
    return [domain, *(".".join(above[at:]) for at in range(len(above)))]


async def walk(domain: str, texts: Texts) -> list[DmarcRecord]:
    """Return the records on the way up, ended by one that says what it is (psd=y or psd=n)."""
    found: list[DmarcRecord] = []
    for name in steps(domain):
        records = [
            record
            for text in await texts(f"_dmarc.{name}")
            if (record := parsed(name, text)) is not None
        ]
        if len(records) != 1:  # several are as good as none
            continue
        found.append(records[0])
        if records[0].psd in ("y", "n"):
            break
    return found


def organization_of(domain: str, found: list[DmarcRecord]) -> str:
    """Return the organizational domain (section 4.10.2)."""
    for record in found:
        if record.psd == "n":
            return record.domain
        if record.psd == "y" and record.domain != domain:
            labels = domain.split(".")
            return ".".join(labels[-(record.domain.count(".") + 2) :])
    return found[-1].domain if found else domain


async def policy_for(domain: str, texts: Texts, *, exists: bool = True) -> DmarcPolicy:
    """Return the policy that receivers find for mail whose From has this domain.

    `exists`: whether the name is in DNS; for one that is not, `np` counts (section 4.7).
    """
    found = await walk(domain, texts)
    organization = organization_of(domain, found)
    record = next(
        (
            each
            for name in (domain, organization)
            for each in found
            if each.domain == name
        ),
        next((each for each in found if each.psd == "y"), None),
    )  # fmt: skip
    if record is None:
        return DmarcPolicy(domain, organization)
    names = ("p",) if record.domain == domain else ("sp", "p") if exists else ("np", "sp", "p")
    policy = record.policy(*names)
    is_test = record.tags.get("t", "n").lower() == "y"
    tested = POLICIES[max(0, POLICIES.index(policy) - 1)] if is_test else policy
    return DmarcPolicy(domain, organization, policy, tested, record.domain, record)


async def is_aligned(author: DmarcPolicy, identity: str, tag: str, texts: Texts) -> bool:
    """Return whether a name that SPF or DKIM has proved is aligned with From (section 4.4).

    `tag` is `aspf` or `adkim`.
    """
    if identity == author.domain:
        return True
    if author.record is not None and author.record.is_strict(tag):
        return False
    organization = organization_of(identity, await walk(identity, texts))
    return organization == author.organization


async def unauthorised(policy: DmarcPolicy, texts: Texts) -> list[str]:
    """Return the outside domains in `rua` and `ruf` that have not agreed to get reports.

    They say so by a record at `DOMAIN._report._dmarc.THEIRS` (RFC 9990, section 4).
    """
    if policy.record is None:
        return []
    missing = []
    for theirs in _report_domains(policy.record):
        records = await walk(theirs, texts)
        if organization_of(theirs, records) == policy.organization:
            continue
        agreed = await texts(f"{policy.found_at}._report._dmarc.{theirs}")
        if not any(parsed(theirs, text) for text in agreed):
            missing.append(theirs)
    return missing


def _report_domains(record: DmarcRecord) -> list[str]:
    found: dict[str, None] = {}
    for tag in ("rua", "ruf"):
        for uri in record.tags.get(tag, "").split(","):
            address = uri.strip().partition("!")[0]
            if address.lower().startswith("mailto:") and "@" in address:
                found[address.rpartition("@")[2].lower().rstrip(".")] = None
    return list(found)
