"""Buyers at the same instant, each with a connection of their own to the real database."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from tickets.models import Gig, GigQuerySet, Purchase, Ticket
from tickets.purchases import Busy, NotOnSale, Owner, buy, relay

BUYERS, SEATS = 12, 5
ADA = Owner("Ada", "ada@example.com")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor == 'sqlite'", reason="threads of one process share SQLite's memory database"),
]


def _at_once(number, deed):
    """Do `deed(i)` in so many threads that start together; return what each returned or raised."""
    barrier = Barrier(number)

    def one(i):
        barrier.wait()
        try:
            return deed(i)
        except Exception as error:  # noqa: BLE001 - the caller looks at each
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def _sell_out(make_gig):
    gig = make_gig(capacity=SEATS)
    answers = _at_once(BUYERS, lambda i: buy(gig, [ADA], f"token-{i}"))
    return [type(answer) for answer in answers].count(NotOnSale)


def test_the_last_seats_are_sold_once(make_gig):
    assert _sell_out(make_gig) == BUYERS - SEATS
    assert (Gig.objects.get().sold, Ticket.objects.count(), Purchase.objects.count()) == (SEATS, SEATS, SEATS)


def test_without_the_guard_they_are_oversold(make_gig, monkeypatch):
    """The negative control: with neither the filter nor the constraint, the test above would fail."""

    def unguarded(self, seats):
        return self.update(sold=F("sold") + seats)

    monkeypatch.setattr(GigQuerySet, "reserve", unguarded)
    constraint = next(c for c in Gig._meta.constraints if c.name == "gig_never_oversold")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Gig, constraint)
    try:
        assert _sell_out(make_gig) == 0
        assert Ticket.objects.count() == BUYERS > SEATS
    finally:
        Ticket.objects.all().delete()
        Purchase.objects.all().delete()
        Gig.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Gig, constraint)


def test_the_same_submission_at_once_is_one_purchase(make_gig):
    gig = make_gig()
    sales = _at_once(8, lambda _: buy(gig, [ADA], "token"))
    assert {sale.purchase.pk for sale in sales} == {Purchase.objects.get().pk}
    assert sorted(len(sale.tickets) for sale in sales) == [0] * 7 + [1]
    assert (Gig.objects.get().sold, Ticket.objects.count()) == (1, 1)


def test_two_relays_at_once_never_send_the_same_ticket(make_gig, monkeypatch):
    gig, sent = make_gig(capacity=100), []
    buy(gig, [ADA] * 40, "token")
    Ticket.objects.update(publish_due_at=F("created_at"))

    def send(messages):
        sent.extend(message.body["ticketId"] for message in messages)
        return [f"message-{message.body['ticketId']}" for message in messages]

    monkeypatch.setattr("tickets.queue.send", send)
    _at_once(4, lambda _: relay(limit=10))
    assert len(sent) == len(set(sent)) == Ticket.objects.on_the_way().count()


def test_two_workers_at_once_never_claim_the_same_ticket(make_gig):
    tickets = buy(make_gig(capacity=100), [ADA] * 40, "token").tickets
    ids = [ticket.pk for ticket in tickets]
    claims = _at_once(4, lambda _: Ticket.objects.claim(ids, timedelta(seconds=60)))
    claimed = [ticket.pk for claim in claims for ticket in claim]
    assert sorted(claimed) == sorted(ids)


def test_a_sale_that_hangs_keeps_the_others_for_a_while_only(impatient, make_gig):
    gig = make_gig()
    with transaction.atomic():
        Gig.objects.select_for_update().get()
        answers = _at_once(3, lambda i: buy(gig, [ADA], f"token-{i % 2}"))
    assert [type(answer) for answer in answers] == [Busy] * 3
    assert (Gig.objects.get().sold, Ticket.objects.count(), Purchase.objects.count()) == (0, 0, 0)
    assert len(buy(gig, [ADA], "token-0").tickets) == 1


ON_SQLITE = """
import django, sqlite3, sys
django.setup()
from django.core.management import call_command
from tickets.models import Gig, Purchase
from tickets.purchases import Busy, Owner, buy
call_command("migrate", verbosity=0)
call_command("import_gigs", "data/gigs.json", verbosity=0)
gig, ada = Gig.objects.first(), [Owner("Ada", "ada@example.com")]
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
try:
    buy(gig, ada, "token")
except Busy:
    other.execute("COMMIT")
    print(Purchase.objects.count(), len(buy(gig, ada, "token").tickets))
"""


def test_on_sqlite_too(tmp_path):
    file = tmp_path / "shop.sqlite3"
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{file}?timeout=1",
        "DJANGO_SETTINGS_MODULE": "timelessmusic.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", ON_SQLITE, file], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True
    )
    assert (done.stdout.splitlines()[-1:], done.stderr) == (["0 1"], "")
