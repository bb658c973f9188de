"""Masks the addresses on every page for those who are not to read them.

It stands at the end of a request and looks at the answer itself, so that no page can forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse

from domains.foundation import rights
from domains.foundation.text.masking import addresses_in, masked
from domains.operations import privacy
from relay_portal.models import User

NextHandler = Callable[[HttpRequest], HttpResponseBase]
READABLE = ("text/", "application/json")
SEARCHED = ("q",)  # the fields in which a person says whom they look for
QUERY_MOST = 10_000  # characters
# Pages about senders, whose records have to be copied as they are, and about one's own account.
WITHOUT_RECIPIENTS = (
    "admin:domains_domain_", "admin:domains_signingkey_", "admin:domains_credential_",
    "two_factor:",
)  # fmt: skip


class MaskAddresses:
    def __init__(self, get_response: NextHandler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Mask the answer for who may not read addresses, but for what they searched themselves."""
        user = request.user
        if not user.is_authenticated or rights.reads_addresses(user):
            return self._next(request)
        for name in SEARCHED:
            privacy.tell(request, addresses_in(request.GET.get(name, "")[:QUERY_MOST]))
        response = self._next(request)
        match = request.resolver_match
        if match and match.view_name.startswith(WITHOUT_RECIPIENTS):
            return response
        if str(response.headers.get("Content-Type", "")).startswith(READABLE):
            _mask(request, response)
        return response


def _mask(request: HttpRequest, response: Any) -> None:
    names = User.objects.filter(username__contains="@").values_list("username", flat=True)
    privacy.show_plainly(request, *names)

    def is_plain(key: str) -> bool:
        return privacy.is_shown(request, key)

    if isinstance(response, StreamingHttpResponse):
        lines = _lines(cast("Iterator[bytes]", response.streaming_content))  # nothing is async here
        response.streaming_content = (
            masked(line.decode(response.charset), is_plain) for line in lines
        )
    elif isinstance(response, HttpResponse):
        response.content = masked(response.content.decode(response.charset), is_plain)


def _lines(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Join parts to whole lines: an address may be cut between two parts."""
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        yield from (line + b"\n" for line in lines)
    yield rest
