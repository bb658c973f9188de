"""The usual slips of people who publish a record, each told from the others. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from domains.identity.sentences import SlipRemark
from domains.senders.records import OWNERSHIP_PREFIX, Purpose, Record

_NOTHING = re.compile(r"(?!)")
# What the beginning of each kind of value looks like, however it is misspelt.
_KIND = {
    Purpose.OWNERSHIP: re.compile(r"ekiden.?verif", re.IGNORECASE),
    Purpose.DKIM: re.compile(r"(v\s*=\s*DKIM1|\bk\s*=\s*(rsa|ed25519)|\bp\s*=\s*[A-Za-z0-9+/]{8})",
        re.IGNORECASE),
    Purpose.SPF: re.compile(r"^\W*(v\s*[=:]?\s*)?spf\s*[=:]?\s*1?\b", re.IGNORECASE),
    Purpose.DMARC: re.compile(r"(v\s*[=:]?\s*dmarc|^\W*dmarc\s*=?\s*1)", re.IGNORECASE),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What DNS has where the record should be, and at the names where slips put it.

    `sibling` is a name beside it that nobody has published; `doubled` the name with its zone once
    more; `bare` the name without underscores; `keyless` a key's name without `_domainkey`;
    `addresses` stand at the name of a CNAME.
    """

    domain: str
    zone: str
    values: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    domain_chain: tuple[str, ...] = ()
    sibling: tuple[str, ...] = ()
    sibling_chain: tuple[str, ...] = ()
    at_domain: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    keyless: tuple[str, ...] = ()
    type_spf: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


Detector = Callable[[Record, Surroundings], SlipRemark | None]


def slip(record: Record, seen: Surroundings) -> SlipRemark | None:
    """Return the first slip that explains why the record is not found; None for none of them."""
    return next((remark for each in DETECTORS if (remark := each(record, seen))), None)


def doubled_name(record: Record, zone: str) -> str:
    """Return where the record stands when a panel adds the zone to a name that has it already."""
    return f"{record.name}.{zone}"


def bare_name(record: Record) -> str:
    return record.name.replace("_", "")


def keyless_name(record: Record) -> str:
    return record.name.replace("._domainkey.", ".")


def _wildcard(record: Record, seen: Surroundings) -> SlipRemark | None:
    answered = seen.values or seen.chain
    at_name = seen.values if record.type == "CNAME" else seen.chain
    if record.type == "CNAME" and at_name and at_name == seen.sibling_chain[:1]:
        return SlipRemark("wildcard", {"name": record.name})
    if answered and (seen.values, seen.chain) == (seen.sibling, seen.sibling_chain):
        return SlipRemark("wildcard", {"name": record.name})
    return None


def _cname_at_domain(record: Record, seen: Surroundings) -> SlipRemark | None:
    if record.name == seen.domain and seen.chain:
        return SlipRemark("cname-at-domain", {"domain": seen.domain, "target": seen.chain[0]})
    return None


def _cname(record: Record, seen: Surroundings) -> SlipRemark | None:
    if record.type == "CNAME" or not seen.chain or _about(record, seen.values):
        return None
    code = "cname-in-place" if seen.values else "cname-to-nothing"
    return SlipRemark(code, {"name": record.name, "target": seen.chain[0]})


def _addresses(record: Record, seen: Surroundings) -> SlipRemark | None:
    if record.type != "CNAME" or seen.values or not seen.addresses:
        return None
    found = ", ".join(seen.addresses[:3])
    return SlipRemark("address-in-place", {"name": record.name, "found": found})


def _doubled(record: Record, seen: Surroundings) -> SlipRemark | None:
    if not _about(record, seen.values) and _about(record, seen.doubled):
        found, label = doubled_name(record, seen.zone), _label(record, seen.zone)
        return SlipRemark("doubled-zone", {"found": found, "label": label})
    return None


def _no_underscore(record: Record, seen: Surroundings) -> SlipRemark | None:
    if not _about(record, seen.values) and _about(record, seen.bare):
        return SlipRemark("no-underscore", {"found": bare_name(record), "name": record.name})
    return None


