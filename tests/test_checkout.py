"""Buying on the page: what is sold, what is refused, and what then stays of what was typed."""

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

from tickets import provisioning, purchases, queue
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
        "same-origin",
    )
    assert "no-store" in page["Cache-Control"]


def test_the_status_turns_from_on_its_way_to_mailed_and_stops_asking(buy, client):
    buy()
    address = reverse("purchase_status", args=[Purchase.objects.get().pk])
    assert "data-hx-get" in client.get(address).content.decode()
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
    assert f'class="button" href="{reverse("purchase_by_token", args=[token])}"' in answer.content.decode()
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
    page = answer.content.decode()
    nothing = "Nothing was bought and nothing was charged."
    assert page.index("</h1>") < page.index(nothing) < page.index("</p>", page.index("</h1>"))
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
        ("card_expiry", "13/27", "Enter the expiry date as it stands on the card, like 12/31."),
        ("card_expiry", "", "Enter the expiry date as it stands on the card, like 12/31."),
        ("card_expiry", "later", "Enter the expiry date as it stands on the card, like 12/31."),
        ("price", "", "Reload this page: it lost the price."),
        ("price", "cheap", "Reload this page: it lost the price."),
        ("card_cvc", "12", "Enter the 3 or 4 digits of the security code."),
        ("disclaimer_accepted", "", "Tick this box to go on."),
    ],
)
def test_a_wrong_field_says_so_and_sells_nothing(buy, field, value, error):
    answer = buy(**{field: value})
    errors = answer.context["form"].errors | answer.context["owners"].forms[0].errors
    assert (answer.status_code, errors) == (422, {field: [error]})
    assert error in html.unescape(answer.content.decode())
    assert _nothing_sold()


def test_an_expired_card_sells_nothing(buy):
    last_year = timezone.localdate().year - 1
    assert buy(card_expiry=f"12/{last_year}").context["form"].errors == {
        "card_expiry": [f"Enter a year from {last_year + 1} to {last_year + 21}."]
    }


def test_what_was_typed_is_shown_again_but_for_card_number_and_cvc(buy):
    page = buy(email="nonsense", card_cvc="987").content.decode()
    assert "Ada Lovelace" in page
    assert "nonsense" in page
    assert [secret for secret in ("4242 4242", "42424242", 'value="987"') if secret in page] == []


def test_the_summary_names_the_box_to_tick_by_where_it_is(buy):
    page = html.unescape(buy(disclaimer_accepted="").content.decode())
    assert '<a href="#id_disclaimer_accepted">Tick the box above the button: this is a demo.</a>' in page
    assert page.count("Tick this box to go on.") == 1  # beside it


AGAIN = "Type it again: for your safety it isn't kept."


@pytest.mark.parametrize("changes", [{"email": "nonsense"}, {"price": "100.00"}, {"add": "1"}, {"language": "it"}])
def test_what_isnt_kept_of_the_card_says_so_beside_its_field(buy, changes):
    form = buy(**changes).context["form"]
    help_texts = {field.name: (f"{field.help_text}", field.aria_describedby) for field in form if field.help_text}
    assert help_texts == {
        "card_number": (AGAIN, "id_card_number_helptext"),
        "card_cvc": (AGAIN, "id_card_cvc_helptext"),
    }


def test_what_was_never_typed_or_never_left_the_page_isnt_asked_for_again(buy, client, gig, payload):
    empty = payload(card_number="", card_cvc="", add="1")
    kept = client.post(gig.get_absolute_url(), payload(email="nonsense"), headers={"hx-request": "true"})
    answers = [client.get(gig.get_absolute_url()), client.post(gig.get_absolute_url(), empty), kept]
    assert [AGAIN in html.unescape(answer.content.decode()) for answer in answers] == [False] * 3


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
        buy(email="bob@example.com")


def test_a_form_without_csrf_token_sells_nothing(gig, payload, sqs):
    assert Client(enforce_csrf_checks=True).post(gig.get_absolute_url(), payload()).status_code == 403
    assert _nothing_sold()


