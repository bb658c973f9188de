"""What people write for an address, a whole domain, or a beginning of either, as the list of
suppressions knows it.
"""

from domains.foundation.text.addresses import BadAddress, canonical_domain, parse_path


def key_of(text: str) -> str:
    """Return the key of an address, or "@domain" for all of a domain; raise `BadAddress`."""
    text = text.strip().strip("<>")
    if text.startswith("@"):
        return f"@{canonical_domain(text[1:])}"
    return parse_path(text, smtputf8=True).key


def known_key(text: str) -> str | None:
    """Return what `key_of` returns; None for what is neither an address nor a domain."""
    try:
        return key_of(text)
    except BadAddress:
        return None