def _no_domainkey(record: Record, seen: Surroundings) -> SlipRemark | None:
    if not _about(record, seen.values) and _about(record, seen.keyless):
        return SlipRemark("no-domainkey", {"found": keyless_name(record), "name": record.name})
    return None


def _at_domain(record: Record, seen: Surroundings) -> SlipRemark | None:
    elsewhere = record.name != seen.domain and not _about(record, seen.values)
    if elsewhere and _about(record, seen.at_domain):
        return SlipRemark("at-domain", {"domain": seen.domain, "name": record.name})
    return None


def _type_spf(record: Record, seen: Surroundings) -> SlipRemark | None:
    if record.purpose is Purpose.SPF and seen.type_spf and not _about(record, seen.values):
        return SlipRemark("type-spf", {})
    return None


def _quotes(record: Record, seen: Surroundings) -> SlipRemark | None:
    return SlipRemark("quotes", {}) if any('"' in text for text in _own(record, seen)) else None


def _typographic(record: Record, seen: Surroundings) -> SlipRemark | None:
    strange = {char for text in _own(record, seen) for char in text if not " " <= char <= "~"}
    if not strange:
        return None
    named = ", ".join(f"U+{ord(char):04X}" for char in sorted(strange)[:5])
    return SlipRemark("typographic", {"characters": named})


def _backslash(record: Record, seen: Surroundings) -> SlipRemark | None:
    return SlipRemark("backslash", {}) if any("\\" in text for text in _own(record, seen)) else None


def _pasted_line(record: Record, seen: Surroundings) -> SlipRemark | None:
    head = re.compile(
        rf"\s*((?:{re.escape(record.name)}\.?|@)?\s*(?:\d+\s+)?(?:IN\s+)?TXT\s|"
        rf"{re.escape(record.name)}\.?\s)",
        re.IGNORECASE,
    )
    for text in _own(record, seen):
        if match := head.match(text):
            return SlipRemark("pasted-line", {"found": match[1].strip()})
    return None


def _trailing_dot(record: Record, seen: Surroundings) -> SlipRemark | None:
    ends = any(text.rstrip().endswith(".") for text in _own(record, seen))
    return SlipRemark("trailing-dot", {}) if ends and record.type == "TXT" else None


def _no_prefix(record: Record, seen: Surroundings) -> SlipRemark | None:
    if record.purpose is not Purpose.OWNERSHIP:
        return None
    token = record.value.removeprefix(OWNERSHIP_PREFIX)
    if any(token in text and OWNERSHIP_PREFIX not in text for text in seen.values):
        return SlipRemark("no-prefix", {"prefix": OWNERSHIP_PREFIX})
    return None


def _lower_case(record: Record, seen: Surroundings) -> SlipRemark | None:
    wanted = "".join(record.value.split())
    if wanted == wanted.lower() or record.purpose is not Purpose.DKIM:
        return None
    found = ("".join(text.split()) for text in seen.values)
    return SlipRemark("lower-case", {}) if wanted.lower() in found else None


def _key_pem(record: Record, seen: Surroundings) -> SlipRemark | None:
    if record.purpose is Purpose.DKIM and any("-----" in text for text in seen.values):
        return SlipRemark("key-pem", {})
    return None


def _key_cut(record: Record, seen: Surroundings) -> SlipRemark | None:
    if record.purpose is not Purpose.DKIM:
        return None
    wanted = _key(record.value)
    for text in seen.values:
        found = _key(text)
        if len(found) >= 20 and found != wanted and wanted.startswith(found):
            given = {"have": str(len(found)), "want": str(len(wanted))}
            return SlipRemark("key-cut", given)
    return None


def _key(text: str) -> str:
    match = re.search(r"(?:^|;)\s*p\s*=([^;]*)", text)
    return "".join(match[1].split()) if match else ""


def _spf_version(record: Record, seen: Surroundings) -> SlipRemark | None:
    for text in _own(record, seen) if record.purpose is Purpose.SPF else ():
        if not re.match(r"v=spf1( |$)", text, re.IGNORECASE):
            return SlipRemark("spf-version", {"found": text.split()[0][:40]})
    return None


