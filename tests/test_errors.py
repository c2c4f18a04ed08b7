"""What goes wrong is answered in the shop's own look, with a way on."""

import re

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.views.defaults import server_error

pytestmark = pytest.mark.django_db


def _page(answer):
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    page = answer.content.decode()
    assert 'class="wordmark"' in page
    assert 'class="button" href="/' in page
    return page


def test_an_address_that_there_isnt(client):
    answer = client.get("/nothing/")
    assert (answer.status_code, "Not in any year" in _page(answer)) == (404, True)


def test_a_host_that_isnt_ours(client):
    answer = client.get("/", headers={"host": "elsewhere.example.com"})
    assert (answer.status_code, "Something got garbled" in _page(answer)) == (400, True)


def test_what_is_too_large_can_be_read_in_another_language(client, gig):
    answer = client.post(gig.get_absolute_url(), {"name": "x" * 70_000})
    assert (answer.status_code, "Too much luggage" in _page(answer)) == (413, True)
    assert f'name="next" value="{gig.get_absolute_url()}"' in answer.content.decode()


@pytest.mark.parametrize(
    ("method", "path"), [("post", "/"), ("put", "/gigs/nirvana-cork-1991/"), ("delete", "/robots.txt")]
)
def test_a_method_that_an_address_doesnt_know(client, gig, method, path):
    answer = getattr(client, method)(path)
    assert (answer.status_code, "Not played that way" in _page(answer)) == (405, True)
    assert answer["Allow"].startswith("GET")


def test_the_api_says_all_of_it_in_json_however_it_is_packed(client):
    answer = client.put("/api/gigs", headers={"accept-encoding": "gzip"})
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
    answer = client.get("/api/nothing", headers={"accept-encoding": "gzip"})
    assert (answer.status_code, answer.json(), "Content-Encoding" in answer) == (404, {"error": "Not Found"}, False)


def test_a_form_without_its_cookie_leads_to_a_fresh_one(gig, payload):
    buyer = Client(enforce_csrf_checks=True)
    answer = buyer.post(gig.get_absolute_url(), payload())
    assert answer.status_code == 403
    page = _page(answer)
    assert f'href="{gig.get_absolute_url()}">Open a fresh form</a>' in page
    assert "4242" not in page


def test_another_form_without_its_cookie_leads_to_the_list():
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x"})
    assert (answer.status_code, "Open a fresh form" in _page(answer)) == (403, False)


def test_a_form_that_was_open_overnight_still_buys(gig, payload, sqs):
    buyer = Client(enforce_csrf_checks=True)
    form = buyer.get(gig.get_absolute_url())
    assert form.cookies["csrftoken"]["max-age"] > 7 * 24 * 3600
    [token] = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', form.content.decode())[:1]
    data = payload(csrfmiddlewaretoken=token)
    assert buyer.post(gig.get_absolute_url(), data).status_code == 302


def test_the_last_resort_needs_neither_request_nor_database(rf, monkeypatch):
    def fail(*_):
        raise AssertionError("it asked the database")

    monkeypatch.setattr(connection, "cursor", fail)
    answer = server_error(rf.get("/"))
    assert (answer.status_code, "The amp blew" in answer.content.decode()) == (500, True)


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "405", "413", "500", "503"])
def test_every_page_stands_without_a_request(name):
    assert 'class="button" href="/"' in render_to_string(f"{name}.html")
