"""The mail log: one function per event, fixed keys, the message id first; never contents, secrets or whole headers."""

import logging
from collections.abc import Sequence
from uuid import UUID

logger = logging.getLogger("ekiden.mail")


def accepted(message: str, *, project: int, credential: int | None, mail_from: str, recipients: int, size: int, priority: str) -> None:
    logger.info(
        "message=%s event=accepted project=%s credential=%s from=<%s> recipients=%d size=%d priority=%s",
        message, project, credential, mail_from, recipients, size, priority,
    )  # fmt: skip


def repeated(message: str, *, credential: int | None) -> None:
    logger.info("message=%s event=repeated credential=%s", message, credential)


def attempted(message: UUID, delivery: UUID, *, outcome: str, recipient: str, stage: str, host: str, code: int | None, text: str) -> None:
    logger.info(
        "message=%s delivery=%s event=%s to=<%s> stage=%s host=%s code=%s text=%r",
        message, delivery, outcome, recipient, stage, host or "-", code or "-", text,
    )  # fmt: skip


def lane_paused(lane: int, *, site: str, seconds: float, reason: str) -> None:
    logger.warning("lane=%s event=lane-paused site=%s seconds=%.0f reason=%r", lane, site, seconds, reason)


def lane_slowed(lane: int, *, site: str, rate: float, reason: str) -> None:
    logger.warning("lane=%s event=lane-slowed site=%s per_second=%.2f reason=%r", lane, site, rate, reason)


def lane_closed(lane: int, *, site: str, reason: str) -> None:
    logger.error("lane=%s event=lane-closed site=%s reason=%r", lane, site, reason)


def refused(
    *, client: str, code: int, text: str, command: str, mail_from: str = "", recipients: Sequence[str] = (), credential: int | None = None
) -> None:
    logger.info(
        "client=%s event=refused command=%s code=%d credential=%s from=<%s> to=<%s> recipients=%d text=%r",
        client, command, code, credential or "-", mail_from, recipients[0] if recipients else "", len(recipients), text,
    )  # fmt: skip


def inbound(message: UUID, *, kind: str, delivery: UUID | None, client: str | None) -> None:
    logger.info("message=%s event=inbound kind=%s delivery=%s client=%s", message, kind, delivery or "-", client or "-")


def forged_return_path(*, client: str, recipient: str) -> None:
    logger.warning("client=%s event=forged-return-path to=<%s>", client, recipient)


def left_out(*, client: str, lines: int) -> None:
    logger.warning("client=%s event=lines-left-out lines=%d", client, lines)
