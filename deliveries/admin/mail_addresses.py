"""Which addresses of a message stay plain for whoever is not to read its recipients, and which may
be revealed.
"""

from __future__ import annotations

from django.http import HttpRequest

from deliveries.models import Delivery, Message
from domains.foundation.text.masking import addresses_in
from domains.operations.privacy import RevealsAddresses, show_plainly

SHOWN_MOST = 200  # deliveries on a message's page


class RevealsRecipients(RevealsAddresses):
    def addresses_of(self, row: Message) -> list[str]:
        found = Delivery.objects.filter(message=row).order_by("id")
        return list(found.values_list("recipient", flat=True)[:SHOWN_MOST])


def show_senders(request: HttpRequest, row: Message | None) -> None:
    """Leave the sender's addresses and the Message-ID unmasked: they are the app's, not a
    person's.
    """
    if row is not None:
        senders = (row.mail_from, row.message_id, *addresses_in(row.header_from))
        show_plainly(request, *senders)
