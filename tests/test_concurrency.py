"""Buyers at the same instant, each with a connection of their own to the real database."""

import json
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

from rehearsal.shop import eventually
from tickets import aftersales, purchases, queue, reconcile
from tickets.models import Gig, GigQuerySet, Purchase, Ticket
from tickets.purchases import Busy, NotOnSale, Owner, buy, publish, relay
from tickets.together import Together

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


def _publish_at_once(gig, sqs, monkeypatch, requests=100, at_once=32):
    """Sell and publish a ticket in each request; return SQS's calls and the tickets with their message."""
    calls, left = [], requests
    send = queue.producer().send_message_batch

    def counting(Entries, **call):
        nonlocal left
        # A call lasts until all threads that have something to publish are at it: so many at once is no luck here.
        left -= len(Entries)
        calls.append(len(Entries))
        eventually(lambda: len(purchases._send_together._waiting) >= min(left, at_once - len(Entries)))
        return send(Entries=Entries, **call)

    monkeypatch.setattr(queue.producer(), "send_message_batch", counting)
    tickets = buy(gig, [ADA] * requests, "token").tickets

    def request(ticket):
        publish([ticket])
        connection.close()

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(request, tickets))
    received = {message.id: json.loads(message.body)["ticketId"] for _ in range(10) for message in queue.receive(0)}
    return calls, received


def test_a_hundred_purchases_at_32_at_once_take_twelve_calls_of_sqs(make_gig, sqs, monkeypatch):
    calls, received = _publish_at_once(make_gig(capacity=100), sqs, monkeypatch)
    assert len(calls) <= 12
    # And none has another's answer.
    marked = {str(ticket.pk): ticket.message_id for ticket in Ticket.objects.on_the_way()}
    assert marked == {ticket_id: message_id for message_id, ticket_id in received.items()}
    assert len(marked) == 100


def test_without_sharing_they_take_a_hundred(make_gig, sqs, monkeypatch):
    """The negative control."""
    monkeypatch.setattr(purchases, "_send_together", Together(purchases._send, size=1, patience=60))
    calls, _ = _publish_at_once(make_gig(capacity=100), sqs, monkeypatch)
    assert len(calls) == 100


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


def test_a_ticket_cancelled_by_two_at_once_frees_one_seat(make_gig):
    [ticket, _] = buy(make_gig(), [ADA] * 2, "token").tickets
    assert sorted(_at_once(6, lambda _: aftersales.cancel(ticket))) == [False] * 5 + [True]
    assert (Gig.objects.get().sold, Gig.objects.get().revenue) == (1, 120)


def test_a_buyer_at_two_devices_corrects_the_address_once(make_gig, sqs):
    [ticket] = buy(make_gig(), [ADA], "token").tickets
    answers = _at_once(6, lambda i: aftersales.correct_own_address(ticket, f"{i}@example.com"))
    ticket.refresh_from_db()
    assert (sorted(answers), ticket.email) == ([False] * 5 + [True], f"{answers.index(True)}@example.com")
    assert (ticket.mailing, ticket.edition) == (2, 2)


def test_a_buyer_at_two_devices_is_mailed_again_once(make_gig, sqs):
    [ticket] = buy(make_gig(), [ADA], "token").tickets
    assert sorted(_at_once(6, lambda _: aftersales.mail_own_again(ticket))) == [False] * 5 + [True]
    assert Ticket.objects.get().mailing == 2


def test_whatever_becomes_of_a_ticket_at_once_it_is_in_one_place_and_its_seat_in_one(make_gig, sqs):
    """Buyers, the organiser, a relay and a worker: no deadlock, and a cancelled ticket stays one."""
    gig = make_gig(capacity=40)
    tickets = buy(gig, [ADA] * 8, "token").tickets
    Ticket.objects.update(publish_due_at=F("created_at"))

    def deed(i):
        ticket = tickets[i % 8]
        match i // 8:
            case 0:
                return aftersales.mail_again(ticket)
            case 1:
                return aftersales.cancel(ticket) if i % 2 else aftersales.move(ticket, "Grace", "grace@example.com")
            case 2:
                return len(buy(gig, [ADA], f"token-{i}").tickets)
            case 3:
                return relay()
            case _:
                claimed = Ticket.objects.claim([ticket.pk], timedelta(seconds=60))
                return Ticket.objects.mark_mailed(claimed) if i % 2 else Ticket.objects.release(claimed)

    answers = _at_once(40, deed)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert answers[8:16] == [True] * 8
    found = reconcile.report(timedelta(0))
    assert (found.balanced, found.census["cancelled"], found.seats_sold) == (True, 4, 12)
    for ticket in Ticket.objects.filter(purchase__token="token"):
        i = next(i for i, first in enumerate(tickets) if first == ticket)
        # One more for each that was told it had asked for a mail, and a new code for the new owner.
        assert ticket.mailing == 1 + answers[i] + (i % 2 == 0)
        assert ticket.edition == 1 + (i % 2 == 0)


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
