"""Put tickets into a calendar: an iCalendar file that Google's, Apple's and Outlook's take in."""

from collections.abc import Sequence
from datetime import date

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from tickets.models import Ticket

CONTENT_TYPE = "text/calendar; charset=utf-8"


def ics(tickets: Sequence[Ticket]) -> bytes:
    """Write an event for each ticket, in the language that is active; of a purchase, or of one ticket alone.

    An event's UID is its ticket's, so that a file taken in twice, or one with a later departure, makes no second event.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//TimelessMusic//Tickets//EN")
    calendar.add("version", "2.0")
    for ticket in tickets:
        calendar.add_component(_event(ticket))
    # The rules of the departures' time zones, for the years in question: Outlook knows few of the names.
    years = [ticket.gig.departure.year for ticket in tickets]
    calendar.add_missing_timezones(first_date=date(min(years), 1, 1), last_date=date(max(years) + 1, 1, 1))
    return calendar.to_ical()


def _event(ticket: Ticket) -> Event:
    gig = ticket.gig
    event = Event()
    event.add("uid", str(ticket.pk))
    event.add("dtstamp", timezone.now())
    event.add("sequence", ticket.mailing)
    event.add("dtstart", gig.departure)
    event.add("summary", _("%(gig)s: the time machine leaves") % {"gig": gig})
    event.add("location", f"{gig.collection_point}, {gig.city}")
    if gig.latitude is not None and gig.longitude is not None:
        event.add("geo", (gig.latitude, gig.longitude))
    event.add(
        "description",
        _("Ticket owner: %(owner)s\nTicket: %(number)s\nPlease be there 30 minutes before, with your ticket.")
        % {"owner": ticket.name, "number": ticket.short_code},
    )
    # Not the ticket's own page: its address opens the gate, and calendars are shared.
    event.add("url", settings.SITE_URL + gig.get_absolute_url())
    return event
