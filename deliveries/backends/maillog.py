"""The mail log: one function per event, fixed keys, the message id first; never contents, secrets
or whole headers.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction

from deliveries.backends.loglines import together

logger = logging.getLogger("ekiden.mail")
_is_at_a_terminal = False


def accepted(
    message: str,
    *,
    project: int,
    credential: int | None,
    mail_from: str,
    recipients: int,
    size: int,
    priority: str,
) -> None:
    logger.info(
        "message=%s event=accepted project=%s credential=%s from=<%s> recipients=%d size=%d "
            "priority=%s",
        message, project, credential, mail_from, recipients, size, priority,
    )  # fmt: skip


def repeated(message: str, *, credential: int | None) -> None:
    logger.info("message=%s event=repeated credential=%s", message, credential)


def attempted(
    message: UUID,
    delivery: UUID,
    *,
    outcome: str,
    recipient: str,
    stage: str,
    host: str,
    code: int | None,
    text: str,
) -> None:
    logger.info(
        "message=%s delivery=%s event=%s to=<%s> stage=%s host=%s code=%s text=%r",
        message, delivery, outcome, recipient, stage, host or "-", code or "-", text,
    )  # fmt: skip


def ended_later(
    rows: Iterable[tuple[UUID, UUID, str]], *, outcome: str, stage: str, text: str
) -> None:
    """Log endings that no attempt of a worker made, when the transaction under way is committed:
    (message, delivery, recipient) of each.
    """
    ended = list(rows)
    if ended and not _is_at_a_terminal:
        transaction.on_commit(lambda: _ended(ended, outcome, stage, text))


def _ended(ended: list[tuple[UUID, UUID, str]], outcome: str, stage: str, text: str) -> None:
    with together():
        for message, delivery, recipient in ended:
            attempted(
                message,
                delivery,
                outcome=outcome,
                recipient=recipient,
                stage=stage,
                host="",
                code=None,
                text=text,
            )


@contextmanager
def at_a_terminal() -> Iterator[None]:
    """Log no line for each delivery that ends while the block runs.

    A person's command ends them: its output is nobody's log, and a line for each would bury what it
    has to say.
    """
    global _is_at_a_terminal
    _is_at_a_terminal = True
    try:
        yield
    finally:
        _is_at_a_terminal = False


def reported(message: UUID, *, delivery: UUID, of: UUID, recipient: str) -> None:
    """Log that `message` is a report about the delivery `delivery` of the message `of`."""
    logger.info(
        "message=%s event=reported about=%s delivery=%s to=<%s>", message, of, delivery, recipient
    )


def lane_paused(lane: int, *, site: str, seconds: float, reason: str) -> None:
    logger.warning(
        "lane=%s event=lane-paused site=%s seconds=%.0f reason=%r", lane, site, seconds, reason
    )


def lane_slowed(lane: int, *, site: str, rate: float, reason: str) -> None:
    logger.warning(
        "lane=%s event=lane-slowed site=%s per_second=%.2f reason=%r", lane, site, rate, reason
    )


def lane_closed(lane: int, *, site: str, reason: str) -> None:
    logger.error("lane=%s event=lane-closed site=%s reason=%r", lane, site, reason)


def refused(
    *,
    client: str,
    code: int,
    text: str,
    command: str,
    mail_from: str = "",
    recipients: Sequence[str] = (),
    credential: int | None = None,
) -> None:
    logger.info(
        "client=%s event=refused command=%s code=%d credential=%s from=<%s> to=<%s> "
            "recipients=%d text=%r",
        client, command, code, credential or "-", mail_from, recipients[0] if recipients else "",
        len(recipients), text,
    )  # fmt: skip


def inbound(message: UUID, *, kind: str, delivery: UUID | None, client: str | None) -> None:
    logger.info(
        "message=%s event=inbound kind=%s delivery=%s client=%s",
        message,
        kind,
        delivery or "-",
        client or "-",
    )


def forged_return_path(*, client: str, recipient: str) -> None:
    logger.warning("client=%s event=forged-return-path to=<%s>", client, recipient)


def left_out(*, client: str, lines: int) -> None:
    logger.warning("client=%s event=lines-left-out lines=%d", client, lines)
