"""A limit of so many events in a period, kept exactly in every period, however it is cut."""

from __future__ import annotations

from dataclasses import dataclass

BURST = 10  # a tenth of the limit may go at once, the rest evenly


@dataclass(slots=True)
class Meter:
    """The generic cell rate algorithm (ITU-T I.371): one number tells when all that was taken so
    far will be paid for.

    A bucket that refills at the full limit lets nearly twice the limit through in one period. Here
    what may go at once is taken off the pace, so that no period of this length ever holds more than
    `limit`. Times are in seconds on one clock.
    """

    limit: int
    period: float
    paid_at: float = 0.0

    @property
    def burst(self) -> int:
        return max(1, self.limit // BURST)

    @property
    def spacing(self) -> float:
        return self.period / (self.limit - self.burst + 1)

    def wait(self, now: float, *, keep_for_urgent: bool = False) -> float:
        """Return the seconds until one more may go.

        Half of what may go at once can be kept back for urgent mail.
        """
        burst = (self.burst + 1) // 2 if keep_for_urgent else self.burst
        return max(0.0, self.paid_at - (burst - 1) * self.spacing - now)

    def take(self, now: float) -> None:
        self.paid_at = max(self.paid_at, now) + self.spacing

    def debt(self, now: float) -> float:
        """Return the seconds until nothing is owed any more, for the next holder of the lane."""
        return max(0.0, self.paid_at - now)

    def owe(self, debt: float, now: float) -> None:
        self.paid_at = now + min(max(debt, 0.0), self.period)
