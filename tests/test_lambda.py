"""The functions of template.yml, given what AWS gives them: an event source mapping's batch, a command, a request."""

import json
import os
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError
from django.db import OperationalError, connection
from django.utils import timezone

from tickets import lambda_handler, provisioning, queue
from tickets.models import Purchase, Ticket
from tickets.purchases import Owner, buy, message_body

pytestmark = pytest.mark.django_db(transaction=True)  # Each invocation begins by closing old connections.
TRACE = "0af7651916cd43dd8448eb211c80319c"
SECONDS = 30


class Context:
    """Say how long the function may still run."""

    def __init__(self, seconds=30.0):
        self._seconds = seconds

    def get_remaining_time_in_millis(self):
        return round(self._seconds * 1000)


@pytest.fixture(autouse=True)
def _new_delivery(smtp):
    lambda_handler._delivery.cache_clear()
    yield
    lambda_handler._delivery().close()
    lambda_handler._delivery.cache_clear()


@pytest.fixture
def tickets(gig):
    sold = buy(gig, [Owner(f"Owner {i}", f"owner{i}@example.com") for i in range(10)], "token").tickets
    Ticket.objects.update(published_at=timezone.now())
    return sold


def _record(body, number=1, receives=1, handle=None, trace=None):
    """Build what the mapping hands over of one message."""
    return {
        "messageId": f"00000000-0000-4000-8000-{number:012}",
        "receiptHandle": handle or f"handle-{number}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": "1795510800000",
            "SenderId": "AROAEXAMPLE:timelessmusic-purchase",
            "ApproximateFirstReceiveTimestamp": "1795510800005",
        },
        "messageAttributes": {"trace": {"stringValue": trace, "dataType": "String"}} if trace else {},
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:timelessmusic-purchase",
        "awsRegion": "us-east-1",
    }


def _batch(sold, **details):
    return {"Records": [_record(json.dumps(message_body(t)), i, **details) for i, t in enumerate(sold, 1)]}


def _send(sqs, body):
    """Send a message and receive it as the mapping does; return its record."""
    sqs.send_message(QueueUrl=queue.url(), MessageBody=body)
    [message] = sqs.receive_message(QueueUrl=queue.url(), AttributeNames=["All"])["Messages"]
    record = _record(body, handle=message["ReceiptHandle"])
    return record | {"messageId": message["MessageId"], "attributes": message["Attributes"]}


def _failures(*records):
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]}


def _in_order(answer):
    """Sort what failed: the order of a batch's tickets is the database's."""
    return {"batchItemFailures": sorted(answer["batchItemFailures"], key=str)}


# --- The event source mapping ---------------------------------------------------------------------


def test_a_batch_of_ten(tickets, smtp, sqs):
    assert lambda_handler.handler(_batch(tickets), Context()) == _failures()
    assert smtp.sink.recipients == [f"owner{i}@example.com" for i in range(10)]
    assert Ticket.objects.mailed().count() == 10


def test_of_a_message_that_comes_twice_one_mail_is_sent(tickets, smtp, sqs):
    event = {"Records": [*_batch(tickets[:2])["Records"], *_batch(tickets[:2])["Records"]]}
    assert lambda_handler.handler(event, Context()) == _failures()
    assert lambda_handler.handler(_batch(tickets[:2]), Context()) == _failures()
    assert smtp.sink.recipients == ["owner0@example.com", "owner1@example.com"]


def test_one_that_is_put_off_comes_again_later(gig, smtp, sqs, monkeypatch):
    monkeypatch.setattr("tickets.delivery.backoff", lambda receives: 30 * receives)
    [sold] = buy(gig, [Owner("Ada", "ada@example.com")], "token").tickets
    [other] = buy(gig, [Owner("Bob", "bob@example.com")], "other").tickets
    smtp.sink.rcpt_answers["ada@example.com"] = "451 4.3.0 try again"
    late = _send(sqs, json.dumps(message_body(sold)))
    well = _record(json.dumps(message_body(other)), 2)
    assert lambda_handler.handler({"Records": [late, well]}, Context()) == _failures(late)
    assert smtp.sink.recipients == ["bob@example.com"]
    assert (provisioning.describe().waiting, provisioning.describe().in_flight) == (0, 1)


def test_all_put_off(tickets, smtp, sqs):
    smtp.sink.rcpt_answers["*"] = "451 4.3.0 try again"
    records = [_send(sqs, json.dumps(message_body(ticket))) for ticket in tickets[:3]]
    answer = lambda_handler.handler({"Records": records}, Context())
    assert _in_order(answer) == _in_order(_failures(*records))
    assert (smtp.sink.mails, Ticket.objects.mailed().count()) == ([], 0)


