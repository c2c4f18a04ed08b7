"""The first screen's figures; what they cost is pinned at one purchase and at ten thousand."""

import threading
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tickets import aftersales, dashboard, health, queue
from tickets.models import Gig, Purchase, Ticket
from tickets.presence import Presence
from tickets.purchases import Owner, buy, publish
from tickets.templatetags.waits import brief

pytestmark = pytest.mark.django_db

STATEMENTS = 10  # session, user, and eight of the board


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Wait for SQS for as long as a machine takes that runs other tests, too."""
    monkeypatch.setattr(health, "LIMIT_SECONDS", 20)


def _seed(gig, purchases):
    """Sell to so many within the last ten days, and mail."""
    now = timezone.now()
    made = Purchase.objects.bulk_create(
        Purchase(gig=gig, token=f"{n}", fingerprint="", created_at=now - timedelta(days=10) * n / purchases)
        for n in range(purchases)
    )
    Ticket.objects.bulk_create(
        Ticket(
            purchase=one,
            name="Ada Lovelace",
            email="ada@example.com",
            price=gig.price,
            created_at=one.created_at,
            mail_asked_at=one.created_at,
            publish_due_at=now,
            published_at=now,
            mailed_at=one.created_at + timedelta(seconds=2),
        )
        for one in made
    )
    Gig.objects.filter(pk=gig.pk).update(sold=purchases, revenue=purchases * gig.price, capacity=20_000)


@pytest.mark.parametrize("rows", [1, 10_000])
def test_it_takes_the_same_statements_however_many_tickets_there_are(
    admin_client, gig, sqs, rows, django_assert_num_queries
):
    _seed(gig, rows)
    with django_assert_num_queries(STATEMENTS):
        page = admin_client.get("/admin/board/")
    assert page.context["sales"][2].tickets == rows


def test_what_was_sold_and_earned_today_in_seven_days_and_ever(gig, sqs):
    tickets = buy(gig, [Owner("Ada", "ada@example.com")] * 4, "token").tickets
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    for ticket, age in zip(tickets, (0, 0, 3, 9), strict=True):
        Ticket.objects.filter(pk=ticket.pk).update(created_at=midnight - timedelta(days=age))
    assert [(row.tickets, row.revenue, row.occupancy) for row in dashboard.board()["sales"]] == [
        (2, Decimal("240.00"), 20.0),
        (3, Decimal("360.00"), 30.0),
        (4, Decimal("480.00"), 40.0),
    ]


def test_a_cancelled_ticket_counts_nowhere(gig, sqs):
    aftersales.cancel(buy(gig, [Owner("Ada", "ada@example.com")], "token").tickets[0])
    board = dashboard.board()
    assert [(row.tickets, row.revenue) for row in board["sales"]] == [(0, 0)] * 3
    assert [box.count for box in board["boxes"]] == [0, 0, 0, 0, 0]


def test_the_way_of_a_purchase_in_numbers(gig, sqs):
    tickets = buy(gig, [Owner("Ada", "ada@example.com")] * 5, "token").tickets
    publish(tickets[:3])
    [message] = queue.receive(wait_seconds=0, limit=1)
    queue.park(message, "550 no such user")
    queue.receive(wait_seconds=0, limit=1)
    Ticket.objects.filter(pk=tickets[0].pk).update(parked_at=timezone.now())
    Ticket.objects.filter(pk=tickets[3].pk).update(mailed_at=timezone.now())
    boxes = dashboard.board()["boxes"]
    assert [(box.name, box.count) for box in boxes] == [
        ("to publish", 1),
        ("waiting", 1),
        ("in flight", 1),
        ("mailed", 1),
        ("parked", 1),
    ]
    assert (boxes[-1].words, boxes[-1].bad) == ("1 messages in the DLQ", True)


def test_times_to_the_mail_and_what_is_late(gig, sqs, settings):
    settings.MAIL_OBJECTIVE_SECONDS = 90
    now = timezone.now()
    tickets = buy(gig, [Owner("Ada", "ada@example.com")] * 10, "token").tickets
    for seconds, ticket in enumerate(tickets[:9], start=1):
        asked = now - timedelta(hours=1)
        Ticket.objects.filter(pk=ticket.pk).update(
            mail_asked_at=asked, mailed_at=asked + timedelta(seconds=10 * seconds + (seconds == 9) * 10)
        )
    Ticket.objects.filter(pk=tickets[9].pk).update(mail_asked_at=now - timedelta(seconds=91))
    p50, p95, p99, oldest = dashboard.board()["figures"]
    assert [(p50.seconds, p50.late), (p95.seconds, p95.late), (p99.seconds, p99.late)] == [
        (50, False),
        (100, True),
        (100, True),
    ]
    assert (91 <= oldest.seconds < 95, oldest.late) == (True, True)


def test_without_any_sale_there_is_nothing_to_tell(sqs, admin_client):
    assert [figure.seconds for figure in dashboard.board()["figures"]] == [None] * 4
    assert "No gig is still to depart." in admin_client.get("/admin/").content.decode()


def test_purchases_an_hour_are_drawn(gig, sqs):
    now = timezone.now()
    for number in range(3):
        buy(gig, [Owner("Ada", "ada@example.com")], f"token {number}")
    Purchase.objects.filter(token="token 0").update(created_at=now - timedelta(days=1))
    chart = dashboard.board()["chart"]
    hour = timezone.localtime(now).hour
    assert [day.takings.purchases for day in chart.days] == [0, 0, 0, 0, 0, 1, 2]
    assert (chart.most, chart.hours) == (2, 168)
    before = "V100.0h1" * (5 * 24 + hour)
    assert chart.path == f"M0 100{before}V50.0h1{'V100.0h1' * 23}V0.0h1V100Z"


def test_an_hour_that_is_over_is_counted_once(gig, sqs):
    long_ago = timezone.now() - timedelta(hours=3)
    [ticket] = buy(gig, [Owner("Ada", "ada@example.com")], "token 0").tickets
    Ticket.objects.update(created_at=long_ago)
    Purchase.objects.update(created_at=long_ago)

    def seven_days():
        row = dashboard.board()["sales"][1]
        return row.tickets, row.revenue

    assert seven_days() == (1, Decimal("120.00"))
    with CaptureQueriesContext(connection) as captured:
        buy(gig, [Owner("Ada", "ada@example.com")], "token 1")
        assert seven_days() == (2, Decimal("240.00"))
    hour = long_ago.strftime("%Y-%m-%d %H")
    assert [query for query in captured.captured_queries if "DATE_TRUNC" in query["sql"] and hour in query["sql"]] == []
    aftersales.cancel(ticket)
    assert seven_days() == (1, Decimal("120.00"))


# --- What the shop stands on ----------------------------------------------------------------------


def _parts():
    return {part.name: (part.well, part.words) for part in dashboard.board()["parts"]}


def _at_work(**state):
    # A little ahead, for then the age is 0 s however slow the test.
    Presence.objects.create(name="shop-1:42", seen_at=timezone.now() + timedelta(minutes=1), **state)


def test_all_is_well(sqs):
    _at_work()
    parts = _parts()
    assert (parts["Queue"], parts["Worker"]) == ((True, "answers"), (True, "1 at work, last heartbeat 0 s ago"))
    assert parts["Mail server"] == (True, "takes mails, so the worker says")


@pytest.mark.parametrize(
    ("age", "words"),
    [(None, "none was heard of within the hour"), (120, "the last was heard of 120 s ago")],
)
def test_nobody_works(sqs, age, words):
    if age:
        Presence.objects.create(name="shop-1:42", seen_at=timezone.now() - timedelta(seconds=age))
    parts = _parts()
    assert parts["Worker"] == (False, f"{words}: start one by `manage.py queue work`")
    assert parts["Mail server"] == (None, "nobody at work to ask it")


def test_the_mail_server_is_away(sqs):
    _at_work(trouble="MailServerDown: refused")
    assert _parts()["Mail server"] == (False, "MailServerDown: refused")
    assert _parts()["Worker"] == (False, "1 at work, last heartbeat 0 s ago; waits: MailServerDown: refused")


def test_a_queue_that_is_away_is_a_state_to_show(admin_client, gig, sqs, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()
    page = admin_client.get("/admin/")
    assert page.status_code == 200
    words = "away: EndpointConnectionError; sales go on, mails wait"
    assert page.context["parts"][0] == dashboard.Part("Queue", False, words)
    assert [box.count for box in page.context["boxes"]] == [0, None, None, 0, 0]


def test_a_queue_that_hangs_costs_a_second(admin_client, gig, sqs, monkeypatch):
    monkeypatch.setattr(health, "LIMIT_SECONDS", 0.5)
    release = threading.Event()
    monkeypatch.setattr(dashboard, "queue_check", dashboard.Check("queue's depth", release.wait))
    started = time.monotonic()
    page = admin_client.get("/admin/board/")
    assert (page.status_code, time.monotonic() - started < 5) == (200, True)
    assert page.context["parts"][0].words == "no answer within 0.5 s; sales go on, mails wait"
    release.set()


# --- Who sees what --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "figures", "money"), [("organiser", True, True), ("support", True, False), ("door", False, False)]
)
def test_each_role_sees_its_own(sign_in_as, gig, sqs, role, figures, money):
    buy(gig, [Owner("Ada", "ada@example.com")], "token")
    page = sign_in_as(role).get("/admin/").content.decode()
    assert ("The way of a purchase" in page, "$120.00" in page) == (figures, money)


def test_the_refresh_is_for_those_who_may_see_it(client, sign_in_as, sqs):
    assert client.get("/admin/board/")["HX-Refresh"] == "true"
    assert sign_in_as("door").get("/admin/board/").status_code == 403


def test_times_are_told_in_few_letters():
    assert [brief(seconds) for seconds in (0.84, 9.96, 12.4, 119, 600, 7300, 200_000)] == [
        "0.84 s",
        "10 s",
        "12 s",
        "119 s",
        "10 min",
        "2 h",
        "2 d",
    ]
