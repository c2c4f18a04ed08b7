import json
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from rehearsal.smtp import SmtpServer
from tickets import delivery, purchases
from tickets.delivery import Delivery, Outcome
from tickets.models import Ticket
from tickets.purchases import Owner, buy, message_body
from tickets.queue import Received

LEASE = timedelta(seconds=180)


@pytest.fixture
def tickets(gig):
    owners = [Owner(f"Owner {i}", f"owner{i}@example.com") for i in range(6)]
    sold = buy(gig, owners, "token").tickets
    Ticket.objects.update(published_at=timezone.now())
    return sold


@pytest.fixture
def postman(smtp):
    postman = Delivery(LEASE, max_receive_count=5)
    yield postman
    postman.close()


def _message(ticket, receive_count=1, copy=""):
    return Received(f"m-{ticket.pk}{copy}", json.dumps(message_body(ticket)), f"h-{ticket.pk}{copy}", receive_count)


def _recipients(smtp):
    return sorted(mail["To"].addresses[0].addr_spec for mail in smtp.sink.mails)


def test_it_works(tickets, postman, smtp):
    messages = [_message(ticket) for ticket in tickets]
    outcome = postman.deliver(messages)
    assert sorted(message.id for message in outcome.done) == sorted(message.id for message in messages)
    assert (outcome.mailed, outcome.parked, outcome.put_off, outcome.held) == (6, {}, {}, [])
    assert _recipients(smtp) == [f"owner{i}@example.com" for i in range(6)]
    assert Ticket.objects.mailed().filter(claim=None, claimed_until=None).count() == 6


def test_ten_deliveries_take_four_queries(gig, postman, monkeypatch, django_assert_num_queries):
    """Two claim them all, and one marks each wave of five mails: a crash never forgets more than that."""
    monkeypatch.setattr(delivery, "TOGETHER_SECONDS", 30)  # On a busy machine, those of a wave end one by one.
    gig.capacity = 20
    gig.save(update_fields=["capacity"])
    sold = buy(gig, [Owner("A", f"{i}@example.com") for i in range(10)], "ten").tickets
    with django_assert_num_queries(4):
        assert postman.deliver([_message(ticket) for ticket in sold]).mailed == 10


def test_a_message_that_comes_again_is_done_and_mails_nothing(tickets, postman, smtp):
    postman.deliver([_message(tickets[0])])
    outcome = postman.deliver([_message(tickets[0])])
    assert outcome == Outcome(done=[_message(tickets[0])])
    assert len(smtp.sink.mails) == 1


def test_twins_in_one_batch_share_one_mail(tickets, postman, smtp):
    twins = [_message(tickets[0]), _message(tickets[0], copy="b")]
    assert postman.deliver(twins) == Outcome(done=twins, mailed=1)
    assert len(smtp.sink.mails) == 1


def test_a_ticket_that_another_worker_has_claimed_waits_for_the_end_of_its_lease(tickets, postman, smtp):
    Ticket.objects.claim([tickets[0].pk], timedelta(seconds=60))
    outcome = postman.deliver([_message(tickets[0])])
    assert list(outcome.put_off) == [_message(tickets[0])]
    assert outcome.put_off[_message(tickets[0])] == pytest.approx(61, abs=2)
    assert smtp.sink.mails == []


def test_a_claim_whose_lease_ran_out_is_taken_over(tickets, postman, smtp):
    Ticket.objects.claim([tickets[0].pk], timedelta(seconds=-1))
    assert postman.deliver([_message(tickets[0])]).mailed == 1


def test_what_is_not_ours_is_parked_and_hurts_no_neighbour(tickets, postman, smtp):
    not_json = Received("1", "{", "h1", 1)
    unknown = Received(
        "2", json.dumps({**message_body(tickets[0]), "ticketId": "9b2f6f0e-4a8e-4f5c-8f7e-0d6f2a1b3c4d"}), "h2", 1
    )
    outcome = postman.deliver([not_json, _message(tickets[1]), unknown])
    assert outcome == Outcome(
        done=[_message(tickets[1])],
        mailed=1,
        parked={
            not_json: "not a JSON object: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            unknown: "there is no such ticket",
        },
    )


def test_the_row_is_mailed_not_the_message(tickets, postman, smtp):
    message = _message(tickets[0])
    Ticket.objects.filter(pk=tickets[0].pk).update(email="corrected@example.com")
    postman.deliver([message])
    assert _recipients(smtp) == ["corrected@example.com"]


def test_a_refused_address_is_parked_at_once_with_the_servers_words(tickets, postman, smtp, caplog):
    smtp.sink.rcpt_answers["owner0@example.com"] = "550 5.1.1 no such user"
    outcome = postman.deliver([_message(tickets[0]), _message(tickets[1])])
    assert outcome.parked == {_message(tickets[0]): "the mail was refused: 550 5.1.1 no such user"}
    assert outcome.done == [_message(tickets[1])]
    parked = Ticket.objects.parked().get()
    assert (parked, parked.parked_cause, parked.claim) == (
        tickets[0],
        "the mail was refused: 550 5.1.1 no such user",
        None,
    )
    assert "owner0@example.com" not in caplog.text


