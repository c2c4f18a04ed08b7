import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tickets import queue
from tickets.models import Ticket
from tickets.purchases import Owner, buy

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/timelessmusic-purchase"


def _queue(*arguments):
    out = StringIO()
    call_command("queue", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def no_queue(sqs):
    sqs.delete_queue(QueueUrl=queue.url())
    queue.forget()


def test_create_prints_what_it_did_and_the_url(sqs):
    sqs.set_queue_attributes(QueueUrl=queue.url(), Attributes={"VisibilityTimeout": "30"})
    lines = _queue("create").splitlines()
    assert "timelessmusic-purchase: VisibilityTimeout was 30, is 180" in lines
    assert lines[-1] == URL


def test_create_export_prints_a_line_for_the_environment(sqs):
    assert _queue("create", "--export") == f"SQS_QUEUE_URL={URL}\n"


def test_create_where_sqs_is_away_says_so(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()
    with pytest.raises(CommandError, match="can't create the queue: Could not connect to the endpoint"):
        _queue("create")
    queue.forget()


def test_inspect_shows_the_depths(sqs):
    queue.send([queue.Message({"name": "a"}), queue.Message({"name": "b"})])
    rows = dict(
        line.split(maxsplit=1) for line in _queue("inspect").splitlines() if line.startswith(("URL", "waiting"))
    )
    assert rows == {"URL": URL, "waiting": "2"}


def test_inspect_json_is_for_machines(sqs):
    queue.send([queue.Message({"name": "a"})])
    described = json.loads(_queue("inspect", "--json"))
    assert (described["url"], described["waiting"], described["dead_letters"]["waiting"]) == (URL, 1, 0)


def test_inspect_of_a_missing_queue_is_one_line(no_queue):
    with pytest.raises(CommandError, match="there is no queue 'timelessmusic-purchase'"):
        _queue("inspect")


@pytest.mark.django_db(transaction=True)
def test_work_batch_mails_what_waits_and_counts(gig, sqs, mailoutbox):
    buy(gig, [Owner("Ada", "ada@example.com")], "token")
    Ticket.objects.update(publish_due_at=timezone.now())
    assert _queue("work", "--batch").splitlines()[-1] == "mailed 1, parked 0, put off 0, published 1"
    assert len(mailoutbox) == 1


@pytest.mark.django_db(transaction=True)
def test_work_batch_without_a_queue_fails(no_queue):
    with pytest.raises(CommandError, match="there is no queue"):
        _queue("work", "--batch")


def test_publish_counts_what_it_published(gig, sqs):
    buy(gig, [Owner("Ada", "ada@example.com"), Owner("Bob", "bob@example.com")], "token")
    Ticket.objects.update(publish_due_at=timezone.now())
    assert _queue("publish") == "published 2\n"
    assert _queue("publish") == "published 0\n"
