"""The mail server refuses, puts off, hangs up or is away: only its own word on a recipient parks a ticket."""

import pytest

from rehearsal.shop import eventually
from tests.faults.conftest import set_visibility
from tickets import provisioning, queue
from tickets.models import Ticket

LETTERS = "abcdefghij"
EMAILS = [f"{letter}@example.com" for letter in LETTERS]


def test_refused_connections(shop, sell):
    shop.smtp.stop()
    sell(*LETTERS)
    worker = shop.worker()
    worker.says("nothing is received until this is over: MailServerDown")
    assert shop.sqs.seen["ReceiveMessage"] == 0
    shop.smtp.start()
    eventually(lambda: Ticket.objects.mailed().count() == 10)
    assert shop.smtp.sink.recipients == EMAILS
    assert (provisioning.describe().dead_letters.depth, worker.stop()) == (0, 0)


def test_421_is_the_servers_trouble_and_spends_no_retry(shop, sell):
    shop.smtp.sink.rcpt_answers["*"] = "421 too busy"
    sell(*LETTERS)
    worker = shop.worker()
    worker.says("nothing is received until this is over: HungUp")
    del shop.smtp.sink.rcpt_answers["*"]
    eventually(lambda: Ticket.objects.mailed().count() == 10)
    assert shop.smtp.sink.recipients == EMAILS
    assert (provisioning.describe().dead_letters.depth, worker.stop()) == (0, 0)


def test_550_parks_that_one_ticket_with_its_cause(shop, sell):
    shop.smtp.sink.rcpt_answers["c@example.com"] = "550 c@example.com is unknown here"
    sell(*LETTERS)
    shop.worker()
    eventually(lambda: provisioning.describe().depth == 0 and provisioning.describe().dead_letters.waiting == 1)
    [parked] = Ticket.objects.parked()
    assert (parked.name, parked.parked_cause) == ("c", "the mail was refused: 550 c…@example.com is unknown here")
    assert shop.smtp.sink.recipients == [email for email in EMAILS if email != "c@example.com"]


def test_450_puts_that_one_ticket_off_and_the_others_are_mailed(shop, sell):
    shop.smtp.sink.rcpt_answers["c@example.com"] = "450 try later"
    sell(*LETTERS)
    worker = shop.worker()
    worker.says('"event": "put off"')
    eventually(lambda: Ticket.objects.mailed().count() == 9)
    del shop.smtp.sink.rcpt_answers["c@example.com"]
    eventually(lambda: Ticket.objects.mailed().count() == 10)
    assert (shop.smtp.sink.recipients, provisioning.describe().dead_letters.depth) == (EMAILS, 0)


@pytest.mark.parametrize("taken", [True, False], ids=["which it had taken", "which it had not"])
def test_silent_after_data(shop, sell, taken):
    """The client gives up after 10 s and can't know whether the mail is on its way: it is sent again, and marked."""
    silent = []

    def say_nothing(mail):
        if not silent:
            silent.append(mail)
            if not taken:
                shop.smtp.sink.mails.remove(mail)
            eventually(lambda: "HungUp" in worker.said)

    shop.smtp.sink.after_mail = say_nothing
    [ticket] = sell("ada")
    worker = shop.worker()
    eventually(lambda: Ticket.objects.mailed().count() == 1)
    assert [mail["Message-ID"] for mail in shop.smtp.sink.mails] == [f"<{ticket.pk}.1@shop.example.com>"] * (1 + taken)
    assert worker.stop() == 0


def test_an_outage_of_an_hour_in_fast_motion(shop, sell):
    """An hour is 20 visibility timeouts of 180 s. Here they last 1 s, so a worker's 60 heartbeats are the hour."""
    set_visibility(1)
    held, more = list(LETTERS), [f"later-{letter}" for letter in LETTERS]
    shop.smtp.sink.rcpt_answers["*"] = "421 we are moving"
    sell(*held)
    worker = shop.worker()
    worker.says("nothing is received until this is over: HungUp")  # With messages in hand.
    shop.smtp.stop()
    sell(*more)
    received = shop.sqs.seen["ReceiveMessage"]
    shop.sqs.wait_for("ChangeMessageVisibilityBatch", times=60, seconds=120)
    assert shop.sqs.seen["ReceiveMessage"] == received
    waiting = queue.receive(wait_seconds=1)
    assert [message.receive_count for message in waiting] == [1] * 10  # This is the first receive of each.
    shop.smtp.sink.rcpt_answers.clear()
    shop.smtp.start()
    eventually(lambda: Ticket.objects.mailed().count() == 20, seconds=90)
    eventually(lambda: provisioning.describe().depth == 0)
    assert shop.smtp.sink.recipients == sorted(f"{name}@example.com" for name in held + more)
    assert provisioning.describe().dead_letters.depth == 0
    assert worker.stop() == 0
