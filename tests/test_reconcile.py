from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tickets import aftersales, provisioning, reconcile
from tickets.models import Gig, Ticket
from tickets.purchases import Owner, buy

HOUR = timedelta(hours=1)


@pytest.fixture
def tickets(gig, sqs):
    """One ticket in each of the five places, in this order, all sold two hours ago."""
    sold = buy(gig, [Owner(str(i), f"{i}@example.com") for i in range(5)], "token").tickets
    now = timezone.now()
    Ticket.objects.update(mail_asked_at=now - 2 * HOUR, publish_due_at=now)
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in sold[1:]]).update(published_at=now)
    Ticket.objects.filter(pk=sold[2].pk).update(mailed_at=now)
    Ticket.objects.filter(pk=sold[3].pk).update(parked_at=now)
    aftersales.cancel(sold[4])
    return sold


def _command(*arguments):
    out = StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("queue", "reconcile", *arguments, stdout=out)
    return out.getvalue().splitlines(), str(failed.value)


def test_every_ticket_is_in_one_place(tickets):
    found = reconcile.report(HOUR)
    assert found.census == {"tickets": 5, "unpublished": 1, "on_the_way": 1, "mailed": 1, "parked": 1, "cancelled": 1}
    assert (found.balanced, found.seats_sold, found.hanging) == (True, 4, 2)
    assert {ticket.pk for ticket in found.oldest} == {tickets[0].pk, tickets[1].pk}


def test_what_was_just_sold_does_not_hang(tickets):
    assert reconcile.report(3 * HOUR).hanging == 0


def test_a_seat_too_many_is_found(tickets):
    Gig.objects.update(sold=5)
    assert reconcile.report(HOUR).balanced is False


def test_the_report_takes_four_queries_and_its_transaction(tickets, django_assert_num_queries):
    with django_assert_num_queries(6):
        reconcile.report(HOUR)


def test_repair_publishes_what_hangs_and_nothing_else(tickets):
    assert reconcile.repair(HOUR) == 2
    assert provisioning.describe().waiting == 2
    assert reconcile.report(HOUR).census["unpublished"] == 0


def test_the_command_lists_what_hangs_and_fails(tickets):
    lines, error = _command("--older-than", "3600")
    assert lines[:7] == [
        "tickets              5",
        "unpublished          1",
        "on the way           1",
        "mailed               1",
        "parked               1",
        "cancelled            1",
        "seats sold           4",
    ]
    assert sorted(line.split()[1] for line in lines[7:]) == sorted(f"{ticket.pk}," for ticket in tickets[:2])
    assert error == "2 hang"


def test_the_command_repairs(tickets):
    lines, _ = _command("--older-than", "3600", "--repair")
    assert lines[-1] == "published 2 once more"
    assert provisioning.describe().waiting == 2


def test_the_command_is_content_when_nothing_hangs(db, sqs):
    call_command("queue", "reconcile", stdout=StringIO())
