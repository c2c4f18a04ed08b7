import json
import logging
import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse

from tickets import codes, health, queue
from tickets.delivery import Delivery
from tickets.logs import formatter
from tickets.models import Purchase

TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"
CARD = ("4242 4242 4242 4242", "4242424242424242", "A Lovelace")


def _shown(style, text):
    return formatter(style).format(logging.LogRecord("shop", logging.INFO, "", 0, "%s", (text,), None))


def test_a_request_is_one_line(client, gig, logs):
    client.get(gig.get_absolute_url(), {"q": "ada@example.com"}, headers={"traceparent": TRACEPARENT})
    [line] = [json.loads(line) for line in logs.text.splitlines()]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert 0 < line.pop("ms") < 10_000
    assert line == {
        "event": "request",
        "level": "info",
        "logger": "tickets.logs",
        "method": "GET",
        "path": "/gigs/nirvana-cork-1991/",
        "status": 200,
        "trace": "a" * 32,
    }


@pytest.mark.parametrize(("path", "status"), [("/nowhere/", 404), ("/admin/", 302), ("/?page=2", 200)])
def test_so_is_one_that_is_refused_or_sent_elsewhere(client, db, logs, path, status):
    client.get(path)
    assert logs("event", "status") == [("request", status)]


def test_a_request_for_an_unknown_host_is_a_line_too(client, db, logs):
    client.get("/", headers={"host": "elsewhere.example"})
    assert logs("status", event="request") == [400]


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 200), ("/static/nothing.css", 404)])
def test_probes_and_files_leave_no_line(client, db, sqs, logs, monkeypatch, path, status):
    monkeypatch.setattr(health, "LIMIT_SECONDS", 30)  # This is not about the limit, and the machine may be busy.
    assert client.get(path).status_code == status
    assert logs("event") == []


def test_nothing_of_a_request_stays_for_the_next_line_of_its_thread(client, gig, logs):
    client.get(gig.get_absolute_url())
    logging.getLogger("shop").warning("after")
    assert logs("trace", "event", event="after") == [(None, "after")]


@pytest.mark.parametrize("name", ["purchase", "purchase_status"])
@pytest.mark.parametrize("shape", [str, lambda pk: str(pk).upper(), lambda pk: pk.hex])
def test_the_address_of_a_purchase_is_in_no_line(client, gig, logs, name, shape):
    purchase = Purchase.objects.create(gig=gig, token="token")
    path = reverse(name, args=[purchase.pk])
    client.get(path.replace(str(purchase.pk), shape(purchase.pk)))
    assert logs("path", event="request") == [path.replace(str(purchase.pk), "…")]
    assert shape(purchase.pk) not in logs.text


@pytest.mark.parametrize("end", ["", "qr.svg"])
def test_the_address_of_a_ticket_is_in_no_line(client, db, logs, end):
    code = codes.sign(uuid.uuid4(), 1)
    client.get(f"/tickets/{code}/{end}")
    assert logs("path", event="request") == [f"/tickets/…/{end}"]
    assert code not in logs.text


def test_the_address_of_a_purchase_is_in_no_traceback(client, gig, logs, monkeypatch):
    purchase = Purchase.objects.create(gig=gig, token="token")

    def fail(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("tickets.bought._purchase", fail)
    client.raise_request_exception = False
    client.get(purchase.get_absolute_url())
    assert logs("event", "level", "trace") == [
        ("Internal Server Error: /purchases/…/", "error", logs("trace", event="request")[0]),
        ("request", "info", logs("trace", event="request")[0]),
    ]
    assert "RuntimeError: a bug" in logs.text
    assert str(purchase.pk) not in logs.text


def test_a_path_forges_no_line_and_has_its_limit(client, db, logs):
    client.get("/%0d%0a{}/" + "x" * 5000)
    assert logs("path") == ["/%0D%0A%7B%7D/" + "x" * 186]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("no such user <zoe@example.com>: zoe@example.com", "no such user <z…@example.com>: z…@example.com"),
        ("Key (email)=(ada@example.com) exists", "Key (…@example.com) exists"),
        ("postgresql://shop:secret@db:5432/shop", "p…@db:5432/shop"),
        ("nothing to hide @ all", "nothing to hide @ all"),
    ],
)
def test_addresses_are_masked_in_every_line(text, masked):
    assert json.loads(_shown("json", text))["event"] == masked
    assert _shown("console", text).split(" ", 1)[1].rstrip() == f"[info] {masked} [shop]"


@pytest.mark.django_db
def test_no_card_and_no_buyer_is_in_any_line(client, gig, payload, sqs, smtp, logs):
    """Sold and mailed; refused by the form; refused by the mail server, which quotes the address; and a bug."""
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        client.post(gig.get_absolute_url(), payload(card_cvc="987"))
        client.post(gig.get_absolute_url(), payload(card_cvc="9876543"))
        client.post(gig.get_absolute_url(), payload(email="bob@example.com", card_cvc="987"))
        smtp.sink.rcpt_answers["bob@example.com"] = "550 5.1.1 <bob@example.com>: no such user bob@example.com"
        postman = Delivery(timedelta(seconds=180), max_receive_count=5)
        postman.deliver(queue.receive(wait_seconds=0))
        postman.close()
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr("tickets.purchases._fingerprint", lambda *_: 1 / 0)
            client.raise_request_exception = False
            client.post(gig.get_absolute_url(), payload(card_cvc="987", again="on"))
    finally:
        logging.getLogger().setLevel(logging.INFO)
    assert sorted(set(logs("event"))) == [
        "Internal Server Error: /gigs/nirvana-cork-1991/",
        "mailed",
        "parked",
        "request",
    ]
    assert logs("cause", event="parked") == [
        "the mail was refused: 550 5.1.1 <b…@example.com>: no such user b…@example.com"
    ]
    secrets = [*CARD, "987", "ada@", "bob@", "Ada Lovelace"]
    seen = re.sub(r'"(timestamp|ms|trace|ticket|message|seconds)": [^,}]+', "", logs.text)
    assert [secret for secret in secrets if secret in seen] == []


def test_a_developer_reads_lines(client, gig, logs):
    logs.setFormatter(formatter("console"))
    client.get(gig.get_absolute_url(), headers={"traceparent": TRACEPARENT})
    assert re.sub(r"\d\d:\d\d:\d\d", "10:11:12", re.sub(r"ms=\S+", "ms=5.0", logs.text)) == (
        "10:11:12 [info] request [tickets.logs] method=GET ms=5.0 "
        f"path=/gigs/nirvana-cork-1991/ status=200 trace={'a' * 32}\n"
    )


def test_a_traceback_shows_no_variables():
    try:
        card = uuid.uuid4().hex
        raise ValueError("a bug")
    except ValueError as error:
        exc_info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("shop", logging.ERROR, "", 0, "failed", (), exc_info)
    for style in ("json", "console"):
        shown = formatter(style).format(record)
        assert ("ValueError: a bug" in shown, card in shown) == (True, False)
