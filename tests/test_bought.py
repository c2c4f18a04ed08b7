"""The pages of what was bought: who has their address has them, so they are private; and each is true."""

import uuid

import pytest
from django.urls import reverse

from tickets import aftersales, codes
from tickets.models import Ticket
from tickets.purchases import Owner, buy

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(gig, sqs):
    [ticket] = buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets
    return ticket


# --- The ticket -----------------------------------------------------------------------------------


def test_a_ticket_says_whose_it_is_and_where_to_be(client, ticket):
    page = client.get(ticket.get_absolute_url())
    assert (page.status_code, page.context["ticket"]) == (200, ticket)
    text = page.content.decode()
    for said in ("Nirvana", "Ada Lovelace", "South Main Street", codes.short(ticket.pk)):
        assert said in text


def test_a_ticket_takes_one_query(client, ticket, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get(ticket.get_absolute_url())


def test_an_old_edition_was_replaced(client, ticket):
    aftersales.move(ticket, "Grace Hopper", "grace@example.com")
    page = client.get(ticket.get_absolute_url())
    assert page.status_code == 410
    assert "This ticket was replaced" in page.content.decode()
    assert "grace" not in page.content.decode().lower()
    assert client.get(Ticket.objects.get().get_absolute_url()).status_code == 200


def test_a_cancelled_ticket_says_so(client, ticket):
    aftersales.cancel(ticket)
    page = client.get(ticket.get_absolute_url())
    assert page.status_code == 410
    assert "This ticket was cancelled" in page.content.decode()


@pytest.mark.parametrize(
    "code", [lambda pk: str(pk), lambda pk: codes.sign(pk, 1)[:-1], lambda pk: codes.sign(uuid.uuid4(), 1)]
)
def test_nobody_guesses_a_ticket(client, ticket, code):
    assert client.get(reverse("ticket", args=[code(ticket.pk)])).status_code == 404
