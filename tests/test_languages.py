import json
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from django.utils.cache import has_vary_header

from tickets import purchases
from tickets.delivery import Delivery
from tickets.models import Purchase
from tickets.queue import Received
from tickets.templatetags import local


def language_of(answer):
    return answer.headers["Content-Language"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("it", "it"),
        ("it-CH, en;q=0.5", "it"),
        ("de, it;q=0.8, en;q=0.5", "it"),
        ("en-GB", "en"),
        ("de", "en"),
        ("", "en"),
    ],
)
def test_the_browsers_first_language_that_the_shop_speaks(client, gig, accepted, language):
    answer = client.get("/", headers={"Accept-Language": accepted})
    assert language_of(answer) == language
    assert f'<html lang="{language}"' in answer.content.decode()


def test_the_switch_wins_and_leads_back(client, gig):
    answer = client.post("/language/", {"language": "it", "next": gig.get_absolute_url() + "?a=b"})
    assert (answer.status_code, answer["Location"]) == (302, gig.get_absolute_url() + "?a=b")
    cookie = client.cookies["django_language"]
    assert (cookie.value, cookie["max-age"], cookie["samesite"]) == ("it", 31_536_000, "Lax")
    assert language_of(client.get("/", headers={"Accept-Language": "en"})) == "it"
    client.post("/language/", {"language": "en", "next": "/"})
    assert language_of(client.get("/", headers={"Accept-Language": "it"})) == "en"


def test_the_switch_leads_nowhere_else_and_knows_no_other_language(client):
    assert client.post("/language/", {"language": "it", "next": "https://example.org/"})["Location"] == "/"
    client.post("/language/", {"language": "xx", "next": "/"})
    assert client.cookies["django_language"].value == "it"
    assert client.get("/language/").status_code == 405


def test_the_switch_stands_on_every_page_and_needs_no_token(client, gig):
    for address in ("/", gig.get_absolute_url(), "/api/", "/nowhere/"):
        html = client.get(address).content.decode()
        form = html.partition('<form class="languages"')[2].partition("</form>")[0]
        assert f'name="next" value="{address}"' in form
        assert "csrfmiddlewaretoken" not in form


def test_caches_are_told_what_the_language_depends_on(client, gig):
    page = client.get("/")
    assert has_vary_header(page, "Accept-Language")
    assert has_vary_header(page, "Cookie")
    picture = client.get(f"/images/{gig.slug}.svg")
    assert not has_vary_header(picture, "Accept-Language")
    assert "Content-Language" not in picture.headers


def test_a_picture_is_the_same_in_every_language(client, gig):
    english = client.get(f"/images/{gig.slug}.svg", headers={"Accept-Language": "en"}).content
    assert client.get(f"/images/{gig.slug}.svg", headers={"Accept-Language": "it"}).content == english


def test_a_purchase_keeps_its_buyers_language(client, gig, payload, sqs):
    client.post(gig.get_absolute_url(), payload(), headers={"Accept-Language": "it"})
    assert Purchase.objects.get().language == "it"


def test_the_mail_is_in_the_buyers_language_whatever_the_workers_is(gig):
    with translation.override("it"):
        [ticket] = purchases.buy(gig, [purchases.Owner("Ada", "ada@example.com")], "token").tickets
    with translation.override("en"):
        mail = purchases.emails.ticket_email(ticket)
        assert translation.get_language() == "en"
    assert mail.subject.startswith("Il tuo biglietto: Nirvana, Cork 1991")


def test_the_api_says_what_is_wrong_with_a_field_in_the_clients_language(client, gig):
    body = {"gigId": gig.slug, "name": "Ada", "email": "nobody"}
    answer = client.post("/api/purchase", body, content_type="application/json", headers={"Accept-Language": "it"})
    assert answer.json()["fields"]["email"] == ["Scrivi un indirizzo e-mail come nome@example.com."]
    assert (answer["Content-Language"], has_vary_header(answer, "Accept-Language")) == ("it", True)


@pytest.mark.parametrize(
    ("language", "day", "moment", "price"),
    [
        ("en", "Friday, 2 July 2027", "Friday, 2 July 2027, 18:30 BST", "$1,120.50"),
        ("it", "venerdì 2 luglio 2027", "venerdì 2 luglio 2027, ore 18:30 BST", "1.120,50\N{NO-BREAK SPACE}$"),
    ],
)
def test_days_times_and_prices_are_those_of_the_language(language, day, moment, price):
    departure = datetime(2027, 7, 2, 18, 30, tzinfo=ZoneInfo("Europe/London"))
    with translation.override(language):
        assert (local.day(departure), local.moment(departure)) == (day, moment)
        assert local.price(Decimal("1120.50")) == price


def test_an_instant_is_said_by_each_clock():
    here = datetime(2027, 7, 2, 18, 30, tzinfo=ZoneInfo("Europe/Rome"))
    there = here.astimezone(ZoneInfo("Europe/Dublin"))
    assert here == there
    assert [local.moment(moment).split(", ")[-1] for moment in (here, there)] == ["18:30 CEST", "17:30 IST"]


def test_mails_of_one_batch_are_each_in_their_buyers_language(make_gig, smtp):
    gig, languages = make_gig(capacity=20), ["it", "en"] * 4
    messages = []
    for number, language in enumerate(languages):
        with translation.override(language):
            owner = purchases.Owner(language, f"{number}@example.com")
            [ticket] = purchases.buy(gig, [owner], str(number)).tickets
        messages.append(Received(str(number), json.dumps(purchases.message_body(ticket)), str(number), 1))
    postman = Delivery(timedelta(seconds=60), max_receive_count=5)  # with four threads
    postman.deliver(messages)
    postman.close()
    greetings = {"it": "Ciao it,", "en": "Hello en,"}
    said = {mail["To"].addresses[0].addr_spec: mail.get_body(["plain"]).get_content() for mail in smtp.sink.mails}
    assert len(said) == 8
    assert all(said[f"{i}@example.com"].startswith(greetings[language]) for i, language in enumerate(languages))
