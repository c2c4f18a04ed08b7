"""Prove that nothing is lost: every ticket is to publish, on its way, mailed, parked or cancelled, and none hangs."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Sum

from tickets import purchases
from tickets.models import Gig, Ticket

SHOWN = 100  # hanging tickets that are listed; all are counted and repaired


@dataclass(frozen=True)
class Report:
    census: dict[str, int]
    seats_sold: int  # by the gigs' own count
    hanging: int
    oldest: list[Ticket]  # the first of those that hang

    @property
    def balanced(self) -> bool:
        """Tell whether each ticket is in exactly one place, and all but the cancelled ones have a seat in their gig."""
        places = sum(count for place, count in self.census.items() if place != "tickets")
        return places == self.census["tickets"] == self.seats_sold + self.census["cancelled"]


def report(older_than: timedelta) -> Report:
    """Count the tickets by place, and find those that are not at an end `older_than` after their sale."""
    with transaction.atomic():
        hanging = Ticket.objects.hanging(older_than)
        return Report(
            census=Ticket.objects.census(),
            seats_sold=Gig.objects.aggregate(sold=Sum("sold", default=0))["sold"],
            hanging=hanging.count(),
            oldest=list(hanging[:SHOWN]),
        )


def repair(older_than: timedelta) -> int:
    """Publish what hangs once more; return how many tickets. A message too many is found done and mails nothing.

    Raise QueueError where SQS can't be reached: what was not sent stays in the outbox.
    """
    repaired = purchases.publish_again(Ticket.objects.hanging(older_than))
    while purchases.relay():
        pass
    return repaired
