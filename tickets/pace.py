"""How fast tickets move: published and mailed a second, told by the ledger, for SQS counts no such thing."""

from collections import deque
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from tickets.models import Ticket

SAMPLES = 6  # the pace is that between the first and the last of so many looks


class Pace(NamedTuple):
    published: float  # a second
    mailed: float  # a second; parked ones count, too: they have come to their end


class _Sample(NamedTuple):
    at: datetime
    to_publish: int
    to_mail: int


class Observer:
    """Tell the pace from one look to the next.

    What is still to do is counted, and what was sold meanwhile: the difference is what was done. So a look costs the
    same however many tickets there are, where counting those mailed since would read them all.
    """

    def __init__(self):
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)

    def look(self) -> Pace | None:
        """Give the pace since an earlier look; None at the first."""
        counts = {place.name: place.tickets for place in Ticket.objects.not_mailed()}
        unpublished = counts["unpublished"]
        now = _Sample(timezone.now(), unpublished, unpublished + counts["on_the_way"])
        self._samples.append(now)
        before = self._samples[0]
        seconds = (now.at - before.at).total_seconds()
        if not seconds:
            return None
        sold = Ticket.objects.filter(created_at__gt=before.at, created_at__lte=now.at).count()
        # Never below zero: tickets that are published or mailed once more are to do again without a sale.
        return Pace(
            published=max(0, before.to_publish + sold - now.to_publish) / seconds,
            mailed=max(0, before.to_mail + sold - now.to_mail) / seconds,
        )
