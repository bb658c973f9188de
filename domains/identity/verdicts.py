"""What receivers will make of the domain's mail: SPF for each name it leaves under, the DMARC
policy, and what aligns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from domains.foundation.dns.names import IpAddress
from domains.foundation.dns.resolver import TemporaryFailure
from domains.identity.dmarc import DmarcPolicy, is_aligned, policy_for, unauthorised
from domains.identity.sentences import SlipRemark, english
from domains.identity.spf import SpfNames, SpfOutcome, check_host
from domains.identity.spf_terms import SpfResult


@dataclass(frozen=True, slots=True)
class MailOrigin:
    """How the domain's mail leaves: from which addresses, with which return path and EHLO name, and
    whether a key that signs is published.
    """

    domain: str
    return_path: str
    ehlo: str
    addresses: Collection[IpAddress]
    is_signed: bool


async def verdicts(origin: MailOrigin, names: SpfNames) -> list[dict[str, Any]]:
    """Return one finding for each question, as JSON: `subject`, `state` (pass, fail, unknown),
    `slip`, `given` and `text`.
    """

    async def texts(name: str) -> tuple[str, ...]:
        return await names.ask(name, "TXT")

    outcomes = [
        (identity, address, await check_host(names, address, identity, helo=origin.ehlo))
        for identity in dict.fromkeys((origin.return_path, origin.ehlo))
        for address in origin.addresses
    ]
    found = [_spf(identity, address, outcome) for identity, address, outcome in outcomes]
    passes = bool(outcomes) and all(
        outcome.result is SpfResult.PASS
        for identity, _, outcome in outcomes
        if identity == origin.return_path
    )
    try:
        policy = await policy_for(origin.domain, texts)
        by_spf = await is_aligned(policy, origin.return_path, "aspf", texts)
        if policy.record is None:  # nothing says where the organization begins
            by_spf = by_spf or origin.return_path.endswith(f".{origin.domain}")
        strangers = await unauthorised(policy, texts)
    except TemporaryFailure as error:
        return [*found, _finding("dmarc", "unknown", "dmarc-unknown", error=str(error))]
    return [*found, *_dmarc(policy, strangers), *_alignment(origin, by_spf, passes)]


def _spf(identity: str, address: IpAddress, outcome: SpfOutcome) -> dict[str, Any]:
    given = {"name": identity, "address": str(address), "term": outcome.term}
    match outcome.result:
        case SpfResult.PASS:
            return _finding("spf", "pass", "spf-pass", **given)
        case SpfResult.NONE:
            return _finding("spf", "fail", "spf-none", **given)
        case SpfResult.TEMPERROR:
            return _finding("spf", "unknown", "spf-temperror", error=outcome.problem, **given)
        case SpfResult.PERMERROR:
            return _finding("spf", "fail", f"spf-{outcome.problem}", **given)
        case _:
            return _finding("spf", "fail", "spf-no-pass", result=outcome.result.value, **given)


def _dmarc(policy: DmarcPolicy, strangers: list[str]) -> list[dict[str, Any]]:
    if policy.policy is None:
        return [_finding("dmarc", "fail", "dmarc-none", name=policy.domain)]
    given = {"name": policy.domain, "policy": policy.policy, "found": policy.found_at}
    code = "dmarc-inherited" if policy.is_inherited else "dmarc-own"
    found = [_finding("dmarc", "pass", code, **given)]
    if policy.tested != policy.policy:
        found.append(_finding("dmarc", "pass", "dmarc-test", tested=policy.tested or "", **given))
    found += [
        _finding(
            "dmarc",
            "fail",
            "dmarc-unauthorised",
            theirs=theirs,
            name=f"{policy.found_at}._report._dmarc.{theirs}",
        )
        for theirs in strangers
    ]
    return found


def _alignment(origin: MailOrigin, by_spf: bool, passes: bool) -> list[dict[str, Any]]:
    """Return the findings about DKIM, SPF and DMARC of aligned names.

    A signature is always made as the domain itself, so it aligns even where `adkim=s`.
    """
    given = {"name": origin.return_path, "domain": origin.domain}
    signed = "dkim-aligned" if origin.is_signed else "dkim-none"
    spf = "spf-aligned" if by_spf and passes else "spf-not-aligned"
    good = origin.is_signed or (by_spf and passes)
    return [
        _finding("dkim", "pass" if origin.is_signed else "fail", signed, **given),
        _finding("spf", "pass" if by_spf and passes else "fail", spf, **given),
        _finding("dmarc", "pass" if good else "fail", f"dmarc-{'pass' if good else 'fail'}",
            **given),
    ]  # fmt: skip


def _finding(subject: str, state: str, code: str, **given: str) -> dict[str, Any]:
    remark = SlipRemark(code, given)
    return {
        "subject": subject, "state": state, "slip": code, "given": given, "text": english(remark),
    }  # fmt: skip
