"""How a log-in reached the portal, so that `doctor` notices a proxy that hides whom it speaks for,
and passwords in clear.

Kept as words in the field `path_info` of axes' rows, which else says the same everywhere.
"""

from __future__ import annotations

from ipaddress import ip_address

from django.http import HttpRequest

HERE, THROUGH, HIDDEN, PLAIN = "here", "through", "hidden", "plain"
# From another host, without a word of a proxy: a person, or one that says nothing.
UNTOLD = "untold"
MARKS = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)  # that proxies leave


def words(request: HttpRequest) -> str:
    """Return `here` for a request of this machine itself (a tunnel, a first look), else `through`
    and what is wrong with it.
    """
    peer, host = str(request.META.get("REMOTE_ADDR", "")), str(request.META.get("HTTP_HOST", ""))
    has_proxy = any(mark in request.META for mark in MARKS)
    if is_loopback(peer) and _is_local(host) and not has_proxy:
        return HERE
    marks = [THROUGH]
    if forwarded(request) is None and (is_loopback(peer) or has_proxy):
        marks.append(HIDDEN)
    elif not is_loopback(peer):
        marks.append(UNTOLD)
    if not request.is_secure():
        marks.append(PLAIN)
    return " ".join(marks)


def forwarded(request: HttpRequest) -> str | None:
    """Return the address that a proxy on this host itself wrote down, last in its list; what
    stands before it may be a lie.
    """
    said = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    return (
        said if is_loopback(str(request.META.get("REMOTE_ADDR", ""))) and is_address(said) else None
    )


def is_loopback(text: str) -> bool:
    return is_address(text) and ip_address(text).is_loopback


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name in ("", "localhost") or is_loopback(name.strip("[]"))
