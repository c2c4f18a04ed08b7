import json
from datetime import timedelta

import pytest
import structlog

from tickets import emails, queue, trace
from tickets.delivery import Delivery
from tickets.models import Purchase, Ticket
from tickets.purchases import Owner, buy, publish, relay

ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ADA, BOB = Owner("Ada", "ada@example.com"), Owner("Bob", "bob@example.com")


@pytest.mark.parametrize(
    "header",
    [f"00-{ID}-{PARENT}-01", f"00-{ID}-{PARENT}-00", f"cc-{ID}-{PARENT}-01", f"cc-{ID}-{PARENT}-01-what-will-be"],
)
def test_a_traceparent_gives_its_trace_id(header):
    assert trace.from_traceparent(header) == ID


@pytest.mark.parametrize(
    "header",
    [
        "",
        ID,
        f"00-{ID}-{PARENT}",
        f"00-{ID.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"ff-{ID}-{PARENT}-01",
        f"00-{ID}-{PARENT}-01-more",
        f"00-{ID}-{PARENT}-01, 00-{ID}-{PARENT}-01",
        f"00-{ID}-{PARENT}-01\n",
        "00-" + "a" * 100_000,
    ],
)
def test_without_a_sound_traceparent_the_trace_id_is_new(header):
    made = trace.from_traceparent(header)
    assert (trace.checked(made), made == ID, made == trace.from_traceparent(header)) == (made, False, False)


@pytest.mark.parametrize(
    "value", [None, 1, b"a" * 32, [ID], "", "0" * 32, ID.upper(), ID[:-1], f"{ID}0", f"{ID}\n", "x" * 250_000]
)
def test_what_is_no_trace_id_is_none(value):
    assert (trace.checked(value), trace.checked(ID)) == ("", ID)


@pytest.mark.django_db
def test_one_trace_id_from_the_request_to_the_mail(client, gig, payload, sqs, smtp, logs):
    answer = client.post(gig.get_absolute_url(), payload(), headers={"traceparent": f"00-{ID}-{PARENT}-01"})
    assert (answer.status_code, Purchase.objects.get().trace) == (302, ID)
    ticket = Ticket.objects.get()

    [message] = queue.receive(wait_seconds=0)
    assert (message.trace, json.loads(message.body).keys()) == (ID, {"name", "email", "gigId", "ticketId"})
    postman = Delivery(timedelta(seconds=180), max_receive_count=5)
    postman.deliver([message])
    postman.close()

    [mail] = smtp.sink.mails
    assert (mail["X-Trace-Id"], mail["Message-ID"]) == (ID, f"<{ticket.pk}.1@localhost>")
    assert logs("event", "logger", "path", "status", "ticket", "message", trace=ID) == [
        ("request", "tickets.logs", f"/gigs/{gig.slug}/", 302, None, None),
        ("mailed", "tickets.delivery", None, None, str(ticket.pk), message.id),
    ]


def test_without_a_traceparent_each_request_has_a_trace_id_of_its_own(client, gig, logs):
    client.get(gig.get_absolute_url())
    client.get(gig.get_absolute_url())
    first, second = logs("trace", event="request")
    assert (trace.checked(first), trace.checked(second), first == second) == (first, second, False)


