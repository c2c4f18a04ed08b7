"""What was parked: looked at without loss, redriven, dropped with a reason, published again; dry first, each time."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from tickets import health, provisioning, queue
from tickets.models import Ticket
from tickets.purchases import Owner, buy, publish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(health, "LIMIT_SECONDS", 20)


@pytest.fixture
def tickets(gig, sqs):
    """Park two tickets' messages, and one that is nobody's."""
    owners = [Owner("Ada Lovelace", "ada@example.com"), Owner("Grace Hopper", "grace@example.com")]
    tickets = buy(gig, owners, "token").tickets
    publish(tickets)
    queue.send([queue.Message({"no": "ticket"})])
    for message in queue.receive(wait_seconds=0):
        queue.park(message, "550 <ada@example.com> unknown")
    Ticket.objects.update(parked_at=timezone.now(), parked_cause="550 <ada@example.com> unknown")
    return tickets


def _letters(client, query=""):
    return client.get(f"/admin/parked/{query}").context["letters"]


def _of(client, ticket):
    return next(letter.id for letter, _, _ in _letters(client) if letter.ticket_id == ticket.pk)


def _post(client, **data):
    return client.post("/admin/parked/", data)


def _said(answer, client):
    return [str(message) for message in client.get(answer.url).context["messages"]]


def _depths():
    description = provisioning.describe()
    return description.depth, description.dead_letters.depth


def test_looking_takes_nothing_and_masks_personal_data(admin_client, tickets):
    for _ in range(2):
        page = admin_client.get("/admin/parked/").content.decode()
    assert [words in page for words in ("Ada Lovelace&quot;", "ada@example.com", "a…@example.com")] == [
        False,
        False,
        True,
    ]
    assert _depths() == (0, 3)
    assert [letter.receive_count > 1 for letter, _, _ in _letters(admin_client)] == [True] * 3
    assert provisioning.describe().dead_letters.waiting == 3


def test_names_and_addresses_are_shown_when_asked_for_and_the_log_says_to_whom(admin_client, admin_user, tickets, logs):
    bodies = [json.loads(body) for _, body, _ in _letters(admin_client, "?full")]
    assert {body.get("email") for body in bodies} == {"ada@example.com", "grace@example.com", None}
    assert logs("user", event="parked messages shown in full") == [admin_user.pk]


def test_one_is_redriven_after_a_dry_run(admin_client, tickets):
    id = _of(admin_client, tickets[0])
    dry = _post(admin_client, deed="redrive", id=id)
    assert (dry.status_code, len(dry.context["would"]), _depths()) == (200, 1, (0, 3))
    answer = _post(admin_client, deed="redrive", id=id, confirmed="1")
    assert (_depths(), _said(answer, admin_client)) == ((1, 2), ["Redriven: 1. Still parked: 0."])
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, str(entry.user)) == (str(tickets[0].pk), "admin")
    assert entry.get_change_message().startswith("Redriven as message ")


def test_all_are_redriven(admin_client, tickets):
    assert len(_post(admin_client, deed="redrive", all="1").context["would"]) == 3
    _post(admin_client, deed="redrive", all="1", confirmed="1")
    assert _depths() == (3, 0)


def test_one_is_dropped_with_a_reason(admin_client, tickets):
    id = _of(admin_client, tickets[1])
    for data in ({}, {"confirmed": "1"}, {"confirmed": "1", "reason": " "}):
        assert _post(admin_client, deed="drop", id=id, **data).status_code == 200
        assert _depths() == (0, 3)
    _post(admin_client, deed="drop", id=id, confirmed="1", reason="refunded by hand")
    assert _depths() == (0, 2)
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.get_change_message()) == (
        str(tickets[1].pk),
        "Its message was dropped: refunded by hand",
    )
    assert Ticket.objects.parked().count() == 2


def test_a_parked_ticket_is_published_again(admin_client, tickets):
    id = str(tickets[0].pk)
    assert len(_post(admin_client, deed="publish", id=[id, "nonsense"]).context["would"]) == 1
    assert Ticket.objects.parked().count() == 2
    answer = _post(admin_client, deed="publish", id=id, confirmed="1")
    assert _said(answer, admin_client) == ["To be published again: 1. A worker does it."]
    assert Ticket.objects.get(pk=id).state == Ticket.State.UNPUBLISHED
    assert [entry.object_id for entry in LogEntry.objects.all()] == [id]


@pytest.mark.parametrize("data", [{}, {"deed": "redrive"}, {"deed": "nonsense", "all": "1"}])
def test_without_a_choice_nothing_is_done(admin_client, tickets, data):
    answer = _post(admin_client, confirmed="1", **data)
    assert _said(answer, admin_client) == ["Nothing was chosen, so nothing was done."]
    assert _depths() == (0, 3)


def test_a_queue_that_is_away_is_a_state_to_show(admin_client, tickets, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()
    page = admin_client.get("/admin/parked/")
    assert (page.status_code, page.context["trouble"]) == (200, "away: EndpointConnectionError")
    assert len(page.context["tickets"]) == 2
    answer = _post(admin_client, deed="redrive", all="1")
    assert _said(answer, admin_client) == ["away: EndpointConnectionError"]
    answer = _post(admin_client, deed="drop", all="1", confirmed="1", reason="x")
    assert "can't" in _said(answer, admin_client)[0]


@pytest.mark.parametrize(("role", "seen"), [("support", 200), ("door", 403)])
def test_support_looks_and_touches_nothing(sign_in_as, tickets, role, seen):
    client = sign_in_as(role)
    page = client.get("/admin/parked/?full")
    assert page.status_code == seen
    assert "ada@example.com" not in page.content.decode()
    assert _post(client, deed="redrive", all="1", confirmed="1").status_code == 403
    assert _depths() == (0, 3)
