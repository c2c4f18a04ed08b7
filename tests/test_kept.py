"""A gig is read once a second, however many look at it; what is sold by it is sold by its row."""

from decimal import Decimal

import pytest

from tickets import kept
from tickets.models import Gig
from tickets.purchases import NotOnSale, Owner, buy

ADA = Owner("Ada", "ada@example.com")


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
