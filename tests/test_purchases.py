import json
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError
from django.utils import timezone

from tickets import purchases, queue
from tickets.models import Gig, Purchase, Ticket
from tickets.purchases import NotOnSale, NotOurs, Owner, TokenReused, buy, publish, relay

ADA, BOB = Owner("Ada Lovelace", "ada@example.com"), Owner("Bob", "bob@example.com")


def _bodies(sqs):
    bodies = []
    while messages := queue.receive(wait_seconds=0):
        bodies += [json.loads(message.body) for message in messages]
    return bodies


def _make_due():
    Ticket.objects.update(publish_due_at=timezone.now())


def _cut_off(monkeypatch):
    """Take SQS away: nothing listens there, and nothing is sent out of this process."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()


# --- buy ------------------------------------------------------------------------------------------


def test_buy_works(gig):
    sale = buy(gig, [ADA], "token")
    purchase = Purchase.objects.get()
    ticket = Ticket.objects.get()
    assert (sale.purchase, sale.tickets) == (purchase, [ticket])
    assert (purchase.gig, purchase.token) == (gig, "token")
    assert (ticket.purchase, ticket.name, ticket.email, ticket.price, ticket.state) == (
        purchase,
        "Ada Lovelace",
        "ada@example.com",
        Decimal("120.00"),
        Ticket.State.UNPUBLISHED,
    )
    assert Gig.objects.get().sold == 1


def test_buy_takes_six_queries_at_the_most(gig, django_assert_num_queries):
    # BEGIN's savepoint and its release (a plain BEGIN and COMMIT outside a test), the bound on locks, purchase,
    # tickets, seats.
    with django_assert_num_queries(6):
        buy(gig, [ADA], "token")


def test_several_owners_get_a_ticket_each_in_one_purchase(gig):
    sale = buy(gig, [ADA, BOB], "token")
    assert {(ticket.name, ticket.email) for ticket in sale.purchase.tickets.all()} == {ADA, BOB}
    assert Gig.objects.get().sold == 2


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"capacity": 3, "sold": 3}, Gig.Status.SOLD_OUT),
        ({"capacity": 3, "sold": 2}, Gig.Status.SOLD_OUT),
        ({"departs_at": timezone.now() - timedelta(minutes=1)}, Gig.Status.DEPARTED),
        ({"is_published": False}, Gig.Status.UNPUBLISHED),
        ({"sales_start": timezone.now() + timedelta(days=1)}, Gig.Status.NOT_YET),
        ({"sales_end": timezone.now() - timedelta(days=1)}, Gig.Status.CLOSED),
    ],
)
def test_a_gig_that_cant_be_bought_sells_nothing_and_says_why(gig, changes, status):
    Gig.objects.update(**changes)
    with pytest.raises(NotOnSale) as refused:
        buy(gig, [ADA, BOB], "token")
    assert refused.value.status == status
    assert (Purchase.objects.count(), Ticket.objects.count()) == (0, 0)
    assert Gig.objects.get().sold == changes.get("sold", 0)


def test_a_price_that_changed_since_it_was_read_sells_nothing(gig):
    Gig.objects.update(price=Decimal("130.00"))
    with pytest.raises(NotOnSale) as refused:
        buy(gig, [ADA], "token")
    assert refused.value.status == Gig.Status.ON_SALE
    assert Purchase.objects.count() == 0


def test_the_same_submission_again_finds_its_purchase_and_sells_nothing(gig):
    first = buy(gig, [ADA], "token")
    again = buy(gig, [ADA], "token")
    assert (again.purchase, again.tickets) == (first.purchase, [])
    assert Gig.objects.get().sold == 1


def test_the_same_submission_finds_its_purchase_when_the_gig_is_sold_out_by_now(gig):
    first = buy(gig, [ADA], "token")
    Gig.objects.update(capacity=1)
    assert buy(gig, [ADA], "token").purchase == first.purchase


@pytest.mark.parametrize("owners", [[BOB], [ADA, BOB], [Owner("Ada Lovelace", "other@example.com")]])
def test_another_submission_under_the_same_token_is_refused(gig, owners):
    buy(gig, [ADA], "token")
    with pytest.raises(TokenReused):
        buy(gig, owners, "token")
    assert (Gig.objects.get().sold, Ticket.objects.count()) == (1, 1)


def test_another_gig_under_the_same_token_is_refused(gig, make_gig):
    buy(gig, [ADA], "token")
    with pytest.raises(TokenReused):
        buy(make_gig(), [ADA], "token")


def test_the_database_itself_refuses_to_oversell(gig):
    with pytest.raises(IntegrityError, match="gig_never_oversold"):
        Gig.objects.update(sold=gig.capacity + 1)


# --- publish and relay ----------------------------------------------------------------------------


def test_publish_sends_one_message_and_marks_the_ticket(gig, sqs):
    [ticket] = buy(gig, [ADA], "token").tickets
    publish([ticket])
    [message] = queue.receive(wait_seconds=0)
    assert json.loads(message.body) == {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "gigId": "nirvana-cork-1991",
        "ticketId": str(ticket.pk),
    }
    ticket.refresh_from_db()
    assert (ticket.state, ticket.message_id) == (Ticket.State.ON_THE_WAY, message.id)


def test_publish_marks_all_in_one_query(gig, sqs, django_assert_num_queries):
    tickets = buy(gig, [ADA, BOB], "token").tickets
    with django_assert_num_queries(1):
        publish(tickets)
    assert Ticket.objects.on_the_way().count() == 2


def test_publishing_a_repeated_submission_sends_nothing(gig, sqs):
    publish(buy(gig, [ADA], "token").tickets)
    publish(buy(gig, [ADA], "token").tickets)
    assert len(_bodies(sqs)) == 1


def test_while_sqs_is_away_the_ticket_waits_and_the_relay_publishes_it(gig, sqs, monkeypatch, caplog):
    with monkeypatch.context() as away:
        _cut_off(away)
        [ticket] = buy(gig, [ADA], "token").tickets
        publish([ticket])
    queue.forget()
    assert Ticket.objects.unpublished().get() == ticket
    assert "kept for the relay" in caplog.text
    assert "ada@example.com" not in caplog.text
    _make_due()
    assert relay() == 1
    assert [body["ticketId"] for body in _bodies(sqs)] == [str(ticket.pk)]
    assert Ticket.objects.on_the_way().get() == ticket


def test_a_failed_publish_leaves_the_ticket_to_the_relay_at_once(gig, sqs, monkeypatch):
    _cut_off(monkeypatch)
    publish(buy(gig, [ADA], "token").tickets)
    assert Ticket.objects.get().publish_due_at <= timezone.now()


def test_the_breaker_spares_the_fourth_request_the_wait(gig, sqs, monkeypatch):
    _cut_off(monkeypatch)
    calls = []
    queue.producer().meta.events.register("before-call.sqs.*", lambda **_: calls.append(1))
    for token in "abcde":
        publish(buy(gig, [ADA], token).tickets)
    assert len(calls) == 3


def test_a_refused_entry_stays_in_the_outbox_and_its_neighbour_does_not(gig, sqs):
    def refuse_the_first(parsed, **_):
        del parsed["Successful"][0]
        parsed["Failed"] = [{"Id": "0", "Code": "InternalError", "SenderFault": False}]

    queue.producer().meta.events.register("after-call.sqs.SendMessageBatch", refuse_the_first)
    first, second = buy(gig, [ADA, BOB], "token").tickets
    publish([first, second])
    assert (Ticket.objects.unpublished().get(), Ticket.objects.on_the_way().get()) == (first, second)


def test_a_lost_mark_does_not_fail_the_request(gig, sqs, monkeypatch, caplog):
    tickets = buy(gig, [ADA], "token").tickets
    monkeypatch.setattr("django.db.models.QuerySet.update", _raise(DatabaseError("gone")))
    publish(tickets)
    assert f"not marked: tickets {tickets[0].pk}" in caplog.messages


def _raise(error):
    def fail(*_, **__):
        raise error

    return fail


def test_the_relay_leaves_a_ticket_alone_while_its_own_request_publishes_it(gig, sqs):
    buy(gig, [ADA], "token")
    assert relay() == 0


def test_the_relay_publishes_the_longest_due_first_and_no_more_than_its_limit(gig, sqs):
    tickets = [buy(gig, [ADA], token).tickets[0] for token in "abc"]
    for minutes, ticket in zip((1, 3, 2), tickets, strict=True):
        Ticket.objects.filter(pk=ticket.pk).update(publish_due_at=timezone.now() - timedelta(minutes=minutes))
    assert relay(limit=2) == 2
    assert {body["ticketId"] for body in _bodies(sqs)} == {str(tickets[1].pk), str(tickets[2].pk)}


def test_the_relay_publishes_nothing_that_is_mailed_or_parked(gig, sqs):
    mailed, parked = (buy(gig, [ADA], token).tickets[0] for token in "ab")
    Ticket.objects.filter(pk=mailed.pk).update(mailed_at=timezone.now())
    Ticket.objects.filter(pk=parked.pk).update(parked_at=timezone.now())
    _make_due()
    assert relay() == 0


# --- messages -------------------------------------------------------------------------------------

GOOD = {"name": "Ada", "email": "ada@example.com", "gigId": "g", "ticketId": "9b2f6f0e-4a8e-4f5c-8f7e-0d6f2a1b3c4d"}


def test_a_message_of_ours_gives_its_ticket():
    assert purchases.read_message(json.dumps(GOOD)) == uuid.UUID(GOOD["ticketId"])


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("", "not a JSON object: Expecting value: line 1 column 1 (char 0)"),
        ("[" * 100_000, "not a JSON object: nested too deep"),
        ("null", "not an object of exactly name, email, gigId, ticketId"),
        ("[]", "not an object of exactly name, email, gigId, ticketId"),
        ("{}", "not an object of exactly name, email, gigId, ticketId"),
        (json.dumps({**GOOD, "price": "1"}), "not an object of exactly name, email, gigId, ticketId"),
        (json.dumps({**GOOD, "name": 1}), "name is not a text, or empty"),
        (json.dumps({**GOOD, "email": ""}), "email is not a text, or empty"),
        (json.dumps({**GOOD, "ticketId": "1; DROP TABLE"}), "ticketId is not a UUID"),
        ('{"name": "a", "name": "b"}', "not a JSON object: a key stands twice"),
    ],
)
def test_a_message_that_is_not_ours_says_why(body, cause):
    with pytest.raises(NotOurs) as refused:
        purchases.read_message(body)
    assert str(refused.value) == cause
