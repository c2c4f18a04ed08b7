"""The web server is killed, and two hundred buyers come at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from django.db import connection

from rehearsal import proxy
from rehearsal.ports import free_port
from rehearsal.shop import Buyer, eventually
from tickets import provisioning
from tickets.models import Gig, Purchase, Ticket

BUYERS, SEATS = 200, 20


def test_sigkill_between_commit_and_publish(shop, port, gig):
    web = shop.web(port)

    def kill(action, _):
        web.kill()
        return proxy.CUT

    shop.sqs.rule = kill
    buyer = Buyer(port, gig.slug, "ada")
    buyer.open()
    with pytest.raises(OSError, match="Connection aborted"):
        buyer.submit()
    # Nobody has told the buyer, but the sale is there, and nothing is in the queue.
    assert (Gig.objects.get().sold, Ticket.objects.unpublished().count(), provisioning.describe().depth) == (1, 1, 0)

    shop.sqs.rule = None
    shop.web(port)
    assert buyer.submit().headers["Location"] == Purchase.objects.get().get_absolute_url()
    assert Gig.objects.get().sold == 1
    Ticket.objects.update(publish_due_at="2020-01-01T00:00Z")  # Its lease of 15 s is over.
    shop.worker()
    eventually(lambda: Ticket.objects.mailed().count() == 1)
    assert shop.smtp.sink.recipients == ["ada@example.com"]


def test_the_same_submission_at_once_waits_for_the_first(shop, port, gig):
    """The first request is held while it publishes; its twin finds the purchase, and is not held."""
    shop.web(port)
    arrived, go_on = Event(), Event()

    def hold(*_):
        arrived.set()
        go_on.wait(30)
        return proxy.FORWARD

    shop.sqs.rule = hold
    buyer = Buyer(port, gig.slug, "ada")
    buyer.open()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(buyer.submit)
        assert arrived.wait(30)
        twin = buyer.submit()
        go_on.set()
        assert (twin.status_code, twin.headers["Location"]) == (302, first.result().headers["Location"])
    assert (Gig.objects.get().sold, Ticket.objects.count()) == (1, 1)


def _rush(shop, gig, wsgi="timelessmusic.wsgi:application") -> list[int]:
    """Let 200 buyers open the form, then all press Buy at once; return how often each status was answered."""
    ports = [free_port(), free_port()]
    for port in ports:
        shop.web(port, wsgi)
    buyers = [Buyer(ports[i % 2], gig.slug, f"buyer-{i}") for i in range(BUYERS)]
    barrier = Barrier(BUYERS)

    def press(buyer):
        barrier.wait(60)
        return buyer.submit().status_code

    with ThreadPoolExecutor(BUYERS) as pool:
        opened = [page.status_code for page in pool.map(Buyer.open, buyers)]
        assert opened == [200] * BUYERS
        return list(pool.map(press, buyers))


def test_200_buyers_for_the_last_20_seats(shop, make_gig):
    gig = make_gig(capacity=SEATS)
    answers = _rush(shop, gig)
    assert (answers.count(302), answers.count(409)) == (SEATS, BUYERS - SEATS)
    assert (Gig.objects.get().sold, Purchase.objects.count(), Ticket.objects.count()) == (SEATS, SEATS, SEATS)
    assert provisioning.describe().waiting == SEATS
    shop.worker()
    eventually(lambda: Ticket.objects.mailed().count() == SEATS)
    assert shop.smtp.sink.recipients == sorted(Ticket.objects.values_list("email", flat=True))


def test_without_the_guard_they_oversell(shop, make_gig):
    """The negative control: the same rush, with the filter and the constraint switched off."""
    gig = make_gig(capacity=SEATS)
    constraint = next(c for c in Gig._meta.constraints if c.name == "gig_never_oversold")
    with connection.schema_editor() as editor:
        editor.remove_constraint(Gig, constraint)
    try:
        answers = _rush(shop, gig, "tests.faults.unguarded:application")
        assert answers.count(302) == Ticket.objects.count() > SEATS
    finally:
        shop.close()
        for model in (Ticket, Purchase, Gig):
            model.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Gig, constraint)
