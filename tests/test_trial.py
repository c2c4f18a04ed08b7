"""A ticket that goes all the way, and leaves no trace in the numbers."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F

from tickets import provisioning, reconcile, trial
from tickets.models import Gig, Purchase, Ticket
from tickets.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(sqs):
    if connection.vendor == "sqlite":
        pytest.skip("threads of one process share SQLite's memory database")
    ended = threading.Event()

    def work():
        while not ended.is_set():
            Worker().run(batch=True)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


def _rows() -> tuple[int, int, int]:
    return Gig.objects.count(), Purchase.objects.count(), Ticket.objects.count()


def test_it_comes_to_every_station_and_leaves_no_row(worker, mailoutbox):
    out = StringIO()
    call_command("queue", "send-test", "ada@example.com", stdout=out)
    assert [line.split()[0] for line in out.getvalue().splitlines()] == list(trial.STATIONS)
    assert [mail.to for mail in mailoutbox] == [["Trial <ada@example.com>"]]
    assert _rows() == (0, 0, 0)


def test_the_way_that_is_blocked_is_named_and_no_late_mail_comes(sqs, mailoutbox):
    out = StringIO()
    with pytest.raises(CommandError, match="not received within 1 s: no worker took it") as error:
        call_command("queue", "send-test", "ada@example.com", "--wait", "1", stdout=out)
    assert (error.value.returncode, [line.split()[0] for line in out.getvalue().splitlines()]) == (
        1,
        ["committed", "published"],
    )
    assert reconcile.report(timedelta(0)).balanced
    assert Gig.objects.get().sold == 0
    Worker().run(batch=True)
    assert (mailoutbox, provisioning.describe().dead_letters.depth) == ([], 0)


def test_what_is_left_of_an_earlier_one_goes_once_its_message_cannot_come_any_more(sqs, gig):
    list(trial.run("ada@example.com", patience=0))
    list(trial.run("ada@example.com", patience=0))
    assert _rows() == (3, 2, 2)
    Ticket.objects.update(cancelled_at=F("cancelled_at") - trial.GONE)
    list(trial.run("ada@example.com", patience=0))
    assert _rows() == (2, 1, 1)
    assert Gig.objects.filter(pk=gig.pk).exists()


def test_nobody_can_see_or_buy_its_gig(sqs, client):
    run = trial.run("ada@example.com", patience=0)
    next(run)
    slug = Gig.objects.get().slug
    assert (Gig.objects.on_sale().count(), client.get(f"/gigs/{slug}/").status_code) == (0, 404)
    run.close()
