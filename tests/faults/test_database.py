"""PostgreSQL restarts under the shop, falls silent or vanishes, and the clocks of its machines disagree."""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import libfaketime
import pytest
from django.db import connection as django_connection
from django.db.models.functions import Now

from rehearsal import proxy
from rehearsal.shop import Buyer, eventually
from tests.faults.conftest import VISIBILITY_SECONDS
from tickets import provisioning
from tickets.models import Ticket
from tickets.outages import DatabaseDown

GIG = "nirvana-cork-1991"


def test_postgresql_crashes_and_comes_back(shop_on_postgres, postgres, port):
    shop = shop_on_postgres
    shop.web(port)
    worker = shop.worker()
    before, during = Buyer(port, GIG, "before"), Buyer(port, GIG, "during")
    assert before.buy() == 302
    eventually(lambda: postgres.ask("select count(*) from tickets_ticket where mailed_at is not null") == (1,))
    during.open()

    postgres.crash()
    answer = during.submit()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert "nothing is bought twice" in answer.text
    worker.says("nothing is received until this is over")

    postgres.start()
    assert eventually(lambda: (again := during.submit()).status_code == 302 and again)
    eventually(lambda: postgres.ask("select count(*) from tickets_ticket where mailed_at is not null") == (2,), 90)
    assert shop.smtp.sink.recipients == ["before@example.com", "during@example.com"]
    assert (provisioning.describe().dead_letters.depth, worker.stop()) == (0, 0)
    assert shop.manage("queue", "reconcile").returncode == 0


def test_postgresql_crashes_between_mail_and_mark(shop_on_postgres, postgres, port):
    """The worker keeps the mark in mind until it can be written: one mail."""
    shop = shop_on_postgres
    shop.web(port)
    crashed = []

    def crash(_):
        if not crashed:
            postgres.crash()
            crashed.append(True)

    shop.smtp.sink.after_mail = crash
    assert Buyer(port, GIG, "ada").buy() == 302
    worker = shop.worker()
    worker.says("a mail waits for its mark")
    postgres.start()
    eventually(lambda: postgres.ask("select count(*) from tickets_ticket where mailed_at is not null") == (1,))
    eventually(lambda: provisioning.describe().depth == 0)
    assert (shop.smtp.sink.recipients, worker.stop()) == (["ada@example.com"], 0)


def test_postgresql_is_away_for_longer_than_a_lease_between_mail_and_mark(shop_on_postgres, postgres, port):
    """No lease can be extended meanwhile: what keeps the other worker off is that SQS still hides the message."""
    shop = shop_on_postgres
    shop.web(port)
    shop.smtp.sink.after_mail = lambda _: postgres.crash() if not shop.smtp.sink.mails[1:] else None
    workers = [shop.worker(), shop.worker()]
    assert Buyer(port, GIG, "ada").buy() == 302
    eventually(lambda: any("a mail waits for its mark" in worker.said for worker in workers))
    beats = shop.sqs.seen["ChangeMessageVisibilityBatch"]
    shop.sqs.wait_for("ChangeMessageVisibilityBatch", times=beats + 3 * VISIBILITY_SECONDS)  # a beat a second
    postgres.start()
    eventually(lambda: postgres.ask("select count(*) from tickets_ticket where mailed_at is not null") == (1,))
    eventually(lambda: provisioning.describe().depth == 0)
    assert [worker.stop() for worker in workers] == [0, 0]
    assert shop.smtp.sink.recipients == ["ada@example.com"]


def test_a_worker_that_is_stopped_while_a_mark_waits_says_so(shop_on_postgres, postgres, port):
    shop = shop_on_postgres
    shop.web(port)
    shop.smtp.sink.after_mail = lambda _: postgres.crash() if not shop.smtp.sink.mails[1:] else None
    assert Buyer(port, GIG, "ada").buy() == 302
    worker = shop.worker()
    worker.says("a mail waits for its mark")
    assert worker.stop() == 0
    assert "a mail that waited for its mark repeats" in worker.said
    assert "Traceback" not in worker.said
    postgres.start()
    shop.worker()
    eventually(lambda: postgres.ask("select count(*) from tickets_ticket where mailed_at is not null") == (1,))
    # The one window of invariant 5.
    assert shop.smtp.sink.recipients == ["ada@example.com"] * 2


@pytest.fixture
def by_network(database):
    """Connect as a process of the shop does, with a pool, to PostgreSQL behind a proxy."""
    connection = django_connection.copy("by_network")
    connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": database.port}
    yield connection
    database.refuse()  # Else closing the pool waits for those of its threads that still connect.
    connection.close()
    connection.close_pool()


def test_who_has_met_a_silent_server_is_back_as_soon_as_it_speaks(database, by_network):
    """The pool's threads are given up by libpq, else they would wait for two minutes for a server that is no more."""

    def answers():
        try:
            with by_network.cursor() as cursor:
                return cursor.execute("SELECT 1")
        except DatabaseDown:
            return None
        finally:
            by_network.close()

    assert answers()
    database.rule = lambda *_: proxy.STALL
    database.cut()
    assert not answers()
    database.rule = None
    assert eventually(answers, seconds=30)


def test_client_and_server_give_each_other_up_once_they_vanish(by_network):
    """No word comes from a machine that is off: what counts is what the two kernels are told to do about it."""
    with by_network.cursor() as cursor, socket.socket(fileno=os.dup(cursor.connection.fileno())) as ours:
        options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        asked = [ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) for option in options]
        assert asked == [10, 5, 3, 15_000]
        told = cursor.connection.info.get_parameters()["options"]  # On a Unix socket PostgreSQL has no use for them.
        assert told.split(" -c ")[1:] == [
            "tcp_keepalives_idle=10",
            "tcp_keepalives_interval=5",
            "tcp_keepalives_count=3",
        ]


@pytest.mark.parametrize("hours", [-48, 48])
def test_the_clock_of_a_worker_is_stepped_in_the_middle_of_a_mail(shop, sell, tmp_path, hours):
    """Leases and due times are the database's: nothing is mailed twice, and nothing kept back."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    stepped = {
        "LD_PRELOAD": str(Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    held, go_on = Event(), Event()

    def step(_):
        if not held.is_set():
            clock.write_text(f"{hours:+}h")
            held.set()
            go_on.wait(60)

    shop.smtp.sink.before_mail = step
    [first] = sell("first")
    shop.worker(**stepped)
    assert held.wait(30)
    other = shop.worker()
    shop.sqs.wait_for("ChangeMessageVisibilityBatch", times=shop.sqs.seen["ChangeMessageVisibilityBatch"] + 5)
    go_on.set()
    eventually(lambda: Ticket.objects.mailed().count() == 1)
    assert other.stop() == 0

    sell("kept", published=False)
    Ticket.objects.unpublished().update(publish_due_at=Now())
    eventually(lambda: Ticket.objects.mailed().count() == 2)
    assert shop.smtp.sink.recipients == ["first@example.com", "kept@example.com"]
    assert Ticket.objects.get(pk=first.pk).mailed_at - first.created_at < timedelta(hours=1)
    # The clock was wrong indeed: the mail is dated by it.
    kept = next(mail for mail in shop.smtp.sink.mails if mail["To"].addresses[0].username == "kept")
    date = kept["Date"].datetime.replace(tzinfo=UTC)
    assert abs(date - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(hours=1)
