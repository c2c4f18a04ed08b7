"""One ticket that goes all the way, to see where the way is blocked; it stays in no number.

Its gig is hidden, has one seat and costs nothing. Once its mail is out, all its rows are removed. One that has not come
through is cancelled, so that nobody is surprised by a late mail; its rows stay until its message can't come any more.
"""

import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from tickets import aftersales, provisioning, purchases
from tickets.models import PUBLISH_LEASE, Gig, Purchase, Ticket

SLUG = "queue-trial-"
STATIONS = ("committed", "published", "received", "mailed")
LOOK_SECONDS = 0.05  # between two looks at the row
# A message lives as long as that, and one more visibility timeout in a worker's hands.
GONE = timedelta(seconds=provisioning.RETENTION_SECONDS + provisioning.VISIBILITY_SECONDS)


class Station(NamedTuple):
    name: str
    seconds: float  # since the commit


def run(email: str, patience: float) -> Iterator[Station]:
    """Sell a ticket of a hidden gig to `email`, and yield each station that it reaches within `patience` seconds."""
    _remove(_gigs().filter(purchases__tickets__cancelled_at__lt=Now() - GONE))
    ticket = _sell(email)
    try:
        began = time.monotonic()
        yield Station("committed", 0.0)
        purchases.publish([ticket])
        for name in STATIONS[1:]:
            while not _reached(name, ticket):
                if time.monotonic() - began > patience:
                    return
                time.sleep(LOOK_SECONDS)
            yield Station(name, time.monotonic() - began)
    finally:
        # Mailed by now, it is not cancelled but removed; the worker deletes its message in the same breath.
        if Ticket.objects.mailed().filter(pk=ticket.pk).exists():
            _remove(_gigs().filter(pk=ticket.purchase.gig_id))
        else:
            aftersales.cancel(ticket)


def _sell(email: str) -> Ticket:
    now = timezone.now()
    with transaction.atomic():
        gig = Gig.objects.create(
            slug=f"{SLUG}{uuid.uuid4().hex[:12]}",
            artist="A trial of the queue",
            city="Nowhere",
            venue="Nowhere",
            original_date=now.date(),
            description="No gig: this ticket was sent to try the way that tickets go.",
            departs_at=now + timedelta(days=1),
            collection_point="Nowhere",
            price=0,
            capacity=1,
            is_published=False,
        )
        purchase = Purchase.objects.create(gig=gig, token=str(uuid.uuid4()), fingerprint="")
        ticket = purchase.tickets.create(name="Trial", email=email, price=0, publish_due_at=Now() + PUBLISH_LEASE)
        Gig.objects.filter(pk=gig.pk).reserve(1)
    return ticket


def _reached(name: str, ticket: Ticket) -> bool:
    ticket.refresh_from_db(fields=["published_at", "received", "mailed_at"])
    reached = {"published": ticket.published_at, "received": ticket.received, "mailed": ticket.mailed_at}
    return bool(reached[name])


def _gigs():
    return Gig.objects.filter(slug__startswith=SLUG, is_published=False, capacity=1)


def _remove(gigs) -> None:
    with transaction.atomic():
        ids = list(gigs.values_list("pk", flat=True))
        Ticket.objects.filter(purchase__gig__in=ids).delete()
        Purchase.objects.filter(gig__in=ids).delete()
        Gig.objects.filter(pk__in=ids).delete()