@pytest.mark.parametrize("body", ["", "{", "null", '{"ticketId": 1}', "[" * 10_000])
def test_one_that_is_not_ours_is_parked_and_stops_no_other(tickets, smtp, sqs, body):
    bad = _send(sqs, body or " ")
    assert lambda_handler.handler({"Records": [bad, *_batch(tickets[:1])["Records"]]}, Context()) == _failures()
    assert smtp.sink.recipients == ["owner0@example.com"]
    assert (provisioning.describe().depth, provisioning.describe().dead_letters.waiting) == (0, 1)


def test_a_recipient_who_is_refused_is_parked_with_the_cause(gig, smtp, sqs):
    [sold] = buy(gig, [Owner("Ada", "ada@example.com")], "token").tickets
    smtp.sink.rcpt_answers["ada@example.com"] = "550 no such user"
    record = _send(sqs, json.dumps(message_body(sold)))
    assert lambda_handler.handler({"Records": [record]}, Context()) == _failures()
    parked = Ticket.objects.parked().get()
    assert parked.parked_cause == "the mail was refused: 550 no such user"
    assert (provisioning.describe().depth, provisioning.describe().dead_letters.waiting) == (0, 1)


def test_near_the_end_of_its_time_it_begins_no_mail(tickets, smtp, sqs):
    records = [_send(sqs, json.dumps(message_body(ticket))) for ticket in tickets[:2]]
    seconds = lambda_handler.MAIL_SECONDS + lambda_handler.SETTLE_SECONDS - 1
    answer = lambda_handler.handler({"Records": records}, Context(seconds))
    assert _in_order(answer) == _in_order(_failures(*records))
    assert (smtp.sink.mails, provisioning.describe().waiting) == ([], 2)
    assert Ticket.objects.exclude(claim=None).count() == 0


def test_while_the_mail_server_is_away_it_raises_and_nothing_is_lost(tickets, smtp, sqs):
    records = [_send(sqs, json.dumps(message_body(ticket))) for ticket in tickets[:2]]
    smtp.stop()
    with pytest.raises(lambda_handler.Away, match=r"^MailServerDown: .*Connection refused"):
        lambda_handler.handler({"Records": records}, Context())
    description = provisioning.describe()
    assert (description.in_flight, description.dead_letters.depth, Ticket.objects.parked().count()) == (2, 0, 0)
    smtp.start()
    assert lambda_handler.handler({"Records": records}, Context()) == _failures()
    assert smtp.sink.recipients == ["owner0@example.com", "owner1@example.com"]


def test_at_its_last_receive_a_message_goes_back_to_the_outbox_not_to_the_dlq(tickets, smtp, sqs):
    record = _send(sqs, json.dumps(message_body(tickets[0])))
    record["attributes"]["ApproximateReceiveCount"] = "5"
    smtp.stop()
    with pytest.raises(lambda_handler.Away):
        lambda_handler.handler({"Records": [record]}, Context())
    description = provisioning.describe()
    assert (description.depth, description.dead_letters.depth) == (0, 0)
    waiting = Ticket.objects.unpublished().get()
    assert waiting == tickets[0]
    assert waiting.publish_due_at > timezone.now() + timedelta(minutes=14)


def test_while_the_database_is_away_it_raises_and_the_messages_stay(tickets, sqs):
    record = _send(sqs, json.dumps(message_body(tickets[0])))

    def fail(*_):
        raise OperationalError("connection refused")

    with (
        connection.execute_wrapper(fail),
        pytest.raises(lambda_handler.Away, match=r"^OperationalError: connection refused$"),
    ):
        lambda_handler.handler({"Records": [record]}, Context())
    assert (provisioning.describe().in_flight, provisioning.describe().dead_letters.depth) == (1, 0)


def test_what_sqs_does_not_hear_comes_again(gig, smtp, sqs, monkeypatch):
    [sold] = buy(gig, [Owner("Ada", "ada@example.com")], "token").tickets
    smtp.sink.rcpt_answers["ada@example.com"] = "550 no such user"
    event = _batch([sold])
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    queue.forget()
    assert lambda_handler.handler(event, Context()) == _failures(*event["Records"])


def test_the_trace_comes_with_the_message(tickets, smtp, sqs, logs):
    lambda_handler.handler(_batch(tickets[:1], trace=TRACE), Context())
    assert logs("trace", event="mailed") == [TRACE]


