"""The places a ticket can be in: the outbox (what is still to publish), the delivery ledger (what is still to mail)."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db import models
from django.db.models import Count, F, Min, Q, Value
from django.db.models.functions import Now, Upper

# The five places a ticket can be in; a constraint of Ticket's keeps it from being in two.
UNPUBLISHED = Q(published_at=None, mailed_at=None, parked_at=None, cancelled_at=None)
ON_THE_WAY = Q(published_at__isnull=False, mailed_at=None, parked_at=None, cancelled_at=None)
MAILED = Q(mailed_at__isnull=False, cancelled_at=None)
PARKED = Q(parked_at__isnull=False, cancelled_at=None)
CANCELLED = Q(cancelled_at__isnull=False)
# Due times and leases are told by the database's clock: those of the machines around it may differ, or be put right.
FREE = Q(claimed_until=None) | Q(claimed_until__lte=Now())
LATELY = timedelta(minutes=10)  # Who buys again within it may not know that the first time it worked.


class Place(NamedTuple):
    name: str
    tickets: int
    oldest: datetime | None  # of their mails was asked for then


class TicketQuerySet(models.QuerySet):
    """Find tickets by the place they are in, and move them from one to the next."""

    def unpublished(self):
        return self.filter(UNPUBLISHED)

    def on_the_way(self):
        return self.filter(ON_THE_WAY)

    def overdue(self, age: timedelta):
        """Keep those that a relay should have published `age` ago."""
        return self.unpublished().filter(publish_due_at__lte=Now() - age)

    def lost(self, age: timedelta):
        """Keep those published `age` ago that no worker holds: if the queue is empty, their message is gone."""
        return self.on_the_way().filter(FREE, published_at__lte=Now() - age)

    def mailed(self):
        return self.filter(MAILED)

    def parked(self):
        return self.filter(PARKED)

    def cancelled(self):
        return self.filter(CANCELLED)

    def bought_lately(self, gig, emails, token: str):
        """Keep those for `gig` that went to one of `emails` minutes ago, by another submission than `token`'s."""
        return (
            self.annotate(upper=Upper("email"))  # as the index has it
            .filter(upper__in={email.upper() for email in emails}, created_at__gte=Now() - LATELY, cancelled_at=None)
            .filter(purchase__gig=gig)
            .exclude(purchase__token=token)
        )

    def census(self) -> dict[str, int]:
        """Count the tickets in each place, and all of them, in one statement: the numbers are of one instant."""
        return self.aggregate(
            tickets=Count("pk"),
            unpublished=Count("pk", filter=UNPUBLISHED),
            on_the_way=Count("pk", filter=ON_THE_WAY),
            mailed=Count("pk", filter=MAILED),
            parked=Count("pk", filter=PARKED),
            cancelled=Count("pk", filter=CANCELLED),
        )

    def not_mailed(self) -> list[Place]:
        """Count the tickets that a mail is still due to, by place, in one statement that reads no others."""
        places = {"unpublished": UNPUBLISHED, "on_the_way": ON_THE_WAY, "parked": PARKED}
        first, *others = (
            self.filter(where)
            .order_by()
            .values(place=Value(name))
            .annotate(tickets=Count("pk"), oldest=Min("mail_asked_at"))
            .values_list("place", "tickets", "oldest")
            for name, where in places.items()
        )
        return [Place(*row) for row in first.union(*others, all=True)]

    def hanging(self, age: timedelta):
        """Keep, oldest first, those whose mail was due `age` ago or longer that are neither mailed nor parked."""
        return self.filter(UNPUBLISHED | ON_THE_WAY, mail_asked_at__lte=Now() - age).order_by("mail_asked_at")

    def of_mailing(self, tickets: Iterable[models.Model]):
        """Keep of `tickets` those that nobody has sent on their way anew since they were read (see aftersales.py)."""
        ids = defaultdict(list)
        for ticket in tickets:
            ids[ticket.mailing].append(ticket.pk)
        return self.filter(reduce(or_, (Q(mailing=mailing, pk__in=pks) for mailing, pks in ids.items()), Q(pk__in=[])))

    def mark_published(self, message_ids: dict[models.Model, str]) -> None:
        """Record the message ids that SQS gave: one UPDATE for all.

        Only of this mailing: where a ticket's next one could not be published, this mark would hide that.
        """
        ids = (models.When(pk=ticket.pk, then=Value(message_id)) for ticket, message_id in message_ids.items())
        self.of_mailing(message_ids).update(published_at=Now(), message_id=models.Case(*ids))

    def claim(self, ids, lease: timedelta) -> list[models.Model]:
        """Claim for this worker those of `ids` that nobody holds, has mailed or cancelled, and return them.

        A parked ticket can be claimed again: a message for it is an operator's word to try once more. Two workers
        with the same message race for one UPDATE, and the claim's number tells who won. A second statement reads
        them with their purchases and gigs: SQLite's RETURNING knows no joins.
        """
        claim = uuid.uuid4()
        due = self.filter(FREE, pk__in=ids, mailed_at=None, cancelled_at=None)
        if not due.update(claim=claim, claimed_until=Now() + lease, received=F("received") + 1):
            return []
        return list(self.filter(claim=claim).select_related("purchase__gig"))

    def held(self, tickets):
        """Keep of `tickets` those whose claim is still ours: a lease that ran out may have a new holder."""
        return self.filter(pk__in=[ticket.pk for ticket in tickets], claim__in={ticket.claim for ticket in tickets})

    def extend(self, tickets, lease: timedelta) -> int:
        return self.held(tickets).update(claimed_until=Now() + lease)

    def mark_mailed(self, tickets) -> int:
        """Record mails and end their claims, in one UPDATE; return how many were not recorded already.

        Not only while the claims are ours: what was mailed is mailed, whoever holds the claim by now. Only this
        mailing, though: who has asked for another one meanwhile, to another address say, still gets that.
        """
        return (
            self.of_mailing(tickets)
            .filter(mailed_at=None)
            .update(mailed_at=Now(), parked_at=None, parked_cause="", claim=None, claimed_until=None)
        )

    def release(self, tickets) -> int:
        return self.held(tickets).update(claim=None, claimed_until=None)
