"""What may become of a ticket after its sale: mailed again, to another address or owner, or cancelled.

Each is one filtered UPDATE that tells by its row count whether it applied, so two people at once do it once.
"""

import math
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from tickets import purchases
from tickets.models import PUBLISH_LEASE, Gig, Ticket


def mail_again(ticket: Ticket) -> bool:
    """Mail a ticket once more, its code unchanged; return False where it is cancelled."""
    return _mail(ticket)


def mail_own_again(ticket: Ticket) -> bool:
    """Do the same for the buyer, whom nobody checks and who may press twice: once after each mail."""
    return _mail(ticket, Q(mailing=ticket.mailing))


def own_mail_wait(ticket: Ticket) -> int:
    """Return the whole seconds until that may be: at once, after a minute, then twice as long each time, up to an hour.

    Whoever finds none of three mails has a wrong address, or a full inbox. The row knows when it was and how often, so
    this holds while the cache is away, too.
    """
    pause = timedelta(minutes=min(2**ticket.mailing // 4, 60))
    return max(0, math.ceil((ticket.mail_asked_at + pause - timezone.now()).total_seconds()))


def correct_address(ticket: Ticket, email: str) -> bool:
    """Mail a ticket to another address, and void the code that went to the first; return False where it's too late.

    That is where the ticket is cancelled or its owner is in.
    """
    return _reissue(ticket, email=email)


def correct_own_address(ticket: Ticket, email: str) -> bool:
    """Do the same for the buyer, whom nobody checks: once in a ticket's life, and not for one that was moved."""
    return _reissue(ticket, Q(readdressed_at=None, moved_at=None), email=email, readdressed_at=Now())


def move(ticket: Ticket, name: str, email: str) -> bool:
    """Give a ticket to another owner and void the first one's code; return False where it's too late.

    From then on the purchase's page, which stays the buyer's, no longer leads to it.
    """
    return _reissue(ticket, name=name, email=email, moved_at=Now())


def cancel(ticket: Ticket) -> bool:
    """Cancel a ticket and free its seat, once; return False where it is cancelled already, or its owner is in."""
    with transaction.atomic():
        if not Ticket.objects.filter(pk=ticket.pk, cancelled_at=None, checked_in_at=None).update(cancelled_at=Now()):
            return False
        Gig.objects.filter(pk=ticket.purchase.gig_id).release(ticket.price)
    return True


def _reissue(ticket: Ticket, *conditions: Q, **changes) -> bool:
    return _mail(ticket, Q(checked_in_at=None), *conditions, edition=F("edition") + 1, **changes)


def _mail(ticket: Ticket, *conditions: Q, **changes) -> bool:
    """Send a ticket on its way anew. A worker that is mailing it right now won't take this mail for its own."""
    again = Ticket.objects.filter(*conditions, pk=ticket.pk, cancelled_at=None).update(
        mailing=F("mailing") + 1,
        mail_asked_at=Now(),
        mailed_at=None,
        parked_at=None,
        parked_cause="",
        claim=None,
        claimed_until=None,
        published_at=None,
        publish_due_at=Now() + PUBLISH_LEASE,
        **changes,
    )
    if again:
        purchases.publish([Ticket.objects.select_related("purchase__gig").get(pk=ticket.pk)])
    return bool(again)
