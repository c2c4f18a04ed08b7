from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from tickets import calendars
from tickets.purchases import Owner, buy

OWNERS = [Owner("Zoë 🎸; von Ötzi, Jr.", "zoe@example.com"), Owner("山田 太郎\r\nEND:VCALENDAR", "taro@example.com")]


@pytest.fixture
def tickets(make_gig):
    gig = make_gig(
        slug="daft-punk-tokyo",
        artist="Daft Punk",
        city="Tokyo",
        departs_at=datetime(2031, 7, 2, 10, 30, tzinfo=UTC),
        time_zone="America/New_York",
        latitude=Decimal("40.71280"),
        longitude=Decimal("-74.00600"),
    )
    return buy(gig, OWNERS, "token").tickets


def test_it_works(tickets):
    text = calendars.ics(tickets[:1])
    [event] = Calendar.from_ical(text).events
    assert event["UID"] == str(tickets[0].pk)
    assert event.start == datetime(2031, 7, 2, 6, 30, tzinfo=ZoneInfo("America/New_York"))
    assert event["DTSTART"].params["TZID"] == "America/New_York"
    assert event["SUMMARY"] == "Daft Punk, Tokyo 1991: the time machine leaves"
    assert event["LOCATION"] == "South Main Street, Tokyo"
    assert (event["GEO"].latitude, event["GEO"].longitude) == (40.7128, -74.006)
    assert event["DESCRIPTION"] == (
        f"Ticket owner: Zoë 🎸; von Ötzi, Jr.\nTicket: {tickets[0].short_code}\n"
        "Please be there 30 minutes before, with your ticket."
    )
    assert event["URL"] == "http://localhost:8000/gigs/daft-punk-tokyo/"
    assert max(len(line) for line in text.split(b"\r\n")) <= 75  # RFC 5545


def test_the_time_zones_rules_are_in_the_file(tickets):
    [zone] = Calendar.from_ical(calendars.ics(tickets)).timezones
    assert zone.tz_name == "America/New_York"
    summer = zone.to_tz(lookup_tzid=False)  # From the rules alone, as if the name were unknown.
    assert datetime(2031, 7, 2, 10, 30, tzinfo=UTC).astimezone(summer).isoformat() == "2031-07-02T06:30:00-04:00"


def test_a_whole_purchase_has_an_event_for_each_ticket(tickets):
    events = Calendar.from_ical(calendars.ics(tickets)).events
    assert [event["UID"] for event in events] == [str(ticket.pk) for ticket in tickets]
    assert events[1]["DESCRIPTION"].splitlines()[:2] == ["Ticket owner: 山田 太郎", "END:VCALENDAR"]


def test_a_later_mail_supersedes_the_event(tickets):
    tickets[0].mailing += 1
    [event] = Calendar.from_ical(calendars.ics(tickets[:1])).events
    assert (event["UID"], event["SEQUENCE"]) == (str(tickets[0].pk), 2)


def test_without_coordinates_or_in_utc_there_is_a_file_all_the_same(gig):
    gig.time_zone = "UTC"
    ticket = buy(gig, OWNERS[:1], "token").tickets[0]
    calendar = Calendar.from_ical(calendars.ics([ticket]))
    assert ("GEO" in calendar.events[0], calendar.timezones) == (False, [])
    assert calendar.events[0].start == gig.departs_at.replace(microsecond=0)


def test_each_departure_has_the_rules_of_its_own_zone_and_year(tickets):
    gig = tickets[0].gig
    for zone, year in (("America/New_York", 2031), ("Europe/Rome", 2031), ("Europe/Rome", 2032), ("UTC", 2032)):
        gig.time_zone, gig.departs_at = zone, datetime(year, 7, 2, 10, 30, tzinfo=UTC)
        calendar = Calendar.from_ical(calendars.ics(tickets[:1]))
        assert [zone.tz_name for zone in calendar.timezones] == [zone] * (zone != "UTC")
        summers = [rules for zone in calendar.timezones for rules in zone.daylight]
        assert {rules["DTSTART"].dt.year for rules in summers} <= {year - 1, year}
        assert calendar.events[0].start == gig.departs_at
