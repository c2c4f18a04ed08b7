"""The pages of what was bought: who has their address has them, so they are private; and each is true."""

import html
import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar

from tickets import aftersales, codes, queue
from tickets.delivery import Delivery
from tickets.models import Ticket
from tickets.purchases import Owner, buy, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def ticket(gig, sqs):
    [ticket] = buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets
    return ticket


@pytest.fixture
def work():
    """Mail what is in the queue."""

    def work():
        postman = Delivery(timedelta(seconds=180), 5)
        queue.delete(postman.deliver(queue.receive(wait_seconds=0)).done)
        postman.close()

    return work


def _addresses(ticket):
    return [
        reverse("mail_again", args=[ticket.purchase_id, ticket.pk]),
        reverse("correct_address", args=[ticket.purchase_id, ticket.pk]),
    ]


# --- The purchase ---------------------------------------------------------------------------------


def test_the_status_is_silent_until_something_changes(client, ticket):
    page = client.get(ticket.purchase.get_absolute_url()).content.decode()
    asked = html.unescape(re.search('data-hx-get="([^"]+)"', page)[1])
    assert (client.get(asked).status_code, client.get(asked).content) == (204, b"")
    Ticket.objects.update(published_at=timezone.now())
    changed = client.get(asked)
    assert (changed.status_code, "Your ticket is on its way" in changed.content.decode()) == (200, True)


@pytest.mark.parametrize("number", [1, 6])
def test_a_purchase_takes_two_queries_however_many_tickets(client, gig, number, django_assert_num_queries):
    purchase = buy(gig, [Owner(f"Owner {i}", f"owner{i}@example.com") for i in range(number)], "token").purchase
    for address in (purchase.get_absolute_url(), reverse("purchase_calendar", args=[purchase.pk])):
        with django_assert_num_queries(2):
            assert client.get(address).status_code == 200


def test_a_purchase_leads_to_each_of_its_tickets(client, gig):
    sale = buy(gig, [Owner("Ada", "ada@example.com"), Owner("Bob", "bob@example.com")], "token")
    page = client.get(sale.purchase.get_absolute_url()).content.decode()
    assert [page.count(ticket.get_absolute_url()) for ticket in sale.tickets] == [1, 1]


def test_tickets_are_numbered_as_they_were_bought_whosever_they_are_by_now(client, gig, sqs):
    sale = buy(gig, [Owner(name, "ada@example.com") for name in ("Zoë", "Ada", "Max", "Bob", "Eve", "Kay")], "token")
    aftersales.move(sale.tickets[4], "Aaron", "aaron@example.com")
    page = client.get(sale.purchase.get_absolute_url()).content.decode()
    assert re.findall('class="whose"[^>]*>([^<]+)<', page) == [
        *("Ticket 1 · Zoë", "Ticket 2 · Ada", "Ticket 3 · Max", "Ticket 4 · Bob", "Ticket 5", "Ticket 6 · Kay")
    ]


def test_the_calendar_has_an_event_for_each_ticket_that_stands(client, gig, sqs):
    ada, bob = buy(gig, [Owner("Ada", "ada@example.com"), Owner("Bob", "bob@example.com")], "token").tickets
    aftersales.cancel(bob)
    address = reverse("purchase_calendar", args=[ada.purchase_id])
    file = client.get(address)
    assert (file["Content-Type"], file["Content-Disposition"]) == (
        "text/calendar; charset=utf-8",
        'attachment; filename="tickets.ics"',
    )
    assert [event["UID"] for event in Calendar.from_ical(file.content).events] == [str(ada.pk)]
    assert "no-store" in file["Cache-Control"]
    aftersales.cancel(ada)
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"published_at": None}, ["done now", "", ""]),
        ({}, ["done", "now", ""]),
        ({"mailed_at": timezone.now()}, ["done", "done", "done"]),
        ({"parked_at": timezone.now()}, ["done", "done", "now"]),
    ],
    ids=["bought", "in the queue", "mailed", "held back"],
)
def test_how_far_a_ticket_is_can_be_heard(client, ticket, changes, steps):
    Ticket.objects.update(**{"published_at": timezone.now()} | changes)
    page = client.get(ticket.purchase.get_absolute_url()).content.decode()
    said = re.findall("<li(.*?)</li>", page[page.index('class="steps"') :])
    words = {", done<": "done", 'aria-current="step"': "now"}
    assert [" ".join(word for sign, word in words.items() if sign in each) for each in said] == steps