def test_a_body_over_64_kb_sells_nothing(buy):
    assert buy(name="x" * 300_000).status_code == 413
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


# --- Several owners -------------------------------------------------------------------------------

ADA, BOB, EVE = ("Ada Lovelace", "ada@example.com"), ("Bob", "bob@example.com"), ("Eve", "eve@example.com")


def rows(*owners):
    """Give what the form sends of its owners."""
    fields = {"owners-TOTAL_FORMS": len(owners)}
    for number, (name, email) in enumerate(owners):
        fields |= {f"owners-{number}-name": name, f"owners-{number}-email": email}
    return fields


def test_three_owners_get_a_ticket_and_a_message_each(buy):
    assert buy(**rows(ADA, BOB, EVE)).status_code == 302
    sold = {(ticket.name, ticket.email, str(ticket.pk)) for ticket in Purchase.objects.get().tickets.all()}
    bodies = [json.loads(message.body) for message in queue.receive(wait_seconds=0)]
    assert {(body["name"], body["email"], body["ticketId"]) for body in bodies} == sold
    assert ({owner[:2] for owner in sold}, len(bodies), Gig.objects.get().sold) == ({ADA, BOB, EVE}, 3, 3)


@pytest.mark.parametrize(("owners", "error"), [([], "Buy one ticket at least."), ([("", "")], None)])
def test_only_a_form_without_any_row_is_told_to_buy_a_ticket(buy, owners, error):
    """In a row that is empty each field says what it lacks."""
    page = buy(**{"owners-0-name": "", "owners-0-email": "", **rows(*owners)})
    assert page.status_code == 422
    assert page.context["owners"].non_form_errors() == ([error] if error else [])


def test_six_cost_no_more_queries_than_one(buy, django_assert_num_queries):
    with CaptureQueriesContext(connection) as counted:
        buy()
    six = [(f"Owner {number}", f"owner{number}@example.com") for number in range(6)]
    with django_assert_num_queries(len(counted)):
        assert buy(**rows(*six)).status_code == 302
    assert Ticket.objects.count() == 7


def test_a_purchase_takes_eight_queries_whoever_buys(buy, django_assert_num_queries):
    # The gig; whether these have just bought; a savepoint, the purchase, its tickets, the seats, its end; published.
    with django_assert_num_queries(8):
        buy(**rows(ADA, BOB))


def test_all_or_none_is_sold_and_a_row_that_is_there_must_be_filled(buy):
    answer = buy(**rows(ADA, ("", "")))
    assert answer.status_code == 422
    assert answer.context["owners"].errors == [
        {},
        {
            "name": ["Enter the name that shall stand on the ticket."],
            "email": ["Enter the e-mail address that the ticket shall be sent to."],
        },
    ]
    assert _nothing_sold()


@pytest.mark.parametrize("number", [0, 7, 100])
def test_no_fewer_than_one_and_no_more_than_six(buy, number):
    assert buy(**rows(*[ADA] * number)).status_code == 422
    assert _nothing_sold()


def test_the_same_email_for_all_is_one_tick(buy):
    buy(same_email="on", **rows(ADA, ("Bob", ""), ("Eve", "nonsense")))
    assert set(Ticket.objects.values_list("name", "email")) == {
        ("Ada Lovelace", "ada@example.com"),
        ("Bob", "ada@example.com"),
        ("Eve", "ada@example.com"),
    }


def test_fewer_seats_than_asked_for_are_named_and_the_form_stays(buy):
    Gig.objects.update(sold=8)
    answer = buy(**rows(ADA, BOB, EVE))
    page = answer.content.decode()
    assert (answer.status_code, "There are only 2 seats left." in page) == (409, True)
    assert [form["name"].value() for form in answer.context["owners"]] == ["Ada Lovelace", "Bob", "Eve"]
    assert 'name="keep" value="2"' in page
    assert _shown(buy(keep="2", **rows(ADA, BOB, EVE))) == [ADA, BOB]
    assert _nothing_sold()


def _shown(answer):
    return [(form["name"].value(), form["email"].value()) for form in answer.context["owners"]]


