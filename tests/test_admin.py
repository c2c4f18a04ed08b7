from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tickets import purchases
from tickets.models import Gig, Ticket
from tickets.purchases import Owner


@pytest.fixture
def sold(gig):
    return purchases.buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets[0]


@pytest.mark.parametrize("page", ["gig", "purchase", "ticket"])
def test_lists_take_as_many_queries_for_three_rows_as_for_one(admin_client, make_gig, page, django_assert_num_queries):
    def sell(number):
        purchases.buy(make_gig(), [Owner("Ada", "ada@example.com")], str(number))

    sell(1)
    with CaptureQueriesContext(connection) as one:
        admin_client.get(f"/admin/tickets/{page}/")
    sell(2)
    sell(3)
    with django_assert_num_queries(len(one)):
        assert admin_client.get(f"/admin/tickets/{page}/").status_code == 200


@pytest.mark.parametrize(("state", "found"), [("to publish", 1), ("mailed", 0), ("parked", 0), ("on its way", 0)])
def test_tickets_are_filtered_by_state(admin_client, sold, state, found):
    assert admin_client.get("/admin/tickets/ticket/", {"state": state}).context["cl"].queryset.count() == found


@pytest.mark.parametrize("action", ["add/", "{pk}/delete/"])
def test_no_ticket_is_made_or_removed_here(admin_client, sold, action):
    assert admin_client.get(f"/admin/tickets/ticket/{action.format(pk=sold.pk)}").status_code == 403
    assert Ticket.objects.get() == sold


def test_a_ticket_and_its_purchase_can_be_read(admin_client, sold):
    for address in (f"ticket/{sold.pk}", f"purchase/{sold.purchase.pk}"):
        page = admin_client.get(f"/admin/tickets/{address}/change/")
        assert (page.status_code, "ada@example.com" in page.content.decode()) == (200, True)


def _edit(admin_client, gig, **changes):
    form = admin_client.get(f"/admin/tickets/gig/{gig.pk}/change/").context["adminform"].form
    data = {name: value for name in form.fields if (value := form[name].value()) is not None}
    return data | {"departs_at": "2031-01-01T20:00"} | changes


def test_a_capacity_below_what_is_sold_is_refused_in_plain_words(admin_client, sold):
    gig = Gig.objects.get()
    page = admin_client.post(f"/admin/tickets/gig/{gig.pk}/change/", _edit(admin_client, gig, capacity=0))
    assert page.context["adminform"].form.errors == {"capacity": ["1 are sold already: 0 is too few."]}
    assert Gig.objects.get().capacity == 10


def test_an_edit_keeps_the_sales_made_since_its_page_was_opened(admin_client, gig):
    data = _edit(admin_client, gig, venue="City Hall")
    purchases.buy(gig, [Owner("Ada", "ada@example.com")], "meanwhile")
    answer = admin_client.post(f"/admin/tickets/gig/{gig.pk}/change/", data)
    assert answer.status_code == 302
    edited = Gig.objects.get()
    assert (edited.venue, edited.sold) == ("City Hall", 1)


def test_a_gig_is_made_here(admin_client, gig):
    data = _edit(admin_client, gig, slug="queen-london-1985", artist="Queen")
    assert admin_client.post("/admin/tickets/gig/add/", data).status_code == 302
    assert Gig.objects.get(slug="queen-london-1985").artist == "Queen"


def test_times_are_those_of_the_collection_point(admin_client, gig):
    data = _edit(admin_client, gig, departs_at="2031-07-01T20:00", sales_end="2031-06-30T12:00")
    admin_client.post(f"/admin/tickets/gig/{gig.pk}/change/", data)
    edited = Gig.objects.get()
    assert (edited.departs_at, edited.sales_end) == (
        datetime(2031, 7, 1, 19, tzinfo=UTC),  # Dublin, in summer
        datetime(2031, 6, 30, 11, tzinfo=UTC),
    )
    page = admin_client.get(f"/admin/tickets/gig/{gig.pk}/change/").content.decode()
    assert 'value="2031-07-01T20:00"' in page


def test_another_time_zone_moves_the_times(admin_client, gig):
    admin_client.post(f"/admin/tickets/gig/{gig.pk}/change/", _edit(admin_client, gig))
    admin_client.post(f"/admin/tickets/gig/{gig.pk}/change/", _edit(admin_client, gig, time_zone="America/New_York"))
    assert Gig.objects.get().departs_at == datetime(2031, 1, 2, 1, tzinfo=UTC)