# --- Send it again, wrong address? ----------------------------------------------------------------


def test_a_ticket_is_sent_again_after_pauses_twice_as_long_each_time(client, ticket, work, mailoutbox, settings):
    settings.CACHE_URL = "redis://127.0.0.1:1/0"  # Away: this is no reason to send whatever is asked for.
    publish([ticket])
    work()
    again, _ = _addresses(ticket)
    answers = []
    for minutes in (0, 0.9, 1, 1.9, 2, 3.9, 4):
        Ticket.objects.update(mail_asked_at=timezone.now() - timedelta(minutes=minutes))
        answers.append(client.post(again).status_code)
        work()
    assert answers == [302, 429, 302, 429, 302, 429, 302]
    assert [mail.to for mail in mailoutbox] == [["Ada Lovelace <ada@example.com>"]] * 5


@pytest.mark.parametrize(("minutes", "status"), [(59, 429), (60, 302)])
def test_no_pause_is_longer_than_an_hour(client, ticket, minutes, status):
    asked = timezone.now() - timedelta(minutes=minutes)
    Ticket.objects.update(mailed_at=asked, mail_asked_at=asked, mailing=1000)
    assert client.post(_addresses(ticket)[0]).status_code == status


def test_who_asks_too_often_is_told_when_to_ask_again(client, ticket):
    again, _ = _addresses(ticket)
    for _ in range(2):
        Ticket.objects.update(mailed_at=timezone.now())
        answer = client.post(again)
    assert (answer.status_code, 0 < int(answer["Retry-After"]) <= 60) == (429, True)
    assert "Wait " in answer.content.decode()


def test_the_page_says_that_it_is_sent_once_more(client, ticket):
    again, _ = _addresses(ticket)
    first, once_more = "It goes to ada@example.com", "We are sending it once more, to ada@example.com"
    said = [[words in client.get(ticket.purchase.get_absolute_url()).content.decode() for words in (first, once_more)]]
    Ticket.objects.update(mailed_at=timezone.now())
    page = client.post(again, follow=True).content.decode()
    said.append([words in page for words in (first, once_more)])
    assert said == [[True, False], [False, True]]


def test_what_is_on_its_way_is_not_sent_again(client, ticket):
    again, _ = _addresses(ticket)
    assert client.post(again).url == ticket.purchase.get_absolute_url()
    assert Ticket.objects.get().mailing == 1


def test_a_wrong_address_is_corrected_once(client, ticket, work, mailoutbox):
    publish([ticket])
    work()
    _, address = _addresses(ticket)
    assert client.get(address).status_code == 200
    assert client.post(address, {"email": "ada@example.org"}).url == ticket.purchase.get_absolute_url()
    work()
    assert [mail.to for mail in mailoutbox] == [
        ["Ada Lovelace <ada@example.com>"],
        ["Ada Lovelace <ada@example.org>"],
    ]
    assert [client.get(address).status_code, client.post(address, {"email": "ada@example.net"}).status_code] == [
        409
    ] * 2
    assert Ticket.objects.get().email == "ada@example.org"
    # Whoever got the first mail stays out.
    assert client.get(ticket.get_absolute_url()).status_code == 410


