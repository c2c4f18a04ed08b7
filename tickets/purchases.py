"""The way of a purchase: buy() sells, publish() sends the message, deliver() mails the ticket.

A sale is one commit and knows nothing of the network. What happens after it may fail, for the ticket rows remember
what is still to do: one without `published_at` is published by relay(), one without `mailed_at` is mailed by a worker.
"""

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.db.models.functions import Now

from tickets import emails, metrics, queue, strict_json
from tickets.breaker import Breaker, BreakerOpen
from tickets.models import PUBLISH_LEASE, Gig, Purchase, Ticket
from tickets.together import Together

log = structlog.get_logger(__name__)
breaker = Breaker(failure=queue.QueueError)

PATIENCE_SECONDS = 0.5  # for a call of others under way; a hundred times what one takes
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's SQLSTATE


class Owner(NamedTuple):
    name: str
    email: str


class Sale(NamedTuple):
    purchase: Purchase
    tickets: list[Ticket]  # those that this call sold: none if it found the purchase of an earlier submission


class NotOnSale(Exception):
    """Say that a gig, as it is by now (None if it was deleted), can't be bought; `status` says why.

    It is ON_SALE where only the price, or for an instant something else, was not as the buyer saw it; and SOLD_OUT
    where there are fewer seats than were asked for.
    """

    def __init__(self, gig: Gig | None, seats: int):
        self.gig, self.status = gig, gig.status() if gig else Gig.Status.UNPUBLISHED
        if self.status == Gig.Status.ON_SALE and gig.available < seats:
            self.status = Gig.Status.SOLD_OUT
        super().__init__(self.status.value)


class TokenReused(Exception):
    """Say that a submission's token belongs to a purchase of something else."""


class Busy(Exception):
    """Say that other sales, this submission's twin mostly, held what it needs for longer than lock_timeout (settings).

    Nothing was sold. If it was the twin, the same submission finds later what that has sold.
    """


# --- Selling --------------------------------------------------------------------------------------


def buy(gig: Gig, owners: Sequence[Owner], token: str, price: Decimal | None = None) -> Sale:
    """Sell a ticket to each owner, all or none, in one transaction; a repeated `token` finds the purchase it made.

    `price` is the one the buyer saw, else the gig's as it was read. At another one nothing is sold. Raise NotOnSale
    where the gig is closed, lacks the seats or costs something else, TokenReused where the token's purchase was of
    something else, Busy where others were in the way for too long.
    """
    price = gig.price if price is None else price
    fingerprint = _fingerprint(gig, owners)
    try:
        with transaction.atomic():
            # The token comes first: a twin of this submission waits here until the first one has ended.
            purchase = Purchase.objects.create(gig=gig, token=token, fingerprint=fingerprint)
            # Of one purchase they all have the same moment: what keeps them in the owners' order is their keys.
            tickets = Ticket.objects.bulk_create(
                Ticket(
                    id=key,
                    purchase=purchase,
                    name=owner.name,
                    email=owner.email,
                    price=price,
                    created_at=purchase.created_at,
                    mail_asked_at=purchase.created_at,
                    publish_due_at=Now() + PUBLISH_LEASE,
                )
                for key, owner in zip(sorted(uuid.uuid4() for _ in owners), owners, strict=True)
            )
            # The gig comes last: every sale of a gig waits for its row, so it is held until the commit and no longer.
            # The price is tested with the seats, for an organiser may have changed it meanwhile.
            if not Gig.objects.on_sale().filter(pk=gig.pk, price=price).reserve(len(tickets)):
                raise NotOnSale(Gig.objects.filter(pk=gig.pk).first(), len(tickets))
    except OperationalError as error:
        if _gave_up_on_a_lock(error):
            raise Busy from error
        raise
    except IntegrityError:
        earlier = Purchase.objects.filter(token=token).select_related("gig").first()
        if earlier is None:  # Not the token's constraint: a bug, and not to be hidden.
            raise
        if earlier.fingerprint != fingerprint:
            raise TokenReused from None
        return Sale(earlier, [])
    metrics.purchases.inc()
    return Sale(purchase, tickets)


def _gave_up_on_a_lock(error: OperationalError) -> bool:
    cause = error.__cause__
    return (
        getattr(cause, "sqlstate", None) == LOCK_NOT_AVAILABLE
        or getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
    )


def _fingerprint(gig: Gig, owners: Sequence[Owner]) -> str:
    # Without the card: a hash of sixteen digits is as good as the digits.
    return hashlib.sha256(json.dumps([gig.slug, *owners]).encode()).hexdigest()


