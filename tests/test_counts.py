"""What a purchase asks of the database, counted, because seconds tell nothing on a machine that is shared.

SQS's calls are counted in test_concurrency.py (publishing) and test_worker.py (delivering), the queries of other pages
beside their tests.
"""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.test_api import order
from tickets import images, kept
from tickets.models import Gig, Purchase

pytestmark = pytest.mark.django_db(transaction=True)
SALE = ["BEGIN", "INSERT", "INSERT", "UPDATE", "COMMIT"]


@pytest.fixture
def shown(gig, client, monkeypatch):
    """Give the gig of a page that was looked at a moment ago."""
    monkeypatch.setattr(kept, "SECONDS", 60)
    monkeypatch.setattr(kept, "_kept", {})
    assert client.get(gig.get_absolute_url()).status_code == 200
    return gig


def _statements(request):
    with CaptureQueriesContext(connection) as asked:
        answer = request()
    return answer.status_code, [query["sql"].split()[0] for query in asked]


def test_the_page_asks_whether_it_has_just_been_bought_then_sells_and_marks(shown, client, sqs, payload):
    found = _statements(lambda: client.post(shown.get_absolute_url(), payload()))
    assert found == (302, ["SELECT", *SALE, "UPDATE"])


def test_the_api_sells_and_marks(shown, client, sqs):
    found = _statements(lambda: client.post(reverse("api_purchase"), json.dumps(order()), "application/json"))
    assert found == (202, [*SALE, "UPDATE"])


def test_a_crowd_that_comes_too_late_costs_one_look_for_its_own_purchase_each(shown, client, sqs, payload):
    bought = payload()
    assert client.post(shown.get_absolute_url(), bought).status_code == 302
    Gig.objects.update(sold=shown.capacity)
    kept._kept.clear()
    assert client.get(shown.get_absolute_url()).status_code == 200
    assert _statements(lambda: client.post(shown.get_absolute_url(), payload())) == (409, ["SELECT"])
    assert client.post(shown.get_absolute_url(), bought).url == Purchase.objects.get().get_absolute_url()


def test_a_gig_that_was_shown_a_moment_ago_takes_no_query(shown, client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get(shown.get_absolute_url())


def test_the_list_and_its_pictures_take_one_query_for_all(shown, client, django_assert_num_queries):
    with django_assert_num_queries(1):
        for path in ["/", "/", images.address(shown, "poster"), images.address(shown, "map")]:
            assert client.get(path).status_code == 200