@pytest.mark.parametrize(
    ("email", "error"),
    [
        ("nonsense", "Enter an e-mail address like name@example.com."),
        ("ada@example.com", "This is the address that the ticket has already: enter the right one."),
    ],
)
def test_a_wrong_address_is_not_corrected_to_another_wrong_one(client, ticket, email, error):
    _, address = _addresses(ticket)
    answer = client.post(address, {"email": email})
    assert (answer.status_code, answer.context["form"].errors) == (422, {"email": [error]})
    assert (Ticket.objects.get().email, Ticket.objects.get().mailing) == ("ada@example.com", 1)


@pytest.mark.parametrize("state", [{}, {"mailed_at": timezone.now()}, {"parked_at": timezone.now()}])
def test_where_the_ticket_went_is_said_once_it_has_gone(client, ticket, state):
    Ticket.objects.update(**state)
    page = client.get(_addresses(ticket)[1]).content.decode()
    where = "went to" if state else "is on its way to"
    assert f"The ticket of Ada Lovelace {where} ada@example.com." in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cancelled_at": timezone.now()}, "The ticket of Ada Lovelace was cancelled"),
        ({"checked_in_at": timezone.now()}, "Ada Lovelace has gone in with this ticket"),
        ({}, "was corrected before: it goes to ada@example.com now."),
    ],
    ids=["cancelled", "checked in", "corrected"],
)
def test_why_an_address_stays_as_it_is(client, ticket, changes, said):
    """One that was corrected and then cancelled goes nowhere, so that is what is said."""
    Ticket.objects.update(readdressed_at=timezone.now(), **changes)
    answer = client.get(_addresses(ticket)[1])
    assert (answer.status_code, said in html.unescape(answer.content.decode())) == (409, True)


@pytest.mark.parametrize(
    ("reply_to", "address"),
    [("", "tickets@shop.example.com"), ("Box office <help+desk@example.com>", "help+desk@example.com")],
)
def test_who_can_do_no_more_knows_whom_to_write_to_and_about_what(client, ticket, settings, reply_to, address):
    settings.DEFAULT_FROM_EMAIL, settings.REPLY_TO_EMAIL = "Shop <tickets@shop.example.com>", reply_to
    purchase = ticket.purchase.get_absolute_url()
    link = f'<a href="mailto:{address.replace("+", "%2B")}?subject=Purchase%20{ticket.purchase_id}">{address}</a>'
    for changes, page in (
        ({"readdressed_at": timezone.now()}, _addresses(ticket)[1]),
        ({"moved_at": timezone.now()}, purchase),
        ({"moved_at": None, "cancelled_at": timezone.now()}, purchase),
    ):
        Ticket.objects.update(**changes)
        assert client.get(page).content.decode().count(link) == 1


def test_nothing_becomes_of_a_ticket_at_another_purchases_address(client, ticket, gig):
    other = buy(gig, [Owner("Bob", "bob@example.com")], "other").purchase
    for name in ("mail_again", "correct_address"):
        address = reverse(name, args=[other.pk, ticket.pk])
        assert client.post(address, {"email": "bob@example.com"}).status_code == 404
    assert Ticket.objects.get(pk=ticket.pk).mailing == 1


def test_a_moved_ticket_is_no_longer_the_buyers(client, ticket):
    again, address = _addresses(ticket)
    calendar = reverse("purchase_calendar", args=[ticket.purchase_id])
    assert [client.get(address).status_code, client.get(calendar).status_code] == [200, 200]
    aftersales.move(ticket, "Grace Hopper", "grace@example.com")
    Ticket.objects.update(mailed_at=timezone.now())
    row = Ticket.objects.get()
    page = client.get(ticket.purchase.get_absolute_url()).content.decode()
    assert "This ticket has a new owner" in page
    assert [theirs in page for theirs in ("Grace", "grace", row.get_absolute_url(), again, address)] == [False] * 5
    assert [client.post(again).status_code, client.get(address).status_code, client.get(calendar).status_code] == [
        404
    ] * 3
    # By a page that was open before the move.
    assert client.post(address, {"email": "ada@example.org"}).status_code == 404
    assert aftersales.correct_own_address(row, "ada@example.org") is False
    assert Ticket.objects.get().email == "grace@example.com"