# --- Publishing -----------------------------------------------------------------------------------


def message_body(ticket: Ticket) -> dict[str, str]:
    return {"name": ticket.name, "email": ticket.email, "gigId": ticket.gig.slug, "ticketId": str(ticket.pk)}


def publish(tickets: Sequence[Ticket]) -> None:
    """Publish what a request has just sold, or leave it to the relay; never fail, for the sale stands either way."""
    if not tickets:
        return
    try:
        try:
            with breaker:
                for first in range(0, len(tickets), queue.BATCH):
                    _send_together(tickets[first : first + queue.BATCH])
        except (queue.QueueError, BreakerOpen) as error:
            log.warning("kept for the relay", tickets=_ids(tickets), cause=str(error))
            # This request is through with them; the relay need not wait for the end of its lease.
            publish_again(tickets)
    except DatabaseError:
        # If the message is sent, only its mark is missing: the relay sends it again, the ledger mails it once.
        log.exception("not marked", tickets=_ids(tickets))


def relay(limit: int = 100) -> int:
    """Publish what no request could, longest due first; return how many were due, `limit` at most.

    Raise QueueError where SQS can't be reached. Two relays never take the same ticket: the rows are locked while
    the lease is written, and nothing is sent inside that transaction.
    """
    with transaction.atomic():
        due = list(
            Ticket.objects.unpublished()
            .filter(publish_due_at__lte=Now())
            .order_by("publish_due_at")
            .select_related("purchase__gig")
            .select_for_update(skip_locked=True, of=("self",))[:limit]
        )
        Ticket.objects.filter(pk__in=[ticket.pk for ticket in due]).update(publish_due_at=Now() + PUBLISH_LEASE)
    if due:
        _send(due)
    return len(due)


def publish_again(tickets: Iterable[Ticket], delay: timedelta = timedelta(0)) -> int:
    """Make tickets whose message is gone due for the relay once more; return how many there were."""
    return Ticket.objects.filter(pk__in=[ticket.pk for ticket in tickets], mailed_at=None, cancelled_at=None).update(
        published_at=None, publish_due_at=Now() + delay, parked_at=None, parked_cause=""
    )


def _send(tickets: Sequence[Ticket]) -> list[str | queue.QueueError]:
    """Send the messages of `tickets`, mark in one UPDATE those that SQS has taken; return its answers in order."""
    with metrics.publish_seconds.time():
        answers = queue.send([queue.Message(message_body(ticket), ticket.purchase.trace) for ticket in tickets])
    sent = {}
    for ticket, answer in zip(tickets, answers, strict=True):
        if isinstance(answer, queue.QueueError):
            log.warning("kept for the relay", ticket=str(ticket.pk), trace=ticket.purchase.trace, cause=str(answer))
        else:
            sent[ticket] = answer
    if sent:
        Ticket.objects.mark_published(sent)
    return answers


# Requests that publish at the same time share one call of SQS and one commit of its marks.
_send_together = Together(_send, size=queue.BATCH, patience=PATIENCE_SECONDS)


def _ids(tickets: Iterable[Ticket]) -> list[str]:
    return [str(ticket.pk) for ticket in tickets]


# --- Delivering -----------------------------------------------------------------------------------


class NotOurs(Exception):
    """Say why a message can never lead to a mail."""


def read_message(body: str) -> uuid.UUID:
    """Check a message's body to the letter and return the id of the ticket it asks to deliver; raise NotOurs."""
    try:
        message = strict_json.loads(body)
    except ValueError as error:
        raise NotOurs(f"not a JSON object: {error}") from error
    if not isinstance(message, dict) or message.keys() != {"name", "email", "gigId", "ticketId"}:
        raise NotOurs("not an object of exactly name, email, gigId, ticketId")
    for key, value in message.items():
        if not isinstance(value, str) or not value:
            raise NotOurs(f"{key} is not a text, or empty")
    try:
        return uuid.UUID(message["ticketId"])
    except ValueError as error:
        raise NotOurs("ticketId is not a UUID") from error


def deliver(ticket: Ticket, mailer: emails.Mailer) -> None:
    """Mail a ticket that the caller has claimed and will mark; raise one of the three errors of emails.py.

    The row is mailed, not the message: an address may have been corrected since the message was sent.
    """
    mail = emails.ticket_email(ticket)
    with metrics.mail_seconds.time():
        mailer.send(mail)