def test_from_the_purchase_to_the_mail(client, gig, payload, smtp, sqs):
    """Published by the shop, read from SQS, wrapped as the mapping does, handled, mailed."""
    client.post(gig.get_absolute_url(), payload())
    answer = sqs.receive_message(QueueUrl=queue.url(), AttributeNames=["All"], MessageAttributeNames=["All"])
    [message] = answer["Messages"]
    trace = message["MessageAttributes"]["trace"]["StringValue"]
    record = _record(message["Body"], handle=message["ReceiptHandle"], trace=trace)
    assert lambda_handler.handler({"Records": [record]}, Context()) == _failures()
    [mail] = smtp.sink.mails
    assert (mail["To"], mail["X-Trace-Id"]) == ("Ada Lovelace <ada@example.com>", Purchase.objects.get().trace)


# --- Commands -------------------------------------------------------------------------------------


def test_a_command(gig, sqs):
    buy(gig, [Owner("Ada", "ada@example.com")], "token")
    Ticket.objects.update(publish_due_at=timezone.now())
    assert lambda_handler.manage({"arguments": ["queue", "publish"]}, Context()) == "published 1\n"
    assert provisioning.describe().waiting == 1


def test_a_command_that_fails_says_what_it_has_found(gig, sqs):
    purchase = buy(gig, [Owner("Ada", "ada@example.com")], "token").purchase
    sold = datetime(2026, 1, 1, tzinfo=UTC)
    Ticket.objects.update(created_at=sold, mail_asked_at=sold, publish_due_at=timezone.now())
    arguments = ["queue", "reconcile", "--older-than", "3600", "--repair"]
    with pytest.raises(CommandError) as failed:
        lambda_handler.manage({"arguments": arguments}, Context())
    words = str(failed.value)
    assert f"\nhangs: {purchase.tickets.get().pk}, sold 2026-01-01 00:00:00 UTC, " in words
    assert words.endswith("published 1 once more\n1 hangs")


# --- The image's entry points, run by AWS's own runtime client ------------------------------------


class RuntimeApi(ThreadingHTTPServer):
    """Hand one event to a function's process, as Lambda does inside its machine, and keep what it answers."""

    def __init__(self, event):
        self.answers = Queue()
        self.events = Queue()
        self.events.put(event)
        super().__init__(("127.0.0.1", 0), _RuntimeApiHandler)


class _RuntimeApiHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        event = self.server.events.get()  # The second GET waits until the process is killed.
        body = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(round(datetime.now(UTC).timestamp() + SECONDS) * 1000))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:shop")
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.answers.put((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def _invoke(handler, event, tmp_path):
    """Run `handler` in a process of its own, as template.yml's ImageConfig does; return the answer to `event`."""
    server = RuntimeApi(event)
    Thread(target=server.serve_forever, daemon=True).start()
    with (tmp_path / "log").open("w") as log:
        function = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=django_settings.BASE_DIR,
            env={
                "PATH": os.environ["PATH"],
                "ENV_FILE": os.devnull,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "none",
                "AWS_SECRET_ACCESS_KEY": "none",
                "SECRET_KEY": "for tests alone: nothing that it signs leaves this machine",
                "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
                "ALLOWED_HOSTS": "api.example.com",
                "BEHIND_PROXY": "true",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            path, answer = server.answers.get(timeout=SECONDS)
        finally:
            function.kill()
            function.wait()
            server.events.put({})
            server.shutdown()
            server.server_close()
    assert path.endswith("/response"), (answer, (tmp_path / "log").read_text())
    return answer


def _request(path):
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "host": "api.example.com",
            "x-forwarded-for": "203.0.113.5",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "domainName": "api.example.com",
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.5",
                "userAgent": "curl/8.0",
            },
            "stage": "$default",
            "time": "24/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795514400000,
        },
        "isBase64Encoded": False,
    }


def test_the_web_application_answers_a_request(tmp_path):
    answer = _invoke("timelessmusic.lambda_wsgi.handler", _request("/api/openapi.yml"), tmp_path)
    body = b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    assert (answer["statusCode"], body) == (200, (django_settings.BASE_DIR / "openapi.yml").read_bytes())


def test_the_worker_answers_a_batch(tmp_path):
    assert _invoke("tickets.lambda_handler.handler", {"Records": []}, tmp_path) == {"batchItemFailures": []}


def test_the_operator_runs_a_command(tmp_path):
    answer = _invoke("tickets.lambda_handler.manage", {"arguments": ["check"]}, tmp_path)
    assert answer == "System check identified no issues (0 silenced).\n"
