import html
import json
import logging
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tickets import provisioning, queue
from tickets.delivery import Delivery
from tickets.models import Gig, Purchase, Ticket

pytestmark = pytest.mark.django_db
cant_be_bought = pytest.mark.parametrize(
    "changes",
    [{"sold": 10}, {"departs_at": timezone.now()}, {"sales_end": timezone.now()}],
    ids=["sold out", "departed", "closed"],
)
CARD = ("4242 4242 4242 4242", "4242424242424242", "4242", "A Lovelace")


@pytest.fixture
def buy(client, gig, sqs, payload):
    def buy(**changes):
        return client.post(gig.get_absolute_url(), payload(**changes))

    return buy


def _nothing_sold():
    return (Purchase.objects.count(), Ticket.objects.count(), provisioning.describe().depth) == (0, 0, 0)


# --- Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gigs", [1, 3])
def test_the_list_takes_two_queries_however_many_gigs(client, make_gig, django_assert_num_queries, gigs):
    for _ in range(gigs):
        make_gig()
    with django_assert_num_queries(2):
        page = client.get("/")
    assert len(page.context["page_obj"]) == gigs


def test_the_list_is_ordered_by_departure_and_paginated(client, make_gig):
    late, early = (
        make_gig(departs_at=timezone.now() + timedelta(days=9)),
        make_gig(departs_at=timezone.now() + timedelta(days=3)),
    )
    assert list(client.get("/").context["page_obj"]) == [early, late]
    for _ in range(11):
        make_gig()
    assert len(client.get("/?page=2").context["page_obj"]) == 1
    assert client.get("/?page=nonsense").status_code == 200


def test_the_list_marks_what_is_sold_out_and_says_what_is_left(client, make_gig):
    make_gig(capacity=5, sold=5)
    make_gig(capacity=100, sold=90)
    make_gig(capacity=300)
    page = client.get("/").content.decode()
    assert [page.count(mark) for mark in ("sold out", "last 10 left", "300 left")] == [1, 1, 1]


def test_an_empty_list_says_so(client, db):
    assert client.get("/").status_code == 200


def test_a_gig_shows_its_form_and_its_price(client, gig):
    page = client.get(gig.get_absolute_url())
    assert page.status_code == 200
    assert "120.00" in page.content.decode()
    assert 'autocomplete="cc-number"' in page.content.decode()


def test_a_gig_takes_one_query(client, gig, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get(gig.get_absolute_url())


@pytest.mark.parametrize(
    "changes",
    [{"sold": 10}, {"departs_at": timezone.now()}, {"sales_end": timezone.now()}],
    ids=["sold out", "departed", "closed"],
)
def test_a_gig_that_cant_be_bought_is_shown_without_a_form(client, gig, changes):
    Gig.objects.update(**changes)
    page = client.get(gig.get_absolute_url())
    assert (page.status_code, page.context["form"]) == (200, None)


def test_an_unpublished_gig_is_not_there(client, gig):
    Gig.objects.update(is_published=False)
    assert client.get(gig.get_absolute_url()).status_code == 404
    assert client.get(reverse("poster", args=[gig.slug])).status_code == 404


# --- Buying ---------------------------------------------------------------------------------------


def test_buying_works(buy, client):
    answer = buy()
    purchase, ticket = Purchase.objects.get(), Ticket.objects.get()
    assert (answer.status_code, answer.url) == (302, f"/purchases/{purchase.pk}/")
    [message] = queue.receive(wait_seconds=0)
    assert json.loads(message.body) == {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "gigId": "nirvana-cork-1991",
        "ticketId": str(ticket.pk),
    }
    assert (ticket.state, Gig.objects.get().sold) == (Ticket.State.ON_THE_WAY, 1)


def test_the_thank_you_page_is_private(buy, client):
    page = client.get(buy().url)
    assert (page.status_code, page["X-Robots-Tag"], page["Referrer-Policy"]) == (
        200,
        "noindex, nofollow",
        "no-referrer",
    )
    assert "no-store" in page["Cache-Control"]


def test_the_status_turns_from_on_its_way_to_mailed_and_stops_asking(buy, client):
    buy()
    address = reverse("purchase_status", args=[Purchase.objects.get().pk])
    assert "hx-get" in client.get(address).content.decode()
    Ticket.objects.update(mailed_at=timezone.now())
    assert "hx-get" not in client.get(address).content.decode()


def test_the_status_takes_two_queries(buy, client, django_assert_num_queries):
    buy()
    address = reverse("purchase_status", args=[Purchase.objects.get().pk])
    with django_assert_num_queries(2):
        client.get(address)


def test_nobody_guesses_a_purchase(client, db):
    assert client.get(f"/purchases/{uuid.uuid4()}/").status_code == 404


def test_the_same_form_twice_is_one_purchase(buy, payload):
    token = payload()["token"]
    assert buy(token=token).url == buy(token=token).url
    assert (Ticket.objects.count(), provisioning.describe().depth, Gig.objects.get().sold) == (1, 1, 1)


def test_a_used_form_with_other_contents_is_refused_and_says_what_to_do(buy, payload):
    token = payload()["token"]
    buy(token=token)
    answer = buy(token=token, email="other@example.com")
    assert (answer.status_code, answer.templates[0].name) == (422, "tickets/token_reused.html")
    assert (Ticket.objects.count(), provisioning.describe().depth) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [{"sold": 10}, {"departs_at": timezone.now()}, {"sales_end": timezone.now()}],
    ids=["sold out", "departed", "closed"],
)
def test_a_gig_that_cant_be_bought_sells_nothing(buy, gig, changes):
    Gig.objects.update(**changes)
    answer = buy()
    assert (answer.status_code, answer.templates[0].name) == (409, "tickets/not_on_sale.html")
    assert _nothing_sold()


