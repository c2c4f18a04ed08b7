"""Gigs in the box office: put on sale, closed, duplicated, brought in from a file after a look at what would change."""

import json
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from tickets.models import Gig
from tickets.purchases import Owner, buy

pytestmark = pytest.mark.django_db

LIST = "/admin/tickets/gig/"
IMPORT = "/admin/tickets/gig/import/"


def _do(client, action, *gigs):
    client.post(LIST, {"action": action, "_selected_action": [gig.pk for gig in gigs]})


def _logged():
    return [(entry.object_repr, entry.get_change_message()) for entry in LogEntry.objects.order_by("pk")]


def test_a_sale_is_closed_and_opened_again(admin_client, gig):
    _do(admin_client, "close_sale", gig)
    assert Gig.objects.get().status() == Gig.Status.CLOSED
    _do(admin_client, "open_sale", gig)
    assert Gig.objects.get().status() == Gig.Status.ON_SALE
    assert _logged() == [(str(gig), "Sale closed."), (str(gig), "Put on sale.")]


def test_an_unpublished_gig_whose_sale_was_to_begin_later_is_put_on_sale(admin_client, make_gig):
    gig = make_gig(is_published=False, sales_start=timezone.now() + timedelta(days=1))
    _do(admin_client, "open_sale", gig)
    assert Gig.objects.get().status() == Gig.Status.ON_SALE


def test_what_has_departed_stays_closed(admin_client, make_gig):
    gig = make_gig(departs_at=timezone.now() - timedelta(days=1), is_published=False)
    _do(admin_client, "open_sale", gig)
    assert Gig.objects.get().is_published is False


def test_a_duplicate_begins_with_all_but_the_slug_and_what_was_sold(admin_client, gig):
    buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token")
    form = admin_client.get(f"/admin/tickets/gig/add/?like={gig.pk}").context["adminform"].form
    data = {name: value for name in form.fields if (value := form[name].value()) is not None}
    assert "slug" not in data
    admin_client.post("/admin/tickets/gig/add/", data | {"slug": "nirvana-cork-again"})
    new = Gig.objects.get(slug="nirvana-cork-again")
    assert (new.artist, new.price, new.sold) == (gig.artist, gig.price, 0)
    assert new.departs_at == gig.departs_at.replace(microsecond=0)


@pytest.mark.parametrize("like", ["", "0", "nonsense", "99999999", "9" * 30, "²"])
def test_a_gig_like_none_begins_empty(admin_client, db, like):
    assert admin_client.get(f"/admin/tickets/gig/add/?like={like}").status_code == 200


def test_revenue_is_for_those_who_may_see_it(sign_in_as, admin_client, gig):
    assert "revenue" in admin_client.get(LIST).context["cl"].list_display
    assert "revenue" not in sign_in_as("support").get(LIST).context["cl"].list_display


@pytest.mark.parametrize(("address", "words"), [(LIST, "1 concerto\n"), (f"{LIST}add/", "Punto di ritrovo:")])
def test_an_italian_reads_of_gigs_in_italian(admin_client, gig, address, words):
    assert words in admin_client.get(address, headers={"Accept-Language": "it"}).content.decode()


# --- From a file ----------------------------------------------------------------------------------


def _upload(client, rows, name="gigs.json"):
    data = rows if isinstance(rows, bytes) else json.dumps(rows).encode()
    return client.post(IMPORT, {"file": SimpleUploadedFile(name, data)})


@pytest.fixture
def rows(gig):
    new = {
        **{"slug": "queen-london-1985", "artist": "Queen", "city": "London", "venue": "Wembley", "price": "90"},
        **{"original_date": "1985-07-13", "departs_at": "2031-07-13T12:00", "time_zone": "Europe/London"},
        **{"description": "Twenty minutes.", "collection_point": "Wembley Way", "capacity": 80, "is_published": True},
    }
    return [{"slug": gig.slug, "venue": "City Hall"}, new]


def test_what_would_change_is_shown_and_nothing_is_done(admin_client, rows):
    imported = _upload(admin_client, rows).context["imported"]
    assert (imported.created, imported.changed, imported.unchanged) == (1, 1, 0)
    assert imported.changes[0].fields == {"venue": ("Sir Henry's", "City Hall")}
    assert [(gig.slug, gig.venue) for gig in Gig.objects.all()] == [("nirvana-cork-1991", "Sir Henry's")]


def test_it_is_done_once_confirmed(admin_client, rows):
    seen = _upload(admin_client, rows).context["seen"]
    answer = admin_client.post(IMPORT, {"confirmed": "1", "seen": seen})
    assert (answer.status_code, answer.url) == (302, LIST)
    assert dict(Gig.objects.values_list("slug", "venue")) == {
        "nirvana-cork-1991": "City Hall",
        "queen-london-1985": "Wembley",
    }
    assert _logged() == [("Nirvana, Cork 1991", "From a file."), ("Queen, London 1985", "From a file.")]
    assert admin_client.post(IMPORT, {"confirmed": "1", "seen": seen}).url == IMPORT


def test_a_change_in_between_is_shown_before_it_is_lost(admin_client, rows):
    seen = _upload(admin_client, rows).context["seen"]
    Gig.objects.update(venue="The Savoy")
    again = admin_client.post(IMPORT, {"confirmed": "1", "seen": seen})
    assert (again.status_code, Gig.objects.get().venue) == (200, "The Savoy")
    admin_client.post(IMPORT, {"confirmed": "1", "seen": again.context["seen"]})
    assert Gig.objects.get(slug="nirvana-cork-1991").venue == "City Hall"


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (b"nonsense", "gigs.json", "not JSON"),
        (b"x", "gigs.txt", "the name must end in .json or .csv"),
        (b"slug,price\nnirvana-cork-1991,-1\n", "gigs.csv", "line 2, price: Ensure this value is greater"),
    ],
)
def test_a_bad_file_says_why(admin_client, gig, content, name, problem):
    answer = _upload(admin_client, content, name)
    assert (answer.status_code, problem in answer.context["problems"][0]) == (422, True)
    assert problem.replace(">", "&gt;") in answer.content.decode()


def test_a_file_that_is_too_large_is_refused(admin_client, db):
    answer = _upload(admin_client, b" " * (1024 * 1024 + 1))
    assert answer.context["form"].errors == {"file": ["A file of more than 1 MB is for `manage.py import_gigs`."]}


def test_support_imports_nothing(sign_in_as, db):
    assert sign_in_as("support").get(IMPORT).status_code == 403
