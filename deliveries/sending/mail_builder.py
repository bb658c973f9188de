"""Makes of a claimed delivery what goes over the connection: content, envelope, return path."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from django.conf import settings

from deliveries.bounces import feedback_id, return_path
from deliveries.message import compression, reencoding
from deliveries.message.priorities import Priority
from deliveries.queue.lane_statements import SMALL
from deliveries.queue.leased import Claimed
from deliveries.sending.claimed_deliveries import ClaimedDelivery
from deliveries.sending.shared import SharedResources
from deliveries.smtp.mail import Mail

logger = logging.getLogger(__name__)


class MailBuilder:
    """Reads, unpacks and, where asked, re-encodes the content of one delivery after the other."""

    def __init__(self, shared: SharedResources) -> None:
        self._shared = shared

    async def mail(self, delivery: ClaimedDelivery) -> Mail | None:
        """Return what is to be sent; None where the content is no longer stored.

        Raises `ValueError` where the content is damaged, `DatabaseUnavailable` where it cannot be
        read. The caller holds the share of memory that a large message needs.
        """
        claimed = delivery.claimed
        data = delivery.data or await self._shared.lanes.content(claimed.message_id)
        if data is None:
            return None
        content = await _decompress(data, claimed.size)
        if delivery.is_reencoded:
            content = await self._reencoded(claimed, content)
        delivery.return_path = self._return_path(claimed)
        return self._mail(
            claimed, delivery.return_path, content, is_last_resort=delivery.is_reencoded
        )

    async def _reencoded(self, claimed: Claimed, content: bytes) -> bytes:
        """Convert to ASCII and sign anew; leave it unsigned where the keys cannot be had, since a
        false signature is worse than none.
        """
        again = await asyncio.to_thread(reencoding.seven_bit, content)
        if again == content:
            return content
        try:
            signers = await self._shared.keys.signers(
                claimed.project_id, reencoding.signing_domain(content)
            )
        except (ValueError, OSError) as error:
            logger.warning(
                "message=%s goes unsigned, since it was re-encoded: %s", claimed.message_id, error
            )
            signers = ()
        return await asyncio.to_thread(reencoding.signed_anew, again, signers, now=int(time.time()))

    def _mail(self, claimed: Claimed, domain: str, content: bytes, *, is_last_resort: bool) -> Mail:
        reverse_path = f"{self._local_part(claimed.id)}@{domain}" if domain else ""
        on_top = feedback_id.field(
            claimed.id, key=self._shared.feedback_key, now=self._shared.now()
        )
        eight_bit = claimed.eight_bit and not (is_last_resort and content.isascii())
        given = (claimed.smtputf8, eight_bit, Priority(claimed.priority), on_top, is_last_resort)
        return Mail(reverse_path, claimed.recipient, feedback_id.without(content), *given)

    def _return_path(self, claimed: Claimed) -> str:
        """Return the domain of the return path: the From domain's own where it has one; "" for mail
        with the null reverse-path.
        """
        if not claimed.mail_from:
            return ""
        return self._shared.orders.return_path(claimed) or str(settings.EKIDEN_HOSTNAME)

    def _local_part(self, delivery: UUID) -> str:
        return return_path.make(delivery, key=self._shared.return_path_key, now=self._shared.now())


async def _decompress(data: bytes, size: int) -> bytes:
    if size <= SMALL:
        return compression.decompress(data, most=size)
    return await asyncio.to_thread(compression.decompress, data, most=size)