def test_buying_an_unpublished_gig_is_not_found(buy):
    Gig.objects.update(is_published=False)
    assert buy().status_code == 404
    assert _nothing_sold()


def test_while_sqs_is_away_the_purchase_stands(client, gig, sqs, payload, monkeypatch):
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
        queue.forget()
        answer = client.post(gig.get_absolute_url(), payload())
    queue.forget()
    assert (answer.status_code, answer.url) == (302, Purchase.objects.get().get_absolute_url())
    assert Ticket.objects.unpublished().count() == 1


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("name", "", "Enter the name that shall stand on the ticket."),
        ("name", "Eve\r\nBcc: all@example.com", "Leave out line breaks and control characters."),
        ("name", "Eve\u202egnp.exe", "Leave out line breaks and control characters."),
        ("name", "x" * 101, "Ensure this value has at most 100 characters (it has 101)."),
        ("email", "", "Enter the e-mail address that the ticket shall be sent to."),
        ("email", "ada@", "Enter an e-mail address like name@example.com."),
        ("email", "ada@example.com\r\nBcc: a@b.c", "Enter an e-mail address like name@example.com."),
        ("name_on_card", "", "Enter the name as it stands on the card."),
        ("card_number", "4242 4242 4242 4241", "This is not a card number: check it for a mistyped digit."),
        ("card_expiry_month", "13", "Enter a month, 1 to 12."),
        ("card_expiry_month", "", "Enter a month, 1 to 12."),
        ("card_expiry_year", "later", "Enter a year, like 2031."),
        ("card_cvc", "12", "Enter the 3 or 4 digits of the security code."),
        ("disclaimer_accepted", "", "Tick this box to go on."),
    ],
)
def test_a_wrong_field_says_so_and_sells_nothing(buy, field, value, error):
    answer = buy(**{field: value})
    assert (answer.status_code, answer.context["form"].errors) == (422, {field: [error]})
    assert _nothing_sold()


def test_an_expired_card_sells_nothing(buy):
    last_year = timezone.localdate().year - 1
    assert buy(card_expiry_year=last_year).context["form"].errors == {
        "card_expiry_year": [f"Enter a year from {last_year + 1} to {last_year + 21}."]
    }


def test_what_was_typed_is_shown_again_but_for_card_number_and_cvc(buy):
    page = buy(email="nonsense", card_cvc="987").content.decode()
    assert "Ada Lovelace" in page
    assert "nonsense" in page
    assert [secret for secret in ("4242 4242", "42424242", "987") if secret in page] == []


def test_card_data_reaches_no_row_message_mail_or_log(buy, caplog):
    caplog.set_level(logging.DEBUG)
    buy(card_cvc="987")
    [message] = queue.receive(wait_seconds=0)
    rows = repr([list(model.objects.values()) for model in (Gig, Purchase, Ticket)])
    for secret in CARD[:2] + CARD[3:]:
        assert secret not in rows + message.body + caplog.text


@pytest.mark.parametrize("debug", [True, False])
def test_card_data_reaches_no_traceback(client, gig, payload, monkeypatch, settings, mailoutbox, debug):
    def fail(*_):
        raise RuntimeError("a bug")

    settings.DEBUG, settings.ADMINS = debug, [("Operator", "operator@example.com")]
    monkeypatch.setattr("tickets.purchases.buy", fail)
    client.raise_request_exception = False
    answer = client.post(gig.get_absolute_url(), payload(card_cvc="987"))
    seen = html.unescape(answer.content.decode()) + "".join(mail.body for mail in mailoutbox)
    assert answer.status_code == 500
    assert [secret for secret in (*CARD[:2], "A Lovelace", "'987'") if secret in seen] == []


def test_counting_a_purchase_costs_no_query(buy, settings, django_assert_num_queries):
    with CaptureQueriesContext(connection) as counted:
        buy()
    settings.PURCHASE_LIMITS = []
    with django_assert_num_queries(len(counted)):
        buy()


def test_a_form_without_csrf_token_sells_nothing(gig, payload, sqs):
    assert Client(enforce_csrf_checks=True).post(gig.get_absolute_url(), payload()).status_code == 403
    assert _nothing_sold()


def test_a_body_over_64_kb_sells_nothing(buy):
    assert buy(name="x" * 300_000).status_code == 400
    assert _nothing_sold()


def test_pages_allow_no_inline_script_and_no_other_host(client, gig):
    policy = client.get(gig.get_absolute_url())["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy


@pytest.mark.smoke
def test_a_ticket_goes_all_the_way(buy, client, mailoutbox):
    """The main job in one test: also run on SQLite by bin/test."""
    page = client.get(buy().url)
    postman = Delivery(timedelta(seconds=180), max_receive_count=5)
    assert postman.deliver(queue.receive(wait_seconds=0)).mailed == 1
    postman.close()
    assert [mail.to for mail in mailoutbox] == [["Ada Lovelace <ada@example.com>"]]
    assert (page.status_code, Ticket.objects.get().state) == (200, Ticket.State.MAILED)
