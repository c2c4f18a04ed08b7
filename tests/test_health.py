import socket
import threading
import time

import pytest
from django.db import connection, connections

from tickets import health, purchases, queue
from tickets.breaker import BreakerOpen
from tickets.health import Check

WELL = {"database": "ok", "queue": "ok"}
LATE = "no answer within 1 s"
SERVERS_OWN_SECONDS = 4  # boto3's two attempts of 2 s: what a silent SQS would take without our limit
needs_server = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no server")


@pytest.fixture
def limit(monkeypatch):
    """Let the answers' time be short: in most tests it is roomy, for a busy machine is slow to give true ones."""
    monkeypatch.setattr(health, "LIMIT_SECONDS", 1.0)


@pytest.fixture(autouse=True)
def _checks_of_this_test_alone(monkeypatch):
    """One that still hangs in a thread of an earlier test would answer for this one."""
    monkeypatch.setattr(health, "LIMIT_SECONDS", 30.0)
    fresh = {name: Check(name, check._ask) for name, check in health.CHECKS.items()}
    monkeypatch.setattr(health, "CHECKS", fresh)


@pytest.fixture
def silent():
    """Give the port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def move_database(monkeypatch):
    def move(port):
        monkeypatch.setitem(connections.settings["default"], "HOST", "127.0.0.1")
        monkeypatch.setitem(connections.settings["default"], "PORT", port)

    return move


@pytest.fixture
def move_queue(monkeypatch):
    def move(port):
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{port}")
        queue.forget()

    yield move
    queue.forget()


def _ask(client):
    """Ask whether the shop is ready; return the status, the answer and the seconds it took."""
    began = time.monotonic()
    response = client.get("/readyz")
    return response.status_code, response.json(), time.monotonic() - began


# --- Alive ----------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_it_works(client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_load_balancer_may_ask_by_address_and_in_plain_http(client, db, sqs, settings, path):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get(path, headers={"host": "10.0.0.7:8000"}).status_code == 200


def test_other_addresses_ask_for_a_known_host(client):
    assert client.get("/admin/", headers={"host": "10.0.0.7:8000"}).status_code == 400


# --- Ready ----------------------------------------------------------------------------------------


def test_it_is_ready_with_database_and_queue(client, db, sqs):
    response = client.get("/readyz")
    assert (response.status_code, response.json(), response["Cache-Control"]) == (200, WELL, "no-store")


def test_the_answer_is_never_an_old_one(client, db, sqs, move_queue):
    assert _ask(client)[:2] == (200, WELL)
    move_queue(1)
    assert _ask(client)[1]["queue"] == "away: EndpointConnectionError"


def test_while_sqs_is_away_the_shop_sells_and_says_so(client, db, sqs, move_queue):
    move_queue(1)
    assert _ask(client)[:2] == (200, {"database": "ok", "queue": "away: EndpointConnectionError"})


def test_a_missing_queue_is_said(client, db, sqs, settings):
    settings.SQS_QUEUE_NAME = "elsewhere"
    queue.forget()
    assert _ask(client)[:2] == (200, {"database": "ok", "queue": "away: QueueDoesNotExist"})


@needs_server
def test_without_the_database_the_shop_is_not_ready(client, db, sqs, move_database):
    move_database(1)
    assert _ask(client)[:2] == (503, {"database": "away: OperationalError", "queue": "ok"})


def test_sqs_that_never_answers_is_waited_for_no_longer_than_the_limit(client, db, limit, move_queue, silent):
    move_queue(silent)
    status, answer, seconds = _ask(client)
    assert (status, answer["queue"]) == (200, LATE)
    assert 1 <= seconds < SERVERS_OWN_SECONDS


@needs_server
def test_nor_is_a_silent_database(client, db, limit, move_database, move_queue, silent):
    move_database(silent)
    move_queue(silent)
    status, answer, seconds = _ask(client)
    assert (status, answer) == (503, {"database": LATE, "queue": LATE})
    assert 1 <= seconds < SERVERS_OWN_SECONDS


def test_both_are_asked_side_by_side(client, monkeypatch):
    meet = threading.Barrier(2, timeout=20)  # Alone, each would wait here in vain.
    for name in WELL:
        monkeypatch.setitem(health.CHECKS, name, Check(name, meet.wait))
    assert _ask(client)[:2] == (200, WELL)


def test_a_check_that_hangs_costs_one_thread_and_the_later_callers_no_time(limit):
    asked, hang = [], threading.Event()
    check = Check("queue", lambda: asked.append(1) or hang.wait(60))
    assert check.begin()() == LATE
    began = time.monotonic()
    assert [check.begin()() for _ in range(20)] == [LATE] * 20
    assert (len(asked), time.monotonic() - began < 5) == (1, True)  # Each would wait for a second.

    answer = check._answer
    hang.set()
    assert answer.result(timeout=30) == ("ok", "")
    assert (check.begin()(), len(asked)) == ("ok", 2)


def test_the_reason_in_full_is_in_the_log_once_and_in_no_answer(client, db, sqs, move_queue, logs):
    move_queue(1)
    assert [_ask(client)[1]["queue"] for _ in range(3)] == ["away: EndpointConnectionError"] * 3
    assert logs("check", "answer", "cause", event="readiness changed") == [
        (
            "queue",
            "away: EndpointConnectionError",
            'can\'t reach the queue: Could not connect to the endpoint URL: "http://127.0.0.1:1/"',
        )
    ]


def test_a_bug_in_a_check_is_an_answer(client, db, sqs, monkeypatch):
    monkeypatch.setitem(health.CHECKS, "queue", Check("queue", lambda: 1 / 0))
    assert _ask(client)[:2] == (200, {"database": "ok", "queue": "away: ZeroDivisionError"})


def test_the_breaker_of_publishing_neither_holds_it_up_nor_is_tripped_by_it(client, db, sqs, move_queue):
    for _ in range(3):
        with pytest.raises(queue.QueueError), purchases.breaker:
            raise queue.QueueError
    assert _ask(client)[:2] == (200, WELL)
    with pytest.raises(BreakerOpen), purchases.breaker:
        pass

    purchases.breaker._failures = 0
    move_queue(1)
    for _ in range(5):
        _ask(client)
    with purchases.breaker:
        pass


def test_the_queue_is_asked_for_with_what_the_web_may_do(client, db, sqs):
    asked = []
    queue.url()
    queue.producer().meta.events.register("before-call.sqs.*", lambda model, **_: asked.append(model.name))
    _ask(client)
    assert asked == ["GetQueueAttributes"]
