"""Put tickets into a calendar: an iCalendar file that Google's, Apple's and Outlook's take in."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from tickets.models import Ticket

CONTENT_TYPE = "text/calendar; charset=utf-8"
END = b"END:VCALENDAR"


def ics(tickets: Sequence[Ticket]) -> bytes:
    """Write an event for each ticket of a gig, in the language that is active; of a purchase, or of one ticket alone.

    An event's UID is its ticket's, so that a file taken in twice, or one with a later departure, makes no second event.
    """
    gig = tickets[0].gig
    calendar = _calendar(gig.time_zone, gig.departure.year)
    return calendar.replace(END, b"".join(_event(ticket).to_ical() for ticket in tickets) + END)


@lru_cache
def _calendar(time_zone: str, year: int) -> bytes:
    """Write a calendar without events. The rules of its time zone are two thirds of the time that a ticket's takes."""
    calendar = Calendar()
    calendar.add("prodid", "-//TimelessMusic//Tickets//EN")
    calendar.add("version", "2.0")
    new_year = Event()
    new_year.add("dtstart", datetime(year, 1, 1, tzinfo=ZoneInfo(time_zone)))
    calendar.add_component(new_year)
    # For the year in question: Outlook knows few of the names. There are none for UTC.
    calendar.add_missing_timezones(first_date=date(year, 1, 1), last_date=date(year + 1, 1, 1))
    calendar.subcomponents.remove(new_year)
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
