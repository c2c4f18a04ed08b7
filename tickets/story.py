"""A ticket, found by whatever a buyer or a log line has of it, and the story of it: what happened when, and by whom."""

import uuid
from datetime import datetime
from typing import NamedTuple

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tickets import codes, privacy
from tickets.models import Purchase, Ticket
from tickets.templatetags.waits import brief


class Event(NamedTuple):
    name: str
    at: datetime | None  # None: some time after the one before
    words: str = ""
    who: str = ""
    bad: bool = False


def find(tickets: QuerySet, typed: str) -> QuerySet:
    """Keep the tickets that `typed` may mean: an e-mail address, any id of a ticket's way, its code, or a name's part.

    Each but the name has an index; a name's part reads every ticket, half a second for a million of them.
    """
    typed = typed.strip()
    if "@" in typed:
        return tickets.filter(email__iexact=typed)
    if code := codes.read_typed(typed):
        return tickets.filter(pk__range=(code.first, code.last))
    try:
        return tickets.filter(pk=codes.read(typed.rstrip("/").rsplit("/", 1)[-1]).ticket_id)  # Its page's address, too.
    except codes.Forged:
        pass
    try:
        number = uuid.UUID(typed)
    except ValueError:
        return tickets.filter(name__icontains=typed)
    # Asked for first: as a part of the condition below it would keep the database from using its indexes.
    purchases = list(Purchase.objects.filter(Q(pk=number) | Q(trace=number.hex)).values_list("pk", flat=True))
    return tickets.filter(Q(pk=number) | Q(message_id=str(number)) | Q(purchase__in=purchases))


def story(ticket: Ticket) -> list[Event]:
    """Tell what became of a ticket, the earliest first."""
    events = [Event(_("Bought"), ticket.created_at, str(ticket.gig))]
    if ticket.published_at:
        events.append(Event(_("Published"), ticket.published_at, _("as message %(id)s") % {"id": ticket.message_id}))
    if ticket.parked_at:
        events.append(Event(_("Parked"), ticket.parked_at, privacy.mask(ticket.parked_cause), bad=True))
    if ticket.mailed_at:
        wait = (ticket.mailed_at - ticket.mail_asked_at).total_seconds()
        words = _("to %(email)s, %(wait)s after it was asked for") % {"email": ticket.email, "wait": brief(wait)}
        events.append(Event(_("Mailed"), ticket.mailed_at, words))
    if ticket.readdressed_at:
        events.append(Event(_("Address corrected"), ticket.readdressed_at, who=_("the buyer")))
    if ticket.checked_in_at:
        who = str(ticket.checked_in_by or "")
        events.append(Event(_("Checked in"), ticket.checked_in_at, ticket.checked_in_door, who))
    if ticket.cancelled_at:
        events.append(Event(_("Cancelled"), ticket.cancelled_at, _("the seat is free again"), bad=True))
    events += [
        Event(_("By the staff"), entry.action_time, entry.get_change_message(), str(entry.user))
        for entry in LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Ticket), object_id=str(ticket.pk)
        ).select_related("user")
    ]
    events.sort(key=lambda event: event.at)
    if ticket.received:  # Counted, not timed: after it was published, before its end.
        words = ngettext("once", "%(count)s times", ticket.received) % {"count": ticket.received}
        after = [event.name for event in events].index(_("Published") if ticket.published_at else _("Bought"))
        events.insert(after + 1, Event(_("Taken on by a worker"), None, words))
    return events
