"""The rule at the door: a ticket enters once, whoever scans it where, and every refusal has its reason."""

from enum import StrEnum
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models.functions import Now
from django.utils import formats
from django.utils.translation import gettext as _

from tickets import codes
from tickets.models import Gig, Purchase, Ticket


class Verdict(StrEnum):
    WELCOME = "welcome"
    ALREADY = "already"
    REFUSED = "refused"


class Answer(NamedTuple):
    verdict: Verdict
    words: str
    ticket: Ticket | None = None


def check_in(text: str, gig: Gig, door: str, by: AbstractBaseUser, scan: UUID) -> Answer:
    """Let the owner of a scanned or typed code in, once.

    A `scan` that comes again, because its answer got lost on the way, has the same answer. A forged code is refused
    before the database is asked.
    """
    typed = codes.read_typed(text)
    if typed and not typed.tag:
        return Answer(Verdict.REFUSED, _("The code's last four characters are missing: type them, too."))
    try:
        ticket, edition = _typed_ticket(typed) if typed else _scanned_ticket(text)
    except codes.Forged:
        return Answer(Verdict.REFUSED, _("This is no code of ours."))
    if ticket is None:
        return Answer(Verdict.REFUSED, _("There is no such ticket."))
    # In one statement, so that of two doors one wins. The gig by a subquery of its own: with a join Django would put
    # all conditions into one, and PostgreSQL doesn't look at that again after it has waited for the other door.
    entered = Ticket.objects.filter(
        pk=ticket.pk,
        edition=edition,
        cancelled_at=None,
        checked_in_at=None,
        purchase__in=Purchase.objects.filter(gig=gig),
    ).update(checked_in_at=Now(), checked_in_by=by.pk, checked_in_door=door, checked_in_scan=scan)
    ticket = _tickets().get(pk=ticket.pk)
    if entered or (ticket.checked_in_at and ticket.checked_in_scan == scan):
        return Answer(Verdict.WELCOME, _("Welcome"), ticket)
    # Nothing against it any more: what kept it out was undone between the two statements.
    return _why_not(ticket, edition, gig) or check_in(text, gig, door, by, scan)


def undo(ticket_id: UUID, gig: Gig, by: AbstractBaseUser, reason: str) -> Ticket | None:
    """Take a ticket's check-in back and keep on record who did and why; return None where there is none."""
    with transaction.atomic():
        entered = Ticket.objects.filter(
            pk=ticket_id, checked_in_at__isnull=False, purchase__in=Purchase.objects.filter(gig=gig)
        )
        if not entered.update(checked_in_at=None, checked_in_by=None, checked_in_door="", checked_in_scan=None):
            return None
        ticket = Ticket.objects.get(pk=ticket_id)
        words = _("Check-in undone: %(reason)s") % {"reason": reason}
        LogEntry.objects.log_actions(by.pk, [ticket], CHANGE, change_message=words, single_object=True)
    return ticket


def inside(gig: Gig) -> int:
    """Count who is in."""
    return Ticket.objects.filter(purchase__gig=gig, checked_in_at__isnull=False, cancelled_at=None).count()


def _tickets():
    return Ticket.objects.select_related("purchase__gig")


def _scanned_ticket(text: str) -> tuple[Ticket | None, int]:
    """Find the ticket of a signed code, or of the address of its page, should the QR hold that."""
    ticket_id, edition = codes.read(text.strip().rstrip("/").rpartition("/")[2])
    return _tickets().filter(pk=ticket_id).first(), edition


def _typed_ticket(typed: codes.Typed) -> tuple[Ticket | None, int]:
    """Find the ticket that has, or had, the code that was typed."""
    for ticket in _tickets().filter(pk__range=(typed.first, typed.last)):
        if edition := typed.edition(ticket.pk, ticket.edition):
            return ticket, edition
    return None, 0


def _why_not(ticket: Ticket, edition: int, gig: Gig) -> Answer | None:
    if ticket.gig != gig:
        day = formats.date_format(ticket.gig.departure, "DATE_FORMAT")
        words = _("This ticket is for another gig: %(gig)s, %(day)s.") % {"gig": ticket.gig, "day": day}
    elif ticket.cancelled_at:
        words = _("This ticket was cancelled.")
    elif edition != ticket.edition:
        words = _("This code went to an earlier owner or address. The valid one was mailed to %(owner)s.")
        words %= {"owner": ticket.name}
    elif not ticket.checked_in_at:
        return None
    else:
        time = formats.time_format(ticket.checked_in_at.astimezone(ZoneInfo(gig.time_zone)), "H:i:s")
        words = _("In since %(time)s. Door: %(door)s") % {"time": time, "door": ticket.checked_in_door}
        return Answer(Verdict.ALREADY, words, ticket)
    return Answer(Verdict.REFUSED, words, ticket)
