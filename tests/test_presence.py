from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from tickets import presence
from tickets.emails import MailServerDown
from tickets.presence import Presence, Teller
from tickets.purchases import Owner, buy, publish
from tickets.worker import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def due(monkeypatch):
    """Let a teller write at once, each time."""
    monkeypatch.setattr(presence, "TELL_SECONDS", 0)


def test_a_worker_says_what_it_does(due):
    teller = Teller("shop-1:42")
    teller.tell({"mailed": 3, "parked": 1})
    teller.tell({"mailed": 2, "published": 4})
    row = Presence.objects.get()
    assert (row.name, row.mailed, row.parked, row.put_off, row.published, row.trouble) == ("shop-1:42", 5, 1, 0, 4, "")
    assert row.started_at < row.seen_at


def test_it_writes_every_few_seconds_and_forgets_nothing_in_between(django_assert_num_queries, monkeypatch):
    teller = Teller("shop-1:42")
    teller.tell()
    with django_assert_num_queries(0):
        for _ in range(100):
            teller.tell({"mailed": 1})
    monkeypatch.setattr(presence, "TELL_SECONDS", 0)
    with django_assert_num_queries(1):
        teller.tell()
    assert Presence.objects.get().mailed == 100


def test_trouble_and_its_end_are_told_at_once_and_without_addresses():
    teller = Teller("shop-1:42")
    teller.tell()
    teller.tell(trouble=MailServerDown("450 <ada@example.com> try later"))
    assert Presence.objects.get().trouble == "MailServerDown: 450 <a…@example.com> try later"
    teller.tell()
    assert Presence.objects.get().trouble == ""


def test_a_database_that_is_away_is_no_trouble_to_the_worker(due, monkeypatch, logs):
    def away(**_):
        raise OperationalError("connection refused")

    teller = Teller("shop-1:42")
    with monkeypatch.context() as patch:
        patch.setattr(Presence.objects, "filter", away)
        teller.tell({"mailed": 2})
        teller.leave()
    assert logs("cause", level="warning") == ["connection refused"] * 2
    teller.tell()
    assert Presence.objects.get().mailed == 2


def test_who_stops_while_the_mail_server_is_away_leaves_and_tries_nothing_without_a_database(django_assert_num_queries):
    teller = Teller("shop-1:42")
    teller.tell(trouble=MailServerDown("refused"))
    teller.leave()
    assert not Presence.objects.exists()
    teller.tell(trouble=OperationalError("connection refused"))
    with django_assert_num_queries(0):
        teller.leave()


def test_whoever_went_without_a_word_is_forgotten_in_the_end(due):
    Teller("gone").tell()
    Presence.objects.update(seen_at=timezone.now() - timedelta(hours=2))
    Teller("shop-1:42").tell()
    assert [row.name for row in Presence.objects.all()] == ["shop-1:42"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_there_while_it_works_and_leaves_no_row(gig, sqs, monkeypatch, mailoutbox):
    seen = []
    monkeypatch.setattr(Teller, "leave", lambda self: seen.append(Presence.objects.get().mailed))
    publish(buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets)
    monkeypatch.setattr(presence, "TELL_SECONDS", 0)
    Worker().run(batch=True)
    assert (seen, len(mailoutbox)) == ([1], 1)


@pytest.mark.django_db(transaction=True)
def test_its_row_is_gone_when_it_ends(gig, sqs):
    Worker().run(batch=True)
    assert not Presence.objects.exists()