def test_a_row_more_and_a_row_less_keep_what_was_typed_but_for_number_and_cvc(buy):
    more = buy(add="1", **rows(ADA, ("", "nonsense")), card_cvc="987", disclaimer_accepted="on", same_email="on")
    assert (more.status_code, _shown(more)) == (200, [ADA, ("", "nonsense"), (None, None)])
    page = more.content.decode()
    assert [kept in page for kept in ("A Lovelace", "4242 4242", 'value="987"')] == [True, False, False]
    assert [more.context["form"][name].value() for name in ("same_email", "disclaimer_accepted")] == [True, True]
    assert "errorlist" not in page
    less = buy(remove="1", **rows(ADA, BOB, EVE))
    assert (less.status_code, _shown(less)) == (200, [ADA, EVE])
    assert _nothing_sold()


@pytest.mark.parametrize("wish", ["add 1", "remove 6", "remove -1", "remove x", "keep 0", "keep 6", "keep -1"])
def test_rows_stay_within_their_bounds(buy, wish):
    name, value = wish.split()
    assert len(_shown(buy(**rows(*[ADA] * 6), **{name: value}))) == 6


@pytest.mark.parametrize(
    ("sold", "owners", "told"),
    [(4, 5, "Add another ticket"), (3, 6, "Not more than 6 tickets at once."), (8, 2, "There is no other seat left.")],
)
def test_a_row_more_is_offered_or_the_form_says_why_not(buy, sold, owners, told):
    Gig.objects.update(sold=sold)
    page = buy(language="en", **rows(*[ADA] * owners)).content.decode()
    words = ("Add another ticket", "Not more than 6 tickets at once.", "There is no other seat left.")
    assert [each for each in words if each in page] == [told]


def test_the_last_row_stays(buy):
    assert len(_shown(buy(remove="0"))) == 1


def test_the_languages_switch_keeps_what_was_typed_but_for_number_and_cvc(buy, client, gig):
    typed = rows(ADA, ("", "nonsense")) | {"language": "it", "card_cvc": "987", "disclaimer_accepted": "on"}
    sent = client.post(f"/language/form/?next={gig.get_absolute_url()}", typed)
    assert (sent.status_code, sent["Location"], sent.cookies["django_language"].value) == (
        307,
        gig.get_absolute_url(),
        "it",
    )
    answer = buy(**typed)
    page = answer.content.decode()
    assert (answer.status_code, _shown(answer)) == (200, [ADA, ("", "nonsense")])
    assert [kept in page for kept in ('lang="it"', "A Lovelace", "4242 4242", 'value="987"', "autofocus")] == [
        *(True, True, False, False, False)
    ]
    assert _nothing_sold()


def test_a_form_is_sent_on_with_its_token_alone_and_to_ourselves(gig):
    client = Client(enforce_csrf_checks=True)
    client.get(gig.get_absolute_url())
    token = client.cookies["csrftoken"].value
    address = f"/language/form/?next={gig.get_absolute_url()}"
    assert client.post(address, {"language": "it"}).status_code == 403
    assert client.post(address, {"language": "it", "csrfmiddlewaretoken": token}).status_code == 307
    elsewhere = client.post("/language/form/?next=//example.org/", {"csrfmiddlewaretoken": token})
    assert elsewhere["Location"] == "/"


def test_a_row_more_is_the_same_submission(buy, payload):
    token = payload()["token"]
    assert buy(add="1", token=token).context["form"]["token"].value() == token


# --- The price, and buying again ------------------------------------------------------------------


def test_a_price_that_changed_since_it_was_shown_is_shown_again_and_not_charged(buy, payload):
    token = payload()["token"]
    Gig.objects.update(price="130.00")
    answer = buy(token=token)
    page = answer.content.decode()
    assert (answer.status_code, "a ticket was $120.00 and is $130.00 now" in page) == (409, True)
    assert 'name="price" value="130.00"' in page
    assert _nothing_sold()
    assert buy(token=token, price="130.00").status_code == 302
    assert str(Ticket.objects.get().price) == "130.00"


