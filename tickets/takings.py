"""What was sold in each hour of the last days.

What an hour that is over has sold never changes, for no row is ever removed: each process counts it once and keeps it,
so that a look reads the rows of the last hour or two, not of a week. Cancellations are counted anew each time: they are
few, and have an index of their own.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Sum
from django.db.models.functions import TruncHour

from tickets.models import Purchase, Ticket

LATE = timedelta(minutes=10)  # A sale is dated before its commit, which may follow in the next hour.
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Takings:
    purchases: int = 0
    tickets: int = 0
    revenue: Decimal = Decimal(0)

    def __add__(self, other: "Takings") -> "Takings":
        return Takings(self.purchases + other.purchases, self.tickets + other.tickets, self.revenue + other.revenue)


_lock = threading.Lock()
_kept: dict[datetime, Takings] = {}  # by hour, without gaps, each over for good


def by_hour(start: datetime, now: datetime) -> list[Takings]:
    """Give the takings of each hour from `start`, the beginning of one, to the one that `now` is in."""
    hours = [start + n * HOUR for n in range(int((now - start) / HOUR) + 1)]
    with _lock:
        kept = dict(_kept) if start in _kept else {}
    found = kept | _sold(max(kept) + HOUR if kept else start)
    over = [hour for hour in hours if hour + HOUR + LATE <= now]
    with _lock:
        _kept.clear()
        _kept.update({hour: found.get(hour, Takings()) for hour in over})
    cancelled = _cancelled(start)
    return [found.get(hour, Takings()) + cancelled.get(hour, Takings()) for hour in hours]


def forget() -> None:
    """Forget what was counted, for whoever changes the database."""
    with _lock:
        _kept.clear()


def _sold(start: datetime) -> dict[datetime, Takings]:
    purchases = (
        Purchase.objects.filter(created_at__gte=start)
        .order_by()
        .values_list(TruncHour("created_at"))
        .annotate(count=Count("*"))
    )
    found = {hour: Takings(purchases=count) for hour, count in purchases}
    for hour, tickets, revenue in _tickets(Ticket.objects.filter(created_at__gte=start)):
        found[hour] = found.get(hour, Takings()) + Takings(0, tickets, revenue)
    return found


def _cancelled(start: datetime) -> dict[datetime, Takings]:
    """Give what to take off again, by the hour of the sale."""
    rows = _tickets(Ticket.objects.cancelled().filter(created_at__gte=start))
    return {hour: Takings(0, -tickets, -revenue) for hour, tickets, revenue in rows}


def _tickets(tickets):
    return tickets.order_by().values_list(TruncHour("created_at")).annotate(count=Count("*"), revenue=Sum("price"))
