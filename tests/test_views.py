import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tickets.models import Gig

pytestmark = pytest.mark.django_db


# --- Reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gigs", [1, 3])
def test_the_list_takes_one_query_however_many_gigs(client, make_gig, django_assert_num_queries, gigs):
    for _ in range(gigs):
        make_gig()
    with django_assert_num_queries(1):
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


@pytest.mark.parametrize(
    ("changes", "mark", "seats"),
    [
        ({"sold": 10}, "sold out", "None left of 10"),
        ({"sales_start": datetime(2030, 11, 29, 23, tzinfo=UTC)}, "on sale 30 Nov 2030", "10"),  # in Rome
        ({"sales_end": timezone.now()}, "sale closed", None),
        ({"departs_at": timezone.now()}, "departed", None),
    ],
)
def test_a_gig_that_cant_be_bought_says_so_at_the_top_and_offers_no_seat_in_vain(client, gig, changes, mark, seats):
    Gig.objects.update(time_zone="Europe/Rome", **changes)
    page = client.get(gig.get_absolute_url()).content.decode()
    top = re.search(r'<h1>.*?<a class="flag[^"]*" href="#not-on-sale">(.*?)</a>', page, re.DOTALL)
    assert top[1].replace("\N{NO-BREAK SPACE}", " ") == mark
    found = re.search(r"<dt>Seats</dt>\s*<dd>(.*?)</dd>", page)
    assert (found and found[1]) == seats


@pytest.mark.parametrize(("changes", "over"), [({"departs_at": timezone.now()}, True), ({"sold": 10}, False)])
def test_what_has_left_is_spoken_of_as_gone(client, gig, changes, over):
    Gig.objects.update(**changes)
    page = client.get(gig.get_absolute_url()).content.decode()
    assert [words in page for words in ("The time machine left", "Where it left")] == [over] * 2
    coming = ("The time machine leaves", "Where it leaves", "Be there 30 minutes before", "and refunds", "24 hours")
    assert [words in page for words in coming] == [not over] * 5


def test_an_unpublished_gig_is_not_there(client, gig):
    Gig.objects.update(is_published=False)
    assert client.get(gig.get_absolute_url()).status_code == 404
    assert client.get(reverse("poster", args=[gig.slug])).status_code == 404