def test_what_the_relay_publishes_has_the_trace_ids_of_its_purchases(gig, make_gig, sqs):
    sold = [*buy(gig, [ADA, BOB], "one").tickets, *buy(make_gig(), [ADA], "two").tickets]
    Ticket.objects.update(publish_due_at=sold[0].created_at)
    assert relay() == 3
    sent = {json.loads(message.body)["ticketId"]: message.trace for message in queue.receive(wait_seconds=0)}
    assert sent == {str(ticket.pk): ticket.purchase.trace for ticket in sold}
    assert len(set(sent.values())) == 2


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"trace": {"DataType": "String", "StringValue": "x" * 100_000}},
        {"trace": {"DataType": "String", "StringValue": "{{}}\r\nBcc: all@example.com"}},
        {"trace": {"DataType": "Number", "StringValue": "1"}},
        {"trace": {"DataType": "Binary", "BinaryValue": bytes(range(256))}},
        {"trace": {"DataType": "String.custom", "StringValue": "0" * 32}},
        {name: {"DataType": "String", "StringValue": ID} for name in ("Trace", "traceparent", "ticketId", "event")},
    ],
    ids=["none", "huge", "forged", "a number", "bytes", "zeros", "other names"],
)
def test_a_malformed_trace_hurts_no_message_and_reaches_no_mail(gig, sqs, smtp, logs, attributes):
    [ticket] = buy(gig, [ADA], "token").tickets
    publish([ticket])
    [message] = queue.receive(wait_seconds=0)
    queue.delete([message])
    sqs.send_message(QueueUrl=queue.url(), MessageBody=message.body, MessageAttributes=attributes)

    [forged] = queue.receive(wait_seconds=0)
    postman = Delivery(timedelta(seconds=180), max_receive_count=5)
    outcome = postman.deliver([forged])
    postman.close()
    assert (forged.trace, outcome.done, outcome.mailed) == ("", [forged], 1)
    assert [mail["X-Trace-Id"] for mail in smtp.sink.mails] == [ticket.purchase.trace]
    assert logs("event", "trace") == [("mailed", ticket.purchase.trace)]


def test_a_parked_message_keeps_its_trace_id(sqs, db, logs):
    queue.send([queue.Message({"not": "ours"}, ID)])
    [message] = queue.receive(wait_seconds=0)
    postman = Delivery(timedelta(seconds=180), max_receive_count=5)
    [(parked, cause)] = postman.deliver([message]).parked.items()
    postman.close()
    assert logs("event", "message", "cause", trace=ID) == [("parked", message.id, cause)]

    queue.park(parked, cause)
    answer = sqs.receive_message(QueueUrl=queue.dead_letter_url(), MessageAttributeNames=["All"])
    attributes = {name: value["StringValue"] for name, value in answer["Messages"][0]["MessageAttributes"].items()}
    assert attributes == {"cause": cause, "messageId": message.id, "trace": ID}


def test_a_thread_of_the_pool_logs_with_the_keys_of_its_own_delivery(gig, sqs, smtp, logs, monkeypatch):
    """Each mail is rendered in a thread: what is logged there names its own ticket, not a neighbour's."""
    real = emails.ticket_email

    def logged(ticket):
        structlog.get_logger("renderer").info("rendered", really=str(ticket.pk))
        return real(ticket)

    monkeypatch.setattr(emails, "ticket_email", logged)
    publish(buy(gig, [Owner(str(i), f"{i}@example.com") for i in range(8)], "token").tickets)
    postman = Delivery(timedelta(seconds=180), max_receive_count=5)
    postman.deliver(queue.receive(wait_seconds=0))
    postman.close()
    rendered = logs("ticket", "really", "trace", event="rendered")
    sold = [str(pk) for pk in Ticket.objects.values_list("pk", flat=True)]
    assert sorted(rendered) == sorted((pk, pk, Purchase.objects.get().trace) for pk in sold)
    assert len(rendered) == 8


def test_the_admin_shows_a_trace_id_and_finds_its_ticket_and_purchase(admin_client, gig, make_gig):
    [ticket] = buy(gig, [ADA], "token").tickets
    buy(make_gig(), [BOB], "another")
    trace_id = ticket.purchase.trace
    for page, row, element in (
        ("ticket", ticket, f'<dd class="code">{trace_id}</dd>'),
        ("purchase", ticket.purchase, f'<div class="readonly">{trace_id}</div>'),
    ):
        found = admin_client.get(f"/admin/tickets/{page}/", {"q": trace_id}).context["cl"].queryset
        assert list(found) == [row]
        assert element in admin_client.get(f"/admin/tickets/{page}/{row.pk}/change/").content.decode()