def test_a_purchase_is_found_by_its_form_whatever_the_price_is_by_now(buy, payload):
    token = payload()["token"]
    bought = buy(token=token).url
    Gig.objects.update(price="130.00")
    assert buy(token=token).url == bought


def test_the_page_says_what_the_form_will_charge(buy):
    page = buy(add="1", **rows(ADA, BOB)).content.decode()
    assert "Buy 3 tickets · $360.00" in page


def test_who_has_just_bought_is_asked_once(buy, payload):
    buy()
    token = payload()["token"]
    asked = buy(token=token, email="ADA@example.com")
    assert (asked.status_code, "If you want another ticket" in asked.content.decode()) == (409, True)
    # The form says from now on that it was asked, whatever else is wrong with it, and its own button buys.
    wrong = buy(token=token, email="ADA@example.com", again="on", card_number="")
    assert (wrong.status_code, Ticket.objects.count()) == (422, 1)
    assert [answer.content.decode().count('name="again" value="on"') for answer in (asked, wrong)] == [1, 1]
    assert buy(token=token, email="ADA@example.com", again="on").status_code == 302
    assert Ticket.objects.count() == 2


@pytest.mark.parametrize("change", ["an hour ago", "another gig", "cancelled"])
def test_nobody_is_asked_without_cause(buy, make_gig, change):
    buy()
    if change == "an hour ago":
        Ticket.objects.update(created_at=timezone.now() - timedelta(hours=1))
    elif change == "another gig":
        Purchase.objects.update(gig=make_gig())
    else:
        Ticket.objects.update(cancelled_at=timezone.now())
    assert buy().status_code == 302


# --- Beside the field -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("owners-0-name", "", "Enter the name that shall stand on the ticket."),
        ("owners-5-email", "ada@", "Enter an e-mail address like name@example.com."),
        ("name_on_card", "", "Enter the name as it stands on the card."),
        ("card_expiry", "1/20", "Enter a year from"),
        ("owners-5-email", "ada@example.com", ""),
        ("card_expiry", "12/35", ""),
    ],
)
def test_a_field_is_checked_by_itself(client, name, value, error, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.post(reverse("check"), {name: value})
    page = html.unescape(answer.content.decode())
    assert (answer.status_code, page.count("<li>"), error in page) == (200, int(bool(error)), True)


@pytest.mark.parametrize("names", [["card_number"], ["card_cvc"], ["token"], [], ["owners-0-name", "card_number"]])
def test_card_number_and_cvc_are_no_fields_to_be_checked_by_themselves(client, names):
    assert client.post(reverse("check"), dict.fromkeys(names, "x")).status_code == 404


# --- The purchase found again ---------------------------------------------------------------------


def test_a_submission_finds_its_purchase_by_its_token(buy, client, payload):
    token = payload()["token"]
    address = reverse("purchase_by_token", args=[token])
    nothing = client.get(address)
    assert (nothing.status_code, "Nothing was bought" in nothing.content.decode()) == (404, True)
    assert f'class="button" href="{address}">Look again<' in nothing.content.decode()
    bought = buy(token=token).url
    answer = client.get(address)
    assert (answer.status_code, answer.url, answer["X-Robots-Tag"]) == (302, bought, "noindex, nofollow")
    assert "no-store" in answer["Cache-Control"]


def test_htmx_is_sent_to_the_purchase(client, gig, sqs, payload):
    answer = client.post(gig.get_absolute_url(), payload(), headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Redirect"]) == (200, Purchase.objects.get().get_absolute_url())


def test_a_busy_shop_names_the_way_to_the_purchase(buy, gig, monkeypatch, payload):
    def busy(*_):
        raise purchases.Busy

    monkeypatch.setattr("tickets.purchases.buy", busy)
    token = payload()["token"]
    answer = buy(token=token)
    page, way, anew = answer.content.decode(), reverse("purchase_by_token", args=[token]), gig.get_absolute_url()
    assert (answer.status_code, [f'href="{there}"' in page for there in (way, anew)]) == (409, [True, True])
    assert f'name="next" value="{way}"' in page  # In another language, too.
