"""A gig is read once a second, by one thread, however many look at it; what is sold by it is sold by its row."""

import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from tickets import checkout, kept
from tickets.models import Gig
from tickets.purchases import NotOnSale, Owner, buy

ADA = Owner("Ada", "ada@example.com")
FORM_TOKENS = ("csrfmiddlewaretoken", "token")


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(kept, "SECONDS", 1)
    monkeypatch.setattr(kept, "_kept", {})
    now = [1000.0]
    monkeypatch.setattr(kept.time, "monotonic", lambda: now[0])
    return now


def test_a_gig_is_read_once_in_a_second(gig, clock, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert [kept.gig(gig.slug), kept.gig(gig.slug)] == [gig, gig]
    Gig.objects.update(price=130)
    clock[0] += 0.9
    assert kept.gig(gig.slug).price == 120
    clock[0] += 0.1
    assert kept.gig(gig.slug).price == 130


@pytest.mark.parametrize("slug", ["no-such-gig", "\0", "\ud800", "a/b"])
def test_what_there_is_not_is_not_kept(db, clock, slug):
    assert kept.gig(slug) is None
    assert kept._kept == {}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"price": Decimal("130.00")}, Gig.Status.ON_SALE),
        ({"sold": 10}, Gig.Status.SOLD_OUT),
        ({"is_published": False}, Gig.Status.UNPUBLISHED),
    ],
)
def test_what_has_changed_meanwhile_is_not_sold_by_what_was_kept(gig, clock, changes, status):
    kept.gig(gig.slug)
    Gig.objects.update(**changes)
    with pytest.raises(NotOnSale) as refused:
        buy(kept.gig(gig.slug), [ADA], "token")
    assert refused.value.status == status


def test_a_gig_that_is_gone_is_not_sold(gig, clock):
    kept.gig(gig.slug)
    Gig.objects.all().delete()
    with pytest.raises(NotOnSale) as refused:
        buy(kept.gig(gig.slug), [ADA], "token")
    assert refused.value.status == Gig.Status.UNPUBLISHED


# --- Many at once ---------------------------------------------------------------------------------

THREADS = 8


@pytest.fixture
def crowd(monkeypatch):
    """Let THREADS ask at once; give their answers, and how often what they asked for was made."""
    waiting = threading.Semaphore(0)

    class Watched(Future):
        def result(self):
            if not self.done():
                waiting.release()
            return super().result()

    monkeypatch.setattr(kept, "Future", Watched)

    def crowd(make, all_make=False):
        made, all_there = [], threading.Barrier(THREADS)

        def slowly():
            made.append(1)
            if all_make:
                all_there.wait(10)
            else:
                for _ in range(THREADS - 1):
                    assert waiting.acquire(timeout=10)
            return make()

        with ThreadPoolExecutor(THREADS) as pool:
            asked = [pool.submit(kept.once, "key", slowly) for _ in range(THREADS)]
        return [one.exception() or one.result() for one in asked], len(made)

    return crowd


def test_of_a_crowd_that_finds_nothing_one_makes_it_and_all_have_it(clock, crowd):
    assert crowd(lambda: "new") == (["new"] * THREADS, 1)
    assert kept._making == {}


def test_without_the_guard_each_of_a_crowd_makes_it(clock, crowd, monkeypatch):
    """The negative control of the test above."""

    class Unguarded(dict):
        def setdefault(self, key, mine):
            self[key] = mine
            return mine

        def __delitem__(self, key):
            self.pop(key, None)

    monkeypatch.setattr(kept, "_making", Unguarded())
    assert crowd(lambda: "new", all_make=True) == (["new"] * THREADS, THREADS)


def test_nobody_waits_for_what_can_not_be_made(clock, crowd):
    away = OperationalError("away")

    def fail():
        raise away

    assert crowd(fail) == ([away] * THREADS, 1)
    assert kept.once("key", lambda: "new") == "new"


def test_nobody_is_given_what_is_too_old(clock, crowd):
    kept.once("key", lambda: "old")
    clock[0] += 2
    assert crowd(lambda: "new") == (["new"] * THREADS, 1)


def test_who_comes_while_an_old_one_is_made_anew_has_the_old_one(clock):
    others = lambda: kept.once("key", lambda: pytest.fail("made twice"))  # noqa: E731
    kept.once("key", lambda: "old")
    clock[0] += 1
    assert kept.once("key", lambda: f"new after {others()}") == "new after old"
    clock[0] += 1.9
    assert kept.once("key", lambda: f"newer after {others()}") == "newer after new after old"


# --- The page -------------------------------------------------------------------------------------


def _tokens(page):
    return [re.search(rf'name="{name}" value="([^"]+)"', page.content.decode())[1] for name in FORM_TOKENS]


def test_each_reader_of_a_kept_page_has_tokens_of_their_own_and_buys_with_them(gig, clock, sqs, payload, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        checkout, "_page", lambda *args, _page=checkout._page, **why: drawn.append(1) or _page(*args, **why)
    )
    readers = [Client(enforce_csrf_checks=True) for _ in range(2)]
    pages = [reader.get(gig.get_absolute_url()) for reader in readers]
    assert len(drawn) == 1
    (csrf, token), (other_csrf, other_token) = map(_tokens, pages)
    assert (csrf != other_csrf, token != other_token) == (True, True)
    assert not set(checkout.TOKENS.values()) & {csrf, token, other_csrf, other_token}
    for reader, page, email in zip(readers, pages, ["ada@example.com", "grace@example.com"], strict=True):
        csrf, token = _tokens(page)
        form = payload(email=email, token=token, csrfmiddlewaretoken=csrf)
        assert reader.post(gig.get_absolute_url(), form).status_code == 302
    assert Gig.objects.get().sold == 2


def test_a_reader_of_another_language_or_address_has_a_page_of_their_own(gig, clock, client):
    address = gig.get_absolute_url()
    english = client.get(address).content.decode()
    italian = client.get(address, headers={"Accept-Language": "it"}).content.decode()
    assert ('lang="en"' in english, 'lang="it"' in italian) == (True, True)
    assert "from=poster" in client.get(f"{address}?from=poster").content.decode()
    assert "from=poster" not in client.get(address).content.decode()


def test_who_can_not_buy_is_given_no_cookie(gig, clock, client):
    Gig.objects.update(sold=gig.capacity)
    page = client.get(gig.get_absolute_url())
    assert (page.status_code, page.cookies) == (200, {})


@pytest.mark.parametrize("status", ["sold out", "departed"])
def test_why_a_form_is_too_late_is_rendered_once_and_no_longer_than_it_is_true(gig, clock, client, payload, status):
    address, changes = gig.get_absolute_url(), {"sold out": {"sold": 10}, "departed": {"departs_at": timezone.now()}}
    Gig.objects.update(**changes[status])
    late = [client.post(address, payload()).content.decode() for _ in range(2)]
    assert late[0] == late[1]
    assert {"sold out": "Sold out", "departed": "The time machine has left"}[status] in late[0]
    Gig.objects.update(sold=0, is_published=False)
    clock[0] += 1
    assert client.post(address, payload()).status_code == 404


def test_the_list_is_rendered_once_a_second_but_for_a_search(gig, clock, client, make_gig):
    assert "Nirvana" in client.get("/").content.decode()
    make_gig(slug="other", artist="The Smiths")
    assert "The Smiths" not in client.get("/").content.decode()
    assert "The Smiths" in client.get("/?q=smiths").content.decode()
    clock[0] += 1
    assert "The Smiths" in client.get("/").content.decode()
