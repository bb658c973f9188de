"""Answers of a name server, as they are and bent out of shape."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

FORGED = "127.6.6.6"


def _asked(query: dns.message.Message) -> tuple[str, str]:
    question = query.question[0]
    return question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(
        question.rdtype
    )


def _zone_text(kind: str, value: Any) -> str:
    match kind:
        case "MX":
            return f"{value[0]} {str(value[1]).removesuffix('.')}."
        case "CNAME":
            return f"{str(value).removesuffix('.')}."
        case "TXT":
            data = str(value).encode()
            chunks = [data[start : start + 255] for start in range(0, len(data), 255)] or [b""]
            return " ".join(
                '"' + "".join(f"\\{byte:03d}" for byte in chunk) + '"' for chunk in chunks
            )
    return str(value)


def _wire(reply: dns.message.Message | bytes, limit: int) -> bytes:
    if isinstance(reply, bytes):
        return reply
    wire = reply.to_wire(max_size=65_535)
    if len(wire) <= limit:
        return wire
    reply.answer.clear()
    reply.flags |= dns.flags.TC
    return reply.to_wire()


def _with_rcode(query: dns.message.Message, rcode: dns.rcode.Rcode) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.set_rcode(rcode)
    return response


def _truncated(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.TC
    return response


def _forged_question(query: dns.message.Message) -> dns.message.Message:
    other = dns.message.make_query("other.invalid", "A", id=query.id)
    return _about_another_name(other)


def _about_another_name(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    kind = dns.rdatatype.to_text(query.question[0].rdtype)
    text = {"A": FORGED, "MX": "0 forged.invalid.", "TXT": "forged"}.get(kind, "::6")
    response.answer.append(dns.rrset.from_text("forged.invalid.", 300, "IN", kind, text))
    return response


def _referral(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.authority.append(
        dns.rrset.from_text(query.question[0].name, 300, "IN", "NS", "ns.test.")
    )
    return response
