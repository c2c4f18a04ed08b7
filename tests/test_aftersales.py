from datetime import timedelta
from decimal import Decimal

import pytest
from botocore.exceptions import EndpointConnectionError
from django.db import connection
from django.utils import timezone

from tickets import aftersales, codes, emails, queue
from tickets.delivery import Delivery
from tickets.models import Gig, Ticket
from tickets.purchases import Owner, buy, publish, read_message, relay

LEASE = timedelta(seconds=180)


@pytest.fixture
def ticket(gig, sqs):
    [ticket] = buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets
    publish([ticket])
    return ticket


@pytest.fixture
def delivery():
    delivery = Delivery(LEASE, 5)
    yield delivery
    delivery.close()


@pytest.fixture
def work(delivery):
    def work():
        messages = queue.receive(wait_seconds=0)
        outcome = delivery.deliver(messages)
        queue.delete(outcome.done)
        return outcome

    return work


def _in_a_thread(deed):
    """Do what a web server does meanwhile, on a connection of its own."""
    try:
        deed()
    finally:
        connection.close()


def _row():
    return Ticket.objects.select_related("purchase__gig").get()


def test_a_mail_is_sent_again_as_a_mail_of_its_own(ticket, work, mailoutbox):
    work()
    assert aftersales.mail_again(_row()) is True
    assert (_row().state, _row().edition) == (Ticket.State.ON_THE_WAY, 1)
    work()
    assert [mail.to for mail in mailoutbox] == [["Ada Lovelace <ada@example.com>"]] * 2
    assert [mail.extra_headers["Message-ID"] for mail in mailoutbox] == [
        f"<{ticket.pk}.1@localhost>",
        f"<{ticket.pk}.2@localhost>",
    ]
    assert _row().state == Ticket.State.MAILED


def test_a_parked_ticket_is_mailed_again(ticket, work, mailoutbox):
    Ticket.objects.update(parked_at=timezone.now(), parked_cause="550 no such user")
    aftersales.correct_address(_row(), "ada@example.org")
    work()
    assert [mail.to for mail in mailoutbox] == [["Ada Lovelace <ada@example.org>"]]
    assert (_row().state, _row().parked_cause, _row().edition) == (Ticket.State.MAILED, "", 2)


def test_a_new_owner_voids_the_code_of_the_first(ticket, work, mailoutbox):
    assert aftersales.move(_row(), "Grace Hopper", "grace@example.com") is True
    row = _row()
    assert (row.name, row.email, row.edition) == ("Grace Hopper", "grace@example.com", 2)
    assert codes.read(codes.sign(row.pk, row.edition)).edition > ticket.edition


def test_a_buyer_corrects_the_address_once(ticket):
    assert aftersales.correct_own_address(ticket, "ada@example.org") is True
    assert aftersales.correct_own_address(ticket, "ada@example.net") is False
    assert (_row().email, _row().mailing) == ("ada@example.org", 2)


def test_a_mail_under_way_to_the_old_address_is_not_taken_for_the_new_one(ticket, delivery, mailoutbox):
    """Without the mailing's number the first worker's mark would swallow the second mail."""
    [message] = queue.receive(wait_seconds=0)
    [claimed] = Ticket.objects.claim([read_message(message.body)], LEASE)
    aftersales.correct_address(_row(), "ada@example.org")
    assert Ticket.objects.mark_mailed([claimed]) == 0
    [again] = queue.receive(wait_seconds=0)
    outcome = delivery.deliver([again])
    assert (outcome.mailed, [mail.to for mail in mailoutbox]) == (1, [["Ada Lovelace <ada@example.org>"]])


@pytest.mark.parametrize("sender", [lambda tickets: publish(tickets), lambda _: relay()])
def test_a_first_message_does_not_hide_that_the_second_could_not_be_published(gig, sqs, sender):
    """SQS takes the message of a ticket that is readdressed before the mark, and then is away."""
    tickets = buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets
    Ticket.objects.update(publish_due_at=timezone.now())
    asked = []

    def between(**_):
        asked.append("once more")
        if len(asked) > 1:
            raise EndpointConnectionError(endpoint_url="https://sqs.invalid")
        aftersales.correct_address(_row(), "ada@example.org")

    queue.producer().meta.events.register("after-call.sqs.SendMessageBatch", between)
    sender(tickets)
    assert (len(asked), _row().state) == (2, Ticket.State.UNPUBLISHED)