def _spf_terms(record: Record, seen: Surroundings) -> Iterator[list[str]]:
    if record.purpose is Purpose.SPF:
        for text in seen.values:
            if re.match(r"v=spf1( |$)", text, re.IGNORECASE):
                yield text.split()[1:]


def _spf_glued(record: Record, seen: Surroundings) -> SlipRemark | None:
    start = re.compile(r".+(?:include:|redirect=|ip4:|ip6:|exists:|[-~?+]all$)", re.IGNORECASE)
    for terms in _spf_terms(record, seen):
        if glued := next((term for term in terms if start.fullmatch(term) or _twice(term)), None):
            return SlipRemark("spf-glued", {"term": glued})
    return None


def _twice(term: str) -> bool:
    marks = ("include:", "ip4:", "ip6:", "exists:", "redirect=")
    return sum(term.lower().count(mark) for mark in marks) > 1


def _spf_after_all(record: Record, seen: Surroundings) -> SlipRemark | None:
    wanted = record.value.lower().split()[1:-1]
    for terms in _spf_terms(record, seen):
        lowered = [term.lower() for term in terms]
        at = next((n for n, term in enumerate(lowered) if term.lstrip("+-~?") == "all"), None)
        if at is None:
            continue
        late = next((term for term in lowered[at + 1 :] if term.lstrip("+") in wanted), "")
        if late:
            return SlipRemark("spf-after-all", {"term": late, "all": terms[at]})
    return None


def _spf_passes_all(record: Record, seen: Surroundings) -> SlipRemark | None:
    for terms in _spf_terms(record, seen):
        if found := next((term for term in terms if term.lower() in ("all", "+all")), None):
            return SlipRemark("spf-passes-all", {"all": found})
    return None


def _dmarc_version(record: Record, seen: Surroundings) -> SlipRemark | None:
    for text in _own(record, seen) if record.purpose is Purpose.DMARC else ():
        if not re.match(r"v\s*=\s*DMARC1\s*([;,]|$)", text):
            return SlipRemark("dmarc-version", {"found": re.split(r"[;,]", text)[0].strip()[:40]})
    return None


def _dmarc_commas(record: Record, seen: Surroundings) -> SlipRemark | None:
    for text in seen.values if record.purpose is Purpose.DMARC else ():
        if re.match(r"v\s*=\s*DMARC1\s*,", text) or re.search(r",\s*(sp|np|rua|adkim|aspf)=", text):
            return SlipRemark("dmarc-commas", {})
    return None


def _dmarc_mailto(record: Record, seen: Surroundings) -> SlipRemark | None:
    for text in _own(record, seen) if record.purpose is Purpose.DMARC else ():
        for tag, value in re.findall(r";\s*(rua|ruf)\s*=\s*([^;]*)", text):
            for uri in value.split(","):
                if "@" in uri and ":" not in uri:
                    return SlipRemark("dmarc-mailto", {"tag": tag, "address": uri.strip()})
    return None


def _about(record: Record, values: tuple[str, ...]) -> bool:
    """Tell whether one of them is meant to be this record."""
    return any(_is_meant(record, text) for text in values)


def _is_meant(record: Record, text: str) -> bool:
    if record.type == "CNAME":
        return text == record.value
    return record.value in text or bool(_KIND.get(record.purpose, _NOTHING).search(text))


def _own(record: Record, seen: Surroundings) -> list[str]:
    """Return the values at the name that are meant to be this record."""
    return [text for text in seen.values if _is_meant(record, text)]


def _label(record: Record, zone: str) -> str:
    return record.name.removesuffix(zone).rstrip(".") or "@"


# Where it stands before what it says; the more particular before the more general.
DETECTORS: tuple[Detector, ...] = (
    _cname_at_domain, _wildcard, _doubled, _no_underscore, _no_domainkey, _at_domain, _type_spf,
    _cname, _addresses, _pasted_line, _typographic, _quotes, _backslash, _no_prefix, _lower_case,
    _key_pem, _key_cut, _trailing_dot, _spf_version, _spf_glued, _spf_after_all, _spf_passes_all,
    _dmarc_commas, _dmarc_version, _dmarc_mailto,
)  # fmt: skip
