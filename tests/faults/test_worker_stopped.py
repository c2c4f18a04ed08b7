"""SIGTERM: the worker ends within the time a container has, and strands nothing."""

import signal
from threading import Event

import pytest

from rehearsal import proxy
from rehearsal.shop import eventually
from tickets import provisioning, queue
from tickets.delivery import THREADS
from tickets.models import Ticket


@pytest.fixture
def hold(shop):
    """Hold each mail before the server's answer to its RCPT, until told to go on."""
    held, go_on = [], Event()

    def wait(address):
        held.append(address)
        go_on.wait(30)

    shop.smtp.sink.before_mail = wait
    yield held, go_on
    go_on.set()


def test_idle_in_a_long_poll(shop, sell):
    worker = shop.worker()
    shop.sqs.wait_for("ReceiveMessage")
    assert worker.stop() == 0
    assert "mailed 0, parked 0, put off 0, published 0" in worker.said
    # The poll was not cut short: a message that comes now is handed to nobody who is gone.
    sell("ada")
    assert (provisioning.describe().waiting, provisioning.describe().in_flight) == (1, 0)


def test_in_the_middle_of_a_mail(shop, sell, hold):
    held, go_on = hold
    sell("ada")
    worker = shop.worker()
    eventually(lambda: held)
    worker.signal(signal.SIGTERM)
    go_on.set()
    assert worker.wait() == 0
    assert "mailed 1, parked 0, put off 0, published 0" in worker.said
    assert (shop.smtp.sink.recipients, provisioning.describe().depth) == (["ada@example.com"], 0)


def test_in_the_middle_of_a_batch_the_rest_is_handed_back_at_once(shop, sell, hold):
    held, go_on = hold
    handed_back = []

    def note(action, body):
        if action == "ChangeMessageVisibilityBatch":
            handed_back.append(sum(entry["VisibilityTimeout"] == 0 for entry in body["Entries"]))
        return proxy.FORWARD

    shop.sqs.rule = note
    sell(*"abcdefghij")
    worker = shop.worker()
    eventually(lambda: len(held) == THREADS)  # One a thread.
    worker.signal(signal.SIGTERM)
    go_on.set()
    assert worker.wait() == 0
    rest = 10 - THREADS
    assert f"mailed {THREADS}, parked 0, put off 0, published 0" in worker.said
    assert f"handed back {rest} messages" in worker.said
    left = provisioning.describe()
    assert (left.waiting, left.in_flight, Ticket.objects.mailed().count()) == (rest, 0, THREADS)
    assert [number for number in handed_back if number] == [rest]  # In one call; the others are heartbeats.
    shop.worker()
    eventually(lambda: Ticket.objects.mailed().count() == 10)
    assert shop.smtp.sink.recipients == [f"{letter}@example.com" for letter in "abcdefghij"]


def test_what_was_received_ahead_is_handed_back_too(shop, sell, hold):
    held, go_on = hold
    sell(*(f"{number}" for number in range(20)))
    worker = shop.worker()
    eventually(lambda: len(held) == THREADS and provisioning.describe().in_flight == 20)
    worker.signal(signal.SIGTERM)
    go_on.set()
    assert worker.wait() == 0
    left = provisioning.describe()
    assert (left.waiting, left.in_flight, Ticket.objects.mailed().count()) == (20 - THREADS, 0, THREADS)
    assert [message.receive_count for message in queue.receive(wait_seconds=1)] == [2] * 10


def test_a_mail_that_hangs_does_not_hold_up_the_end(shop, sell, hold):
    held, go_on = hold
    sell("ada")
    worker = shop.worker()
    eventually(lambda: held)
    # It doesn't wait for the mail server's time-out: a container is killed after 10 s. The mail is left behind.
    assert worker.stop() == 1
    assert (provisioning.describe().waiting, provisioning.describe().in_flight) == (1, 0)
    go_on.set()
    shop.smtp.sink.before_mail = None
    shop.worker()
    eventually(lambda: Ticket.objects.mailed().count() == 1)
    assert shop.smtp.sink.recipients == ["ada@example.com"]


def test_a_second_sigterm_ends_at_once_and_harmlessly(shop, sell, hold):
    held, go_on = hold
    sell(*"ab")
    worker = shop.worker()
    eventually(lambda: len(held) == 2)
    worker.signal(signal.SIGTERM)
    worker.says("a second signal ends at once")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 128 + signal.SIGTERM
    go_on.set()
    shop.worker()
    eventually(lambda: Ticket.objects.mailed().count() == 2 and provisioning.describe().depth == 0)
    assert set(shop.smtp.sink.recipients) == {"a@example.com", "b@example.com"}