def test_who_is_readdressed_while_the_old_address_is_refused_is_not_parked(transactional_db, ticket, smtp, delivery):
    [message] = queue.receive(wait_seconds=0)
    smtp.sink.data_answers["ada@example.com"] = "550 no such user"
    smtp.sink.before_mail = lambda _: _in_a_thread(lambda: aftersales.correct_address(_row(), "ada@example.org"))
    outcome = delivery.deliver([message])
    assert (list(outcome.put_off), outcome.parked, _row().state) == ([message], {}, Ticket.State.ON_THE_WAY)
    smtp.sink.before_mail = None
    [again] = queue.receive(wait_seconds=0)
    assert (delivery.deliver([again]).mailed, smtp.sink.recipients) == (1, ["ada@example.org"])
    assert delivery.deliver([message]).done == [message]


def test_a_ticket_cancelled_while_it_is_mailed_stays_cancelled(transactional_db, ticket, smtp, delivery):
    smtp.sink.before_mail = lambda _: _in_a_thread(lambda: aftersales.cancel(ticket))
    messages = queue.receive(wait_seconds=0)
    assert delivery.deliver(messages).done == messages
    assert (_row().state, _row().claim, Gig.objects.get().sold) == (Ticket.State.CANCELLED, None, 0)
    assert delivery.deliver(messages).done == messages
    assert len(smtp.sink.mails) == 1


def test_a_cancelled_ticket_frees_its_seat_once_and_is_never_mailed(ticket, work, mailoutbox):
    assert (Gig.objects.get().sold, Gig.objects.get().revenue) == (1, Decimal("120.00"))
    assert [aftersales.cancel(ticket), aftersales.cancel(ticket)] == [True, False]
    assert (Gig.objects.get().sold, Gig.objects.get().revenue) == (0, Decimal("0.00"))
    outcome = work()
    assert (outcome.done != [], outcome.mailed, mailoutbox) == (True, 0, [])
    assert _row().state == Ticket.State.CANCELLED


@pytest.mark.parametrize(
    "change",
    [
        lambda ticket: aftersales.mail_again(ticket),
        lambda ticket: aftersales.move(ticket, "Grace", "grace@example.com"),
        lambda ticket: aftersales.correct_own_address(ticket, "grace@example.com"),
    ],
)
def test_nothing_becomes_of_a_cancelled_ticket(ticket, change):
    aftersales.cancel(ticket)
    assert change(ticket) is False
    assert (_row().name, _row().email, _row().mailing, _row().edition) == ("Ada Lovelace", "ada@example.com", 1, 1)


def test_who_is_in_keeps_the_ticket(ticket):
    Ticket.objects.update(checked_in_at=timezone.now())
    assert aftersales.cancel(ticket) is False
    assert aftersales.move(ticket, "Grace", "grace@example.com") is False
    assert (Gig.objects.get().sold, _row().name) == (1, "Ada Lovelace")


def test_while_sqs_is_away_the_relay_has_the_mail(ticket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()
    assert aftersales.mail_again(ticket) is True
    assert _row().state == Ticket.State.UNPUBLISHED
    assert emails.ticket_email(_row()).extra_headers["Message-ID"] == f"<{ticket.pk}.2@localhost>"


def test_a_mail_asked_for_later_is_not_late_at_once(ticket, work):
    work()
    Ticket.objects.update(created_at=timezone.now() - timedelta(days=30), mail_asked_at=timezone.now() - timedelta(30))
    aftersales.mail_again(_row())
    assert not Ticket.objects.hanging(timedelta(minutes=5)).exists()
    [oldest] = [place.oldest for place in Ticket.objects.not_mailed() if place.oldest]
    assert timezone.now() - oldest < timedelta(minutes=1)
