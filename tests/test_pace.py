from datetime import timedelta

import pytest
from django.utils import timezone

from tickets import pace
from tickets.models import Ticket
from tickets.purchases import Owner, buy

ADA = Owner("Ada", "ada@example.com")
pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch):
    """Let the pace be told by a clock that the test sets."""

    class Clock:
        now_is = timezone.now()

        def now(self):
            return self.now_is

    clock = Clock()
    monkeypatch.setattr(pace, "timezone", clock)
    return clock


def test_what_was_sold_published_and_mailed_since_the_last_look(gig, clock):
    earlier = buy(gig, [ADA] * 3, "earlier").tickets
    observer, clock.now_is = pace.Observer(), timezone.now()
    assert observer.look() is None
    Ticket.objects.mark_published(dict.fromkeys(earlier, "id"))
    Ticket.objects.mark_mailed(earlier[:2])
    sold = buy(gig, [ADA] * 3, "sold meanwhile").tickets
    Ticket.objects.mark_published({sold[0]: "id"})
    clock.now_is += timedelta(hours=1)
    assert observer.look() == pace.Pace(published=4 / 3600, mailed=2 / 3600)


def test_a_mail_asked_for_once_more_makes_no_pace_below_zero(gig, clock):
    [ticket] = buy(gig, [ADA], "token").tickets
    Ticket.objects.mark_published({ticket: "id"})
    Ticket.objects.mark_mailed([ticket])
    observer = pace.Observer()
    observer.look()
    Ticket.objects.update(mailed_at=None, published_at=None)
    clock.now_is += timedelta(seconds=2)
    assert observer.look() == pace.Pace(0, 0)


def test_a_look_costs_two_queries_however_many_tickets_there_are(gig, clock, django_assert_num_queries):
    observer = pace.Observer()
    observer.look()
    buy(gig, [ADA] * 9, "token")
    clock.now_is += timedelta(seconds=2)
    with django_assert_num_queries(2):
        observer.look()