def test_a_parked_ticket_whose_message_comes_again_is_tried_again(tickets, postman, smtp):
    smtp.sink.rcpt_answers["owner0@example.com"] = "550 no"
    postman.deliver([_message(tickets[0])])
    smtp.sink.rcpt_answers.clear()
    assert postman.deliver([_message(tickets[0])]).mailed == 1
    mailed = Ticket.objects.get(pk=tickets[0].pk)
    assert (mailed.state, mailed.parked_at, mailed.parked_cause) == (Ticket.State.MAILED, None, "")


def test_a_temporary_refusal_is_put_off_and_the_claim_given_back(tickets, postman, smtp, monkeypatch):
    monkeypatch.setattr(delivery, "backoff", lambda receive_count: 30 * receive_count)
    smtp.sink.rcpt_answers["owner0@example.com"] = "450 greylisted"
    outcome = postman.deliver([_message(tickets[0], receive_count=2)])
    assert outcome == Outcome(put_off={_message(tickets[0], receive_count=2): 60})
    assert Ticket.objects.get(pk=tickets[0].pk).claim is None


def test_a_temporary_refusal_at_the_last_receive_is_parked_with_its_cause(tickets, postman, smtp):
    smtp.sink.rcpt_answers["owner0@example.com"] = "450 greylisted"
    message = _message(tickets[0], receive_count=5)
    cause = "put off 5 times, at last: Deferred: 450 greylisted"
    assert postman.deliver([message]) == Outcome(parked={message: cause})
    assert Ticket.objects.parked().get().parked_cause == cause


def test_a_mail_server_that_is_down_holds_every_message_and_spends_nothing(tickets, postman, smtp):
    smtp.stop()
    messages = [_message(ticket) for ticket in tickets]
    outcome = postman.deliver(messages)
    assert sorted(message.id for message in outcome.held) == sorted(message.id for message in messages)
    assert (outcome.done, outcome.parked, outcome.put_off, outcome.mailed) == ([], {}, {}, 0)
    assert "ConnectionRefusedError" in str(outcome.trouble)
    assert Ticket.objects.on_the_way().filter(claim=None).count() == 6


def test_what_was_held_is_mailed_when_the_server_is_back(tickets, postman, smtp):
    smtp.stop()
    held = postman.deliver([_message(ticket) for ticket in tickets]).held
    back = SmtpServer(port=smtp.port)
    back.start()
    assert postman.probe() is None
    outcome = postman.deliver(held)
    back.stop()
    assert outcome.mailed == 6


def test_a_mail_the_server_keeps_hanging_up_on_goes_back_to_the_outbox(tickets, postman, smtp):
    smtp.sink.data_answers["owner0@example.com"] = "421 4.3.2 closing"
    message = _message(tickets[0])
    assert [postman.deliver([message]).held for _ in range(2)] == [[message], [message]]
    assert postman.deliver([message]).done == [message]
    ticket = Ticket.objects.get(pk=tickets[0].pk)
    assert (ticket.state, ticket.publish_due_at > timezone.now()) == (Ticket.State.UNPUBLISHED, True)


def test_a_bug_in_one_mail_is_put_off_and_hurts_no_neighbour(tickets, postman, smtp, monkeypatch):
    real = purchases.emails.ticket_email

    def fail_for_the_first(ticket):
        if ticket.pk == tickets[0].pk:
            raise ZeroDivisionError
        return real(ticket)

    monkeypatch.setattr(purchases.emails, "ticket_email", fail_for_the_first)
    outcome = postman.deliver([_message(tickets[0]), _message(tickets[1])])
    assert (list(outcome.put_off), outcome.done) == ([_message(tickets[0])], [_message(tickets[1])])


def test_after_stop_no_mail_is_begun_and_the_rest_is_held(tickets, postman, smtp):
    messages = [_message(ticket) for ticket in tickets]
    outcome = postman.deliver(messages, until=lambda: time.monotonic() + 5)
    assert set(outcome.held) == set(messages)  # in the order in which the database gave the tickets
    assert (replace(outcome, held=[]), smtp.sink.mails) == (Outcome(), [])
    assert Ticket.objects.filter(claim=None).count() == 6


def test_a_database_that_is_away_holds_every_message(tickets, postman, monkeypatch):
    def away(*_):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr("tickets.models.TicketQuerySet.claim", away)
    outcome = postman.deliver([_message(tickets[0])])
    assert (outcome.held, str(outcome.trouble)) == ([_message(tickets[0])], "the connection is lost")


@pytest.mark.parametrize(("receives", "ceiling"), [(1, 30), (2, 60), (3, 120), (6, 900), (50, 900)])
def test_backoff_has_full_jitter_below_its_ceiling(receives, ceiling):
    drawn = [delivery.backoff(receives) for _ in range(500)]
    assert min(drawn) < ceiling / 10
    assert ceiling * 0.9 < max(drawn) <= ceiling
