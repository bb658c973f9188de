"""The DNS records a sending domain must publish, and how those found there differ."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

OWNERSHIP_LABEL = "_ekiden"
OWNERSHIP_PREFIX = "ekiden-verification="


class Purpose(StrEnum):
    OWNERSHIP = "ownership"
    DKIM = "dkim"
    KEY_DELEGATION = "dkim-delegation"
    SPF = "spf"
    DMARC = "dmarc"
    RETURN_PATH = "return-path"


@dataclass(frozen=True, slots=True)
class Record:
    """A record to publish.

    For SPF and DMARC `value` is a minimum: a record that says more is as good.
    """

    purpose: Purpose
    name: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class _Finding:
    record: Record
    text: str


class Found(_Finding):
    """The domain publishes what it must."""


class Missing(_Finding):
    """Nothing of the kind is there."""


class Wrong(_Finding):
    """Something is there, and it would not work; the text tells what to change."""


Finding = Found | Missing | Wrong
_Judge = Callable[[Record, list[str]], Finding]


def required(
    domain: str,
    *,
    token: str,
    keys: Iterable[tuple[str, str]],
    spf: Sequence[str],
    reports: Sequence[str] = (),
    delegations: Sequence[Record] = (),
    return_path: str = "",
    host: str = "",
) -> list[Record]:
    """Return what the domain has to publish.

    `keys` are (selector, TXT value) of its DKIM keys; `spf` are the mechanisms that name our hosts,
    such as `include:spf.relay.test` or `ip4:192.0.2.1`. `reports` are tags of DMARC that ask for
    reports, such as `rua=mailto:reports@relay.test`. `delegations` are CNAMEs of selectors that
    lead to keys in a zone of ours. `return_path` is a name of the domain's own that leads to our
    `host`.
    """
    own = [Record(Purpose.RETURN_PATH, return_path, "CNAME", host)] if return_path else []
    return [
        Record(Purpose.OWNERSHIP, f"{OWNERSHIP_LABEL}.{domain}", "TXT", OWNERSHIP_PREFIX + token),
        *(
            Record(Purpose.DKIM, f"{selector}._domainkey.{domain}", "TXT", value)
            for selector, value in keys
        ),
        *delegations,
        *([Record(Purpose.SPF, domain, "TXT", " ".join(["v=spf1", *spf, "~all"]))] if spf else []),
        Record(Purpose.DMARC, f"_dmarc.{domain}", "TXT", "; ".join(["v=DMARC1; p=none", *reports])),
        *own,
    ]


def check(record: Record, found: Sequence[str]) -> Finding:
    """Judge the records of its type found at `record.name`; text about other things among them is
    ignored.
    """
    return _JUDGES[record.purpose](record, [text.strip() for text in found])


def _check_ownership(record: Record, found: list[str]) -> Finding:
    if record.value in found:
        return Found(record, "The domain is yours.")
    if any(text.startswith(OWNERSHIP_PREFIX) for text in found):
        return Wrong(record, "The record holds another token. Publish the one shown here.")
    return _missing(record)


def _check_dkim(record: Record, found: list[str]) -> Finding:
    keys = [
        tags for text in found if "p" in (tags := _tags(text)) and tags.get("v", "DKIM1") == "DKIM1"
    ]
    if not keys:
        return _missing(record)
    if len(keys) > 1:
        return Wrong(
            record,
            "There are several keys at this name, and receivers pick any of them. Leave only ours.",
        )
    wanted, tags = _tags(record.value), keys[0]
    if not tags["p"]:
        return Wrong(record, "The key has been revoked (p= is empty). Publish ours.")
    if tags["p"] != wanted["p"] or tags.get("k", "rsa") != wanted.get("k", "rsa"):
        return Wrong(
            record,
            "The record holds another key. Check that the value was copied whole: some DNS "
            "panels cut long texts.",
        )
    if "y" in tags.get("t", "").split(":"):
        return Wrong(
            record, "The key is marked as a test (t=y), so receivers ignore it. Remove that tag."
        )
    if "sha256" not in tags.get("h", "sha256").split(":") or not {"*", "email"} & set(
        tags.get("s", "*").split(":")
    ):
        return Wrong(
            record, "The tags h= or s= of the record forbid its use for mail. Remove them."
        )
    return Found(record, "The key is published.")


def _check_spf(record: Record, found: list[str]) -> Finding:
    policies = [
        text.lower().split() for text in found if re.match(r"v=spf1( |$)", text, re.IGNORECASE)
    ]
    if not policies:
        return _missing(record)
    if len(policies) > 1:  # RFC 7208, section 4.5
        return Wrong(
            record,
            "There are several SPF records, so receivers use none of them. Join them into one.",
        )
    lacking = [
        term for term in record.value.lower().split()[1:-1] if not _passes(term, policies[0][1:])
    ]
    if lacking:
        return Wrong(
            record,
            f"The SPF record does not let our hosts send. Put {' '.join(lacking)} before its "
            "last term.",
        )
    return Found(record, "SPF lets our hosts send.")


def _passes(wanted: str, terms: list[str]) -> bool:
    """Tell if a term gives a pass to what `wanted` names; terms are read in order and end at `all`
    (RFC 7208, section 4.6.2).
    """
    for term in terms:
        qualifier, mechanism = (term[0], term[1:]) if term[0] in "+-~?" else ("+", term)
        if mechanism == "all":
            return qualifier == "+"
        if mechanism == wanted or _covers(mechanism, wanted):
            return qualifier == "+"
    return False


def _covers(mechanism: str, wanted: str) -> bool:
    """Tell whether one `ip4:` or `ip6:` network holds the other."""
    (kind, _, network), (wanted_kind, _, wanted_network) = (
        mechanism.partition(":"),
        wanted.partition(":"),
    )
    if kind != wanted_kind or kind not in ("ip4", "ip6"):
        return False
    try:
        if kind == "ip4":
            return ipaddress.IPv4Network(wanted_network).subnet_of(
                ipaddress.IPv4Network(network, strict=False)
            )
        return ipaddress.IPv6Network(wanted_network).subnet_of(
            ipaddress.IPv6Network(network, strict=False)
        )
    except ValueError:
        return False


def _check_dmarc(record: Record, found: list[str]) -> Finding:
    policies = [_tags(text) for text in found if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text)]
    if not policies:
        return Missing(
            record,
            f"There is no DMARC record at {record.name}. Large receivers ask for one; "
            f"{record.value!r} will do.",
        )
    if len(policies) > 1:  # RFC 7489, section 6.6.3
        return Wrong(
            record, "There are several DMARC records, so receivers use none of them. Leave one."
        )
    policy = policies[0].get("p", "none").lower()  # RFC 9989, section 4.7: a missing one is none
    if policy not in ("none", "quarantine", "reject"):
        return Wrong(
            record,
            "The DMARC record has no valid policy. Its p= must be none, quarantine or reject.",
        )
    return Found(record, f"DMARC is published with the policy {policy}.")


def _check_key_delegation(record: Record, found: list[str]) -> Finding:
    targets = [target.lower().rstrip(".") for target in found]
    if not targets:
        return Missing(
            record,
            f"There is no CNAME at {record.name}. With it this relay changes the key by itself.",
        )
    if targets != [record.value]:
        return Wrong(
            record, f"The CNAME leads to {', '.join(targets)}. It must lead to {record.value}."
        )
    return Found(record, "The selector leads to the key that this relay keeps.")


def _check_return_path(record: Record, found: list[str]) -> Finding:
    targets = [target.lower().rstrip(".") for target in found]
    if not targets:
        return Missing(
            record,
            f"There is no CNAME at {record.name}, so failures come back at the relay's own name "
            "and SPF does not align. Publish it.",
        )
    if targets != [record.value]:
        return Wrong(
            record, f"The CNAME leads to {', '.join(targets)}. It must lead to {record.value}."
        )
    return Found(record, "The return path leads to this relay.")


def _missing(record: Record) -> Missing:
    return Missing(
        record,
        f"There is no such record at {record.name}. Publish it; DNS may take an hour to show it.",
    )


def _tags(text: str) -> dict[str, str]:
    """Read a tag list (RFC 6376, section 3.2) without its white space.

    The first of a repeated tag counts.
    """
    pairs = [part.partition("=") for part in text.split(";")]
    return {
        name.strip(): "".join(value.split()) for name, equals, value in reversed(pairs) if equals
    }


_JUDGES: dict[Purpose, _Judge] = {
    Purpose.OWNERSHIP: _check_ownership,
    Purpose.DKIM: _check_dkim,
    Purpose.KEY_DELEGATION: _check_key_delegation,
    Purpose.SPF: _check_spf,
    Purpose.DMARC: _check_dmarc,
    Purpose.RETURN_PATH: _check_return_path,
}
