"""What a credential may still hand in, this minute and today."""

from __future__ import annotations

from datetime import UTC, datetime

from deliveries.message.ids import first_id_of
from smtp_listener.admission.accounts import Account, Accounts
from smtp_listener.admission.limits import Quotas
from smtp_listener.admission.policy import Refused
from smtp_listener.protocol import replies


class MessageQuota:
    """The limits of one account, for one message of it."""

    def __init__(self, account: Account, quotas: Quotas, accounts: Accounts) -> None:
        self._account = account
        self._quotas = quotas
        self._accounts = accounts

    async def check(self) -> None:
        """Refuse early, before the content has come; what counts is what is taken (`take`).

        Raises `Refused`.
        """
        account = self._account
        if account.per_minute is None and account.per_day is None:
            return
        minute, day = await self._quotas.taken(account.credential_id)
        if account.per_minute is not None and minute >= account.per_minute:
            raise Refused(replies.TOO_MANY_PER_MINUTE(most=account.per_minute))
        if account.per_day is not None and day >= account.per_day:
            raise Refused(replies.TOO_MANY_PER_DAY(most=account.per_day))

    async def take(self) -> None:
        """Count this message; other sessions may have used up what `check` found left.

        Where it raises, nothing is counted.
        """
        account, quotas = self._account, self._quotas
        if (
            account.per_minute is not None
            and await quotas.take_minute(account.credential_id) > account.per_minute
        ):
            await quotas.give_back_minute(account.credential_id)
            raise Refused(replies.TOO_MANY_PER_MINUTE(most=account.per_minute))
        try:
            if (
                account.per_day is not None
                and await quotas.take_day(account.credential_id, self._today) > account.per_day
            ):
                await quotas.give_back_day(account.credential_id)
                raise Refused(replies.TOO_MANY_PER_DAY(most=account.per_day))
        except BaseException:
            if account.per_minute is not None:
                await quotas.give_back_minute(account.credential_id)
            raise

    async def give_back(self) -> None:
        account, quotas = self._account, self._quotas
        if account.per_minute is not None:
            await quotas.give_back_minute(account.credential_id)
        if account.per_day is not None:
            await quotas.give_back_day(account.credential_id)

    async def _today(self) -> int:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return await self._accounts.messages_since(self._account, first_id_of(midnight))