def test_looking_sends_nothing_and_leads_to_the_purchase(client, ticket):
    """As the language's switch does on the page that says to wait."""
    again, _ = _addresses(ticket)
    answer = client.get(again)
    assert (answer.status_code, answer["Location"]) == (302, ticket.purchase.get_absolute_url())
    assert Ticket.objects.get().mailing == 1


def test_the_switch_keeps_an_address_that_was_typed_and_corrects_nothing(client, ticket):
    _, address = _addresses(ticket)
    for email, status in (("ada@example.org", 200), ("nonsense", 422)):
        sent = client.post(f"/language/form/?next={address}", {"language": "it", "email": email})
        assert (sent.status_code, sent["Location"]) == (307, address)
        answer = client.post(address, {"language": "it", "email": email})
        assert (answer.status_code, answer.context["form"]["email"].value()) == (status, email)
        assert 'lang="it"' in answer.content.decode()
    assert Ticket.objects.get().email == "ada@example.com"


# --- The ticket -----------------------------------------------------------------------------------


def test_a_ticket_says_whose_it_is_and_where_to_be(client, ticket):
    page = client.get(ticket.get_absolute_url())
    assert (page.status_code, page.context["ticket"]) == (200, ticket)
    text = page.content.decode()
    for said in ("Nirvana", "Ada Lovelace", "South Main Street", ticket.short_code):
        assert said in text


def test_a_ticket_takes_one_query(client, ticket, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get(ticket.get_absolute_url())


def test_an_old_edition_was_replaced(client, ticket):
    aftersales.move(ticket, "Grace Hopper", "grace@example.com")
    page = client.get(ticket.get_absolute_url())
    assert page.status_code == 410
    assert "This ticket was replaced" in page.content.decode()
    assert "Nirvana" in page.content.decode()
    assert "grace" not in page.content.decode().lower()
    assert client.get(Ticket.objects.get().get_absolute_url()).status_code == 200


def test_a_cancelled_ticket_says_so(client, ticket):
    aftersales.cancel(ticket)
    page = client.get(ticket.get_absolute_url())
    assert page.status_code == 410
    assert [said in page.content.decode() for said in ("This ticket was cancelled", "Ada Lovelace", "Nirvana")] == [
        True
    ] * 3


def test_whoever_had_a_cancelled_ticket_before_does_not_learn_whose_it_was_then(client, ticket):
    aftersales.move(ticket, "Grace Hopper", "grace@example.com")
    aftersales.cancel(ticket)
    page = client.get(ticket.get_absolute_url()).content.decode()
    assert ["This ticket was cancelled" in page, "Grace" in page] == [True, False]


@pytest.mark.parametrize(
    "code", [lambda pk: str(pk), lambda pk: codes.sign(pk, 1)[:-1], lambda pk: codes.sign(uuid.uuid4(), 1)]
)
def test_nobody_guesses_a_ticket(client, ticket, code):
    assert client.get(reverse("ticket", args=[code(ticket.pk)])).status_code == 404


def test_a_ticket_has_a_calendar_file_while_it_is_valid(client, ticket):
    address = reverse("ticket_calendar", args=[ticket.code])
    file = client.get(address)
    assert [event["UID"] for event in Calendar.from_ical(file.content).events] == [str(ticket.pk)]
    aftersales.cancel(ticket)
    assert client.get(address).status_code == 404


def test_the_service_worker_is_always_the_newest_and_serves_tickets_alone(client, db):
    answer = client.get("/tickets/worker.js")
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "text/javascript", "no-cache")
    assert "Service-Worker-Allowed" not in answer
    assert "/static/tickets/ticket.css" in answer.content.decode()
