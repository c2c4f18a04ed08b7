"""A ticket found by whatever is at hand, its story, and what the staff may do to it."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone

from tickets import codes, story
from tickets.models import Gig, Ticket
from tickets.purchases import Owner, buy, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(gig, sqs):
    buy(gig, [Owner("Grace Hopper", "grace@example.com")], "another")
    [ticket] = buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets
    publish([ticket])
    return Ticket.objects.select_related("purchase__gig").get(pk=ticket.pk)


WAYS = {
    "e-mail": lambda ticket: "ADA@example.com",
    "number": lambda ticket: str(ticket.pk),
    "short code": lambda ticket: ticket.short_code.lower(),
    "earlier short code": lambda ticket: codes.short(ticket.pk, ticket.edition - 1),
    "number for people": lambda ticket: ticket.short_code[:14],
    "signed code": lambda ticket: codes.sign(ticket.pk, 1),
    "its page": lambda ticket: f"https://shop.example.com{ticket.get_absolute_url()}",
    "message id": lambda ticket: ticket.message_id,
    "trace id": lambda ticket: ticket.purchase.trace,
    "purchase": lambda ticket: str(ticket.purchase_id),
    "part of a name": lambda ticket: "lovel",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ["ticket", "purchase"])
def test_it_is_found_by(admin_client, ticket, way, model):
    answer = admin_client.get(f"/admin/tickets/{model}/", {"q": f" {WAYS[way](ticket)} "})
    assert list(answer.context["cl"].queryset) == [ticket if model == "ticket" else ticket.purchase]


@pytest.mark.parametrize("way", ["e-mail", "number", "short code", "message id", "trace id"])
def test_every_way_but_the_name_has_an_index(ticket, way):
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL's own words")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # Two rows are read faster without any index.
    plan = story.find(Ticket.objects.order_by(), WAYS[way](ticket)).explain()
    assert "Index" in plan
    assert "Seq Scan" not in plan


def test_a_part_of_a_name_has_none(ticket):
    """The negative control of the test above."""
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL's own words")
    assert "Seq Scan" in story.find(Ticket.objects.order_by(), "lovel").explain()


def test_the_story_of_a_ticket(ticket, admin_user):
    start = ticket.created_at
    at = {name: start + timedelta(seconds=n) for n, name in enumerate(["published_at", "mailed_at", "checked_in_at"])}
    Ticket.objects.filter(pk=ticket.pk).update(received=2, checked_in_door="North", checked_in_by=admin_user, **at)
    row = Ticket.objects.select_related("purchase__gig").get(pk=ticket.pk)
    assert story.story(row) == [
        ("Bought", start, "Nirvana, Cork 1991", "", False),
        ("Published", start, f"as message {ticket.message_id}", "", False),
        ("Taken on by a worker", None, "2 times", "", False),
        ("Mailed", at["mailed_at"], "to ada@example.com, 1 s after it was asked for", "", False),
        ("Checked in", at["checked_in_at"], "North", "admin", False),
    ]


def test_a_parked_and_cancelled_one_says_why(ticket):
    now = timezone.now()
    Ticket.objects.filter(pk=ticket.pk).update(
        parked_at=now, parked_cause="550 <ada@example.com> unknown", cancelled_at=now + timedelta(seconds=1)
    )
    row = Ticket.objects.select_related("purchase__gig").get(pk=ticket.pk)
    assert [(event.name, event.words) for event in story.story(row) if event.bad] == [
        ("Parked", "550 <a…@example.com> unknown"),
        ("Cancelled", "the seat is free again"),
    ]


def test_its_page_shows_it(admin_client, ticket):
    page = admin_client.get(f"/admin/tickets/ticket/{ticket.pk}/change/").content.decode()
    for words in ("Ada Lovelace", "ada@example.com", ticket.message_id, ticket.purchase.trace, ticket.short_code):
        assert words in page


# --- Actions --------------------------------------------------------------------------------------


def _act(client, ticket, name, /, **data):
    return client.post(f"/admin/tickets/ticket/{ticket.pk}/{name}/", data)


def _told(ticket):
    return [
        (str(entry.user), entry.get_change_message()) for entry in LogEntry.objects.filter(object_id=str(ticket.pk))
    ]


def test_support_mails_again(sign_in_as, ticket):
    client = sign_in_as("support")
    asked = client.get(f"/admin/tickets/ticket/{ticket.pk}/mail-again/")
    assert "goes to ada@example.com once more" in asked.content.decode()
    assert Ticket.objects.get(pk=ticket.pk).mailing == 1
    answer = _act(client, ticket, "mail-again")
    assert (answer.status_code, answer.url) == (302, f"/admin/tickets/ticket/{ticket.pk}/change/")
    assert Ticket.objects.get(pk=ticket.pk).mailing == 2
    assert _told(ticket) == [("support", "Mailed again to a…@example.com.")]
    assert "Mailed again to a…@example.com." in client.get(answer.url).content.decode()


def test_support_corrects_an_address(sign_in_as, ticket):
    _act(sign_in_as("support"), ticket, "correct", email="ada@example.org")
    row = Ticket.objects.get(pk=ticket.pk)
    assert (row.email, row.edition) == ("ada@example.org", 2)
    assert _told(ticket) == [("support", "Address corrected from a…@example.com to a…@example.org, and mailed.")]


def test_an_address_that_is_none_is_refused(sign_in_as, ticket):
    answer = _act(sign_in_as("support"), ticket, "correct", email="nonsense")
    assert (answer.status_code, Ticket.objects.get(pk=ticket.pk).email) == (422, "ada@example.com")
    assert "Enter an e-mail address like name@example.com." in answer.content.decode()
    assert _told(ticket) == []


def test_a_ticket_is_moved(sign_in_as, ticket):
    _act(sign_in_as("organiser"), ticket, "move", name="Grace Hopper", email="grace@example.com")
    row = Ticket.objects.get(pk=ticket.pk)
    assert (row.name, row.email, row.edition) == ("Grace Hopper", "grace@example.com", 2)
    assert _told(ticket) == [("organiser", "Moved from a…@example.com to g…@example.com, and mailed.")]


def test_an_organiser_cancels_once(sign_in_as, ticket):
    client = sign_in_as("organiser")
    assert Gig.objects.get().sold == 2
    for _ in range(2):
        answer = _act(client, ticket, "cancel")
    assert Gig.objects.get().sold == 1
    assert _told(ticket) == [("organiser", "Cancelled.")]
    assert "It is too late for that" in client.get(answer.url).content.decode()


@pytest.mark.parametrize(
    ("role", "name"), [("support", "cancel"), ("door", "mail-again"), ("door", "correct"), ("door", "move")]
)
def test_not_everybody_may(sign_in_as, ticket, role, name):
    before = Ticket.objects.filter(pk=ticket.pk).values().get()
    assert _act(sign_in_as(role), ticket, name, name="Eve", email="eve@example.com").status_code == 403
    assert Ticket.objects.filter(pk=ticket.pk).values().get() == before


def test_only_what_may_be_done_is_offered(sign_in_as, ticket):
    def offered(client):
        page = client.get(f"/admin/tickets/ticket/{ticket.pk}/change/")
        return [action.name for action in page.context["actions"]]

    client = sign_in_as("support")
    assert offered(client) == ["mail-again", "correct", "move"]
    Ticket.objects.update(checked_in_at=timezone.now())
    assert offered(client) == ["mail-again"]
    Ticket.objects.update(cancelled_at=timezone.now())
    assert offered(client) == []


def test_a_stranger_is_sent_to_sign_in(client, ticket):
    for name in ("mail-again", "cancel"):
        assert _act(client, ticket, name).url.startswith("/admin/login/")


def test_a_ticket_that_is_not_there(admin_client, sqs):
    assert admin_client.get(f"/admin/tickets/ticket/{uuid.uuid4()}/cancel/").status_code == 404
