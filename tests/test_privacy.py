"""Whatever goes wrong, the log has no buyer's address in full; whatever strangers send, it has one short line."""

import io
import json
import logging
import subprocess
import sys
import time
import uuid
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from tickets import privacy, queue
from tickets.delivery import Delivery
from tickets.models import Ticket
from tickets.purchases import Owner, buy, message_body
from tickets.queue import Received


@pytest.fixture
def written(monkeypatch):
    """Give what all handlers of the settings write from here on."""
    stream = io.StringIO()
    for name in ("", "django", "django.security"):
        for handler in logging.getLogger(name).handlers:
            if type(handler) is logging.StreamHandler:  # Not pytest's own.
                monkeypatch.setattr(handler, "stream", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def _buy(gig):
    return buy(gig, [Owner("Ada Lovelace", "ada@example.com")], str(uuid.uuid4())).tickets[0]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ada@example.com", "a…@example.com"),
        ("<ada.lovelace+gigs@example.com>: unknown", "<a…@example.com>: unknown"),
        ("ada@example.com,bob@example.com", "a…@e…@example.com"),
        ('{"email": "ada@example.com"}', '{"email": "a…@example.com"}'),
        ("['ada@example.com']", "[…@example.com']"),
        ('"ada lovelace"@example.com', "…@example.com"),
        (r'"ada\"\ lovelace@home"@example.com', "…@example.com"),
        (json.dumps(r'"ada\ lovelace"@example.com'), r'"\"ada\\ l…@example.com"'),
        ("a@b.example", "a…@b.example"),
        ("no address, but an @ and @home", "no address, but an @ and @home"),
        ("refused\nDETAIL:  Failing row contains (1, Ada Lovelace).\nHINT", "refused\nDETAIL: …\nHINT"),
    ],
)
def test_of_an_address_the_first_letter_and_the_host_are_left(text, masked):
    assert privacy.mask(text) == masked


@pytest.mark.parametrize("part", ["x", '"', '\\"', "@", "a@", '"a', "DETAIL:"])
def test_a_long_text_takes_no_long_time(part):
    began = time.process_time()
    privacy.mask(part * (300_000 // len(part)))
    assert time.process_time() - began < 2


# --- Our own lines, and those of libraries --------------------------------------------------------


def test_a_request_that_fails(written, client, gig, payload, sqs, monkeypatch, mailoutbox, settings):
    def send(**call):
        raise RuntimeError(f"can't send {call}")

    settings.ADMINS = [("Operator", "operator@example.com")]
    client.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(queue.producer(), "send_message_batch", send)
        answer = client.post(gig.get_absolute_url(), payload())
    assert (answer.status_code, mailoutbox) == (500, [])
    [error] = [line["exception"] for line in written() if line["level"] == "error"]
    assert error.startswith("Traceback")
    assert "RuntimeError: can't send" in error
    assert "ada@example.com" not in str(written())


def test_a_mail_that_fails(written, gig, smtp, monkeypatch):
    def sendmail(_self, _from, to, *_):
        raise RuntimeError(f"no way to {to}")

    monkeypatch.setattr("smtplib.SMTP.sendmail", sendmail)
    ticket = _buy(gig)
    postman = Delivery(timedelta(seconds=180), max_receive_count=5)
    outcome = postman.deliver([Received("1", json.dumps(message_body(ticket)), "handle", 1)])
    postman.close()
    assert len(outcome.put_off) == 1
    [error] = [line for line in written() if line["level"] == "error"]
    assert error["ticket"] == str(ticket.pk)
    assert error["exception"].endswith("RuntimeError: no way to ['Ada Lovelace <a…@example.com>']")
    assert "ada@example.com" not in str(written())


def test_without_the_mask_it_would_stand_there(written, monkeypatch):
    """The negative control of the tests around it."""
    monkeypatch.setattr(privacy, "mask", lambda text: text)
    logging.getLogger("tickets").warning("no way to %s", "ada@example.com")
    assert "ada@example.com" in str(written())


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite doesn't quote rows")
def test_a_row_that_postgresql_refuses(written, gig):
    now, ticket = timezone.now(), _buy(gig)
    with pytest.raises(IntegrityError, match=r"Ada Lovelace, ada@example\.com") as refused, transaction.atomic():
        Ticket.objects.filter(pk=ticket.pk).update(mailed_at=now, parked_at=now)
    logging.getLogger("tickets").error("refused", exc_info=refused.value)
    [line] = written()
    assert 'violates check constraint "ticket_mailed_or_parked_not_both"\nDETAIL: …\n' in line["exception"]
    assert [word for word in ("Ada", "ada@example.com") if word in str(line)] == []


CRASH = """
import runpy, sys, boto3
def client(*_, **__): raise ValueError("no way to ada@example.com")
boto3.session.Session.client = client
sys.argv = ["manage.py", "queue", "work"]
runpy.run_path("manage.py", run_name="__main__")
"""


def test_a_worker_that_crashes():
    command, folder = [sys.executable, "-c", CRASH], django_settings.BASE_DIR
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    [line] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["level"], line["logger"], line["event"]) == ("critical", "manage", "ended by an error")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: no way to a…@example.com")
    assert "ada@example.com" not in done.stdout + done.stderr


# --- Strangers ------------------------------------------------------------------------------------


def _warnings(lines):
    return [(line["logger"], line["event"]) for line in lines if line["level"] == "warning" and "exception" not in line]


def test_a_wrong_host_name_is_one_line_without_a_traceback(written, client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    words = "Invalid HTTP_HOST header: 'evil.example'. You may need to add 'evil.example' to ALLOWED_HOSTS."
    assert _warnings(written()) == [("django.security.DisallowedHost", words)]


def test_a_long_one_is_a_short_line(written, client):
    client.get("/", headers={"host": "x" * 60_000})
    [(_, words)] = _warnings(written())
    assert len(words) == privacy.LINE_LENGTH


def test_so_is_a_body_that_is_too_large(written, client, gig, payload):
    assert client.post(gig.get_absolute_url(), payload(name="x" * 300_000)).status_code == 413
    words = "Request body exceeded settings.DATA_UPLOAD_MAX_MEMORY_SIZE."
    assert _warnings(written()) == [("django.security.RequestDataTooBig", words)]
