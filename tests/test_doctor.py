"""The doctor finds what is wrong, says what to do, and changes nothing by looking."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import StringIO

import pytest
from botocore.awsrequest import AWSResponse
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from tickets import doctor, provisioning, queue
from tickets.models import Purchase

pytestmark = pytest.mark.django_db
ARN = "arn:aws:sqs:us-east-1:123456789012:timelessmusic-purchase"
SUBJECTS = [
    "queue",
    "queue, VisibilityTimeout",
    "queue, MessageRetentionPeriod",
    "queue, ReceiveMessageWaitTimeSeconds",
    "queue, SqsManagedSseEnabled",
    "queue, RedrivePolicy",
    "DLQ, MessageRetentionPeriod",
    "DLQ, SqsManagedSseEnabled",
    "DLQ, RedriveAllowPolicy",
    "DLQ",
    "sqs:SendMessage on the queue",
    "sqs:ReceiveMessage on the queue",
    "sqs:DeleteMessage on the queue",
    "sqs:ChangeMessageVisibility on the queue",
    "sqs:SendMessage on the DLQ",
    "sqs:ReceiveMessage on the DLQ",
    "sqs:DeleteMessage on the DLQ",
    "sqs:ChangeMessageVisibility on the DLQ",
    "clock",
    "database",
    "outbox",
    "mail server",
    "SITE_URL",
    "DEFAULT_FROM_EMAIL",
]


@pytest.fixture
def shop(sqs, smtp, settings):
    """Give the client of a queue, in a shop where all is well."""
    settings.SITE_URL = "https://shop.example.com"
    settings.DEFAULT_FROM_EMAIL = "Tickets <tickets@shop.example.com>"
    # moto takes a RedriveAllowPolicy and doesn't give it back.
    allowed = provisioning.redrive_allowed_from(ARN)

    def give_back(parsed, **_):
        if parsed.get("Attributes", {}).get("QueueArn") == f"{ARN}-dlq":
            parsed["Attributes"] = allowed | parsed["Attributes"]

    sqs.meta.events.register("after-call.sqs.GetQueueAttributes", give_back)
    return sqs


def _bad(role=doctor.Role.ALL):
    return [(finding.subject, finding.words) for finding in doctor.examine(role) if finding.verdict == "bad"]


def test_where_all_is_well(shop):
    findings = list(doctor.examine())
    assert [finding.subject for finding in findings] == SUBJECTS
    assert [finding for finding in findings if finding.verdict != "ok"] == []


@pytest.mark.parametrize(
    ("name", "value", "should"),
    [
        ("VisibilityTimeout", "30", "180"),
        ("MessageRetentionPeriod", "60", "345600"),
        ("ReceiveMessageWaitTimeSeconds", "0", "20"),
        ("SqsManagedSseEnabled", "false", "true"),
    ],
)
def test_a_knob_that_was_turned(shop, name, value, should):
    shop.set_queue_attributes(QueueUrl=queue.url(), Attributes={name: value})
    assert _bad() == [(f"queue, {name}", f"{value}, should be {should}: run `manage.py queue create`")]
    provisioning.create()
    assert provisioning.describe().attributes[name] == should


def test_a_queue_that_parks_too_soon(shop):
    policy = {"deadLetterTargetArn": f"{ARN}-dlq", "maxReceiveCount": 1}
    shop.set_queue_attributes(QueueUrl=queue.url(), Attributes={"RedrivePolicy": json.dumps(policy)})
    [(subject, words)] = _bad()
    assert subject == "queue, RedrivePolicy"
    assert '"maxReceiveCount": 5}: run `manage.py queue create`' in words


def test_a_key_of_ones_own_is_as_good(shop):
    url = queue.url()
    shop.set_queue_attributes(
        QueueUrl=url, Attributes={"KmsMasterKeyId": "alias/shop", "SqsManagedSseEnabled": "false"}
    )
    assert _bad() == []


def test_a_queue_without_a_dlq(shop):
    shop.set_queue_attributes(QueueUrl=queue.url(), Attributes={"RedrivePolicy": ""})
    assert _bad() == [("DLQ", "there is none: run `manage.py queue create`")]


def test_a_parked_message(shop):
    shop.send_message(QueueUrl=queue.dead_letter_url(), MessageBody="{}")
    assert _bad() == [("DLQ", "parked messages: 1. `manage.py queue peek --dlq` shows their causes")]


@pytest.mark.parametrize(
    ("operation", "where", "role", "other"),
    [
        ("SendMessage", "queue", "web", None),
        ("SendMessage", "queue", "worker", None),
        ("ReceiveMessage", "queue", "worker", "web"),
        ("DeleteMessage", "queue", "worker", "web"),
        ("ChangeMessageVisibility", "queue", "worker", "web"),
        ("SendMessage", "DLQ", "worker", "web"),
        ("ReceiveMessage", "DLQ", "web", "worker"),
        ("DeleteMessage", "DLQ", "web", "worker"),
        ("ChangeMessageVisibility", "DLQ", "web", "worker"),
    ],
)
def test_a_permission_that_is_missing(shop, operation, where, role, other):
    arn = f"{ARN}-dlq" if where == "DLQ" else ARN

    def deny(model, params, **_):
        asked = (model.name.removesuffix("Batch"), json.loads(params["body"]).get("QueueUrl", "").rpartition("/")[2])
        if asked == (operation, arn.rpartition(":")[2]):
            return AWSResponse("", 403, {}, None), {"Error": {"Code": "AccessDenied", "Message": "no"}}
        return None

    shop.meta.events.register("before-call.sqs.*", deny)
    found = (f"sqs:{operation} on the {where}", f"denied: allow it in the policy of these credentials, on {arn}")
    assert _bad(doctor.Role(role)) == [found]
    if other:
        assert _bad(doctor.Role(other)) == []


def test_looking_changes_nothing(shop):
    shop.send_message(QueueUrl=queue.url(), MessageBody="{}")
    assert _bad() == []
    [message] = queue.receive(wait_seconds=0)
    assert (message.receive_count, provisioning.describe().depth) == (1, 1)


def test_a_queue_that_is_missing_and_what_else_is_wrong(shop, settings):
    shop.delete_queue(QueueUrl=queue.url())
    settings.SITE_URL = "http://localhost:8000"
    assert [subject for subject, _ in _bad()] == ["queue", "SITE_URL"]
    assert "Make it with `manage.py queue create`" in _bad()[0][1]


def test_an_endpoint_where_nobody_listens(sqs, smtp, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()
    assert _bad()[0] == (
        "queue",
        'can\'t describe the queue: Could not connect to the endpoint URL: "http://127.0.0.1:1/"',
    )


def test_a_clock_that_is_wrong(shop):
    def two_minutes_ahead(parsed, **_):
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=120.5), usegmt=True)
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = date

    shop.meta.events.register("after-call.sqs.GetQueueAttributes", two_minutes_ahead)
    [(subject, words)] = _bad()
    assert subject == "clock"
    assert words.endswith(" s off SQS's: set it by NTP, AWS refuses signatures 300 s off")


def test_a_migration_that_is_not_applied(shop):
    MigrationRecorder(connection).record_unapplied("tickets", "0001_initial")
    assert _bad() == [("database", "migrations not applied: 1. Run `manage.py migrate`")]


def test_a_database_that_is_away(shop):
    def fail(*_):
        raise OperationalError("connection refused\n")

    with connection.execute_wrapper(fail):
        assert _bad() == [("database", "connection refused: check that it runs, and DATABASE_URL")]


def test_a_ticket_that_no_worker_publishes(shop, gig):
    purchase = Purchase.objects.create(gig=gig, token="token")
    due = timezone.now() - timedelta(seconds=30)
    waiting = purchase.tickets.create(name="Ada", email="ada@example.com", price=gig.price, publish_due_at=due)
    assert _bad() == []
    waiting.publish_due_at -= timedelta(seconds=31)
    waiting.save()
    assert _bad() == [("outbox", "tickets waiting to be published: 1. Is a worker running? `manage.py queue work`")]


def test_a_mail_server_that_is_away(shop, smtp):
    smtp.stop()
    [(subject, words)] = _bad()
    assert subject == "mail server"
    assert words.endswith("Connection refused: check that it runs, and EMAIL_URL")


def test_addresses_that_no_buyer_can_reach(shop, settings):
    settings.SITE_URL, settings.DEFAULT_FROM_EMAIL = "http://127.0.0.1:8000", "shop@localhost"
    assert _bad() == [
        ("SITE_URL", "127.0.0.1: no buyer can reach that, set it to the shop's own"),
        ("DEFAULT_FROM_EMAIL", "localhost: no buyer can reach that, set it to the shop's own"),
    ]
    settings.DEBUG = True
    assert _bad() == []


def test_the_command_prints_a_line_for_each_and_fails_if_there_is_something_to_do(shop):
    out = StringIO()
    call_command("queue", "doctor", stdout=out)
    lines = out.getvalue().splitlines()
    assert [line.split(": ", 1)[0] for line in lines] == [f"ok  {subject}" for subject in SUBJECTS]
    shop.send_message(QueueUrl=queue.dead_letter_url(), MessageBody="{}")
    out = StringIO()
    with pytest.raises(CommandError, match=r"^to do: 1$"):
        call_command("queue", "doctor", "--role", "web", "--json", stdout=out)
    bad = [line for line in map(json.loads, out.getvalue().splitlines()) if line["verdict"] == "bad"]
    words = "parked messages: 1. `manage.py queue peek --dlq` shows their causes"
    assert bad == [{"verdict": "bad", "subject": "DLQ", "words": words}]
