# ruff: noqa: RUF001
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from tickets.models import Gig
from tickets.search import Search, fold

pytestmark = pytest.mark.django_db


@pytest.fixture
def _programme(make_gig):
    soon = timezone.now() + timedelta(days=1)
    make_gig(slug="beatles", artist="The Beatles", city="Liverpool", original_date=date(1961, 2, 9), price=140)
    make_gig(slug="bjork", artist="Björk", city="Reykjavík", original_date=date(1997, 6, 1), price=90, sales_start=soon)
    make_gig(slug="queen", artist="Queen", city="London", venue="Wembley", original_date=date(1985, 7, 13), sold=10)
    make_gig(slug="bowie", artist="Bowie", city="London", venue="Odeon", original_date=date(1973, 7, 3), price=60)
    for days, gig in enumerate(Gig.objects.order_by("pk"), start=9):
        Gig.objects.filter(pk=gig.pk).update(departs_at=timezone.now() + timedelta(days=days))


def _found(client, query):
    return [gig.slug for gig in client.get(f"/?{query}").context["page_obj"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["beatles", "bjork", "queen", "bowie"]),
        ("q=beatles", ["beatles"]),
        ("q=BJORK", ["bjork"]),
        ("q=reykjavik", ["bjork"]),
        ("q=London", ["queen", "bowie"]),
        ("q=london+wembley", ["queen"]),
        ("q=1973", ["bowie"]),
        ("q=197", ["bowie"]),
        ("q=+queen+", ["queen"]),
        ("q=100%25", []),
        ("q=_", []),
        ("q=nobody", []),
        ("q=" + "x" * 101, ["beatles", "bjork", "queen", "bowie"]),
        ("q=%00", ["beatles", "bjork", "queen", "bowie"]),
        ("decade=1960", ["beatles"]),
        ("decade=1990", ["bjork"]),
        ("decade=2000", []),
        ("decade=nonsense", ["beatles", "bjork", "queen", "bowie"]),
        ("seats=left", ["beatles", "bowie"]),
        ("seats=soon", ["bjork"]),
        ("sort=year", ["beatles", "bowie", "queen", "bjork"]),
        ("sort=price", ["bowie", "bjork", "queen", "beatles"]),
        ("sort=artist", ["bjork", "bowie", "queen", "beatles"]),
        ("sort=password", ["beatles", "bjork", "queen", "bowie"]),
        ("q=london&decade=1970&seats=left&sort=year", ["bowie"]),
    ],
)
@pytest.mark.usefixtures("_programme")
def test_it_finds(client, query, found):
    assert _found(client, query) == found


@pytest.mark.parametrize(("year", "decade"), [(1899, 1960), (1955, 1960), (2019, 2010), (2031, 2010)])
def test_the_first_and_the_last_decade_take_what_is_beyond(client, make_gig, year, decade):
    gig = make_gig(original_date=date(year, 1, 1))
    assert _found(client, f"decade={decade}") == [gig.slug]


def test_what_has_departed_comes_last(client, make_gig):
    make_gig(slug="gone", departs_at=datetime(2020, 1, 1, tzinfo=UTC), price=1)
    make_gig(slug="later", departs_at=timezone.now() + timedelta(days=1), price=2)
    assert [_found(client, query) for query in ("", "sort=price", "sort=artist")] == [["later", "gone"]] * 3


def test_a_changed_gig_is_found_by_what_it_is_now(client, gig):
    gig.city = "Århus"
    gig.save(update_fields=["city"])
    assert (_found(client, "q=arhus"), _found(client, "q=cork")) == ([gig.slug], [])


def test_an_unpublished_gig_is_not_found(client, gig):
    Gig.objects.update(is_published=False)
    assert _found(client, "q=nirvana") == []


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Motörhead", "motorhead"), ("Weißensee", "weissensee"), ("Sigur Rós", "sigur ros"), ("Røyksopp", "royksopp"),
     ("Sir Henry’s", "sir henry's"), ("ＡＢＢＡ", "abba"), ("山下", "山下")],
)  # fmt: skip
def test_it_is_typed_in_a_hurry(text, folded):
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("query", "page", "address"),
    [
        ({}, 1, "/"),
        ({"q": "", "decade": "", "seats": "", "sort": ""}, 1, "/"),
        (
            {"q": " Sigur Rós ", "decade": "1990", "sort": "price"},
            2,
            "/?q=Sigur+R%C3%B3s&decade=1990&sort=price&page=2",
        ),
        ({"decade": "nonsense", "other": "x"}, 1, "/"),
    ],
)
def test_an_address_has_what_it_takes_and_nothing_else(query, page, address):
    assert Search(query).address(page) == address


# --- The page -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gigs", [1, 3])
def test_a_search_takes_one_query(client, make_gig, django_assert_num_queries, gigs):
    for _ in range(gigs):
        make_gig()
    with django_assert_num_queries(1):
        client.get("/?q=nirvana&decade=1990&seats=left&sort=price")


def test_pages_keep_what_is_asked_for(client, make_gig):
    for _ in range(25):
        make_gig()
    page = client.get("/?q=Nirvana&sort=price&decade=&page=2").content.decode()
    assert 'href="/?q=Nirvana&amp;sort=price#gigs" rel="prev"' in page
    assert 'href="/?q=Nirvana&amp;sort=price&amp;page=3#gigs" rel="next"' in page


def test_htmx_gets_the_part_that_changes_and_the_address(client, make_gig):
    make_gig()
    part = client.get("/?q=nirvana&decade=&seats=&sort=", headers={"hx-request": "true"})
    assert (part["HX-Push-Url"], part.templates[0].name) == ("/?q=nirvana", "tickets/_gigs.html")
    assert '<p id="found" data-hx-swap-oob="innerHTML">1 gig found\n</p>' in part.content.decode()
    assert "HX-Request" in part["Vary"]


def test_nothing_found_leads_on(client, gig):
    page = client.get("/?q=%3Cb%3Enobody").content.decode()
    assert "“&lt;b&gt;nobody”" in page
    assert 'href="/?decade=1960#gigs"' in page
    assert '<meta name="robots" content="noindex">' in page


@pytest.mark.parametrize(
    ("asked", "more"), [("?q=nobody", False), ("?q=nobody&sort=year", False), ("?q=nobody&seats=left", True)]
)
def test_what_else_was_chosen_is_spoken_of_only_if_it_was(client, gig, asked, more):
    assert ("and what else you chose" in client.get(f"/{asked}").content.decode()) == more


def test_a_gig_that_is_not_on_sale_yet_says_when(client, make_gig):
    make_gig(sales_start=datetime(2099, 1, 31, 23, 30, tzinfo=UTC), departs_at=datetime(2100, 1, 1, tzinfo=UTC))
    assert "on sale 31\N{NO-BREAK SPACE}Jan\N{NO-BREAK SPACE}2099" in client.get("/").content.decode()


def test_a_gig_that_has_departed_has_left(client, make_gig):
    make_gig(departs_at=datetime(2020, 1, 31, 23, 30, tzinfo=UTC))
    page = client.get("/").content.decode()
    assert ("Left 31\N{NO-BREAK SPACE}Jan\N{NO-BREAK SPACE}2020" in page, "Leaves" in page) == (True, False)
