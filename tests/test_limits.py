"""Who buys too often waits; nobody gets round it, and nobody else waits with them."""

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.test import RequestFactory
from fakeredis import TcpFakeServer
from limits import parse_many
from limits.storage import MemoryStorage

from tickets import limits, provisioning
from tickets.models import Gig, Purchase, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_a_minute(settings):
    settings.PURCHASE_LIMITS = parse_many("2/minute")


@pytest.fixture
def buy(client, gig, sqs, payload):
    def buy(headers=None, address="203.0.113.5", **changes):
        return client.post(gig.get_absolute_url(), payload(again="on", **changes), headers=headers, REMOTE_ADDR=address)

    return buy


def _later(monkeypatch, seconds):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + seconds)


# --- The client -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "forwarded", "peer", "client"),
    [
        (0, None, "203.0.113.5", "203.0.113.5"),
        (0, "198.51.100.1", "203.0.113.5", "203.0.113.5"),
        (1, None, "10.0.0.1", "10.0.0.1"),
        (1, "203.0.113.5", "10.0.0.1", "203.0.113.5"),
        (1, "198.51.100.1, 203.0.113.5", "10.0.0.1", "203.0.113.5"),
        (2, "198.51.100.1, 203.0.113.5, 192.0.2.7", "10.0.0.1", "203.0.113.5"),
        (2, "203.0.113.5", "10.0.0.1", "203.0.113.5"),  # past the outer proxy: the inner one's word
        (1, "198.51.100.1, unknown", "10.0.0.1", "10.0.0.1"),
        (1, "198.51.100.1,", "10.0.0.1", "10.0.0.1"),
        (1, "203.0.113.5:50312", "10.0.0.1", "203.0.113.5"),
        (1, "[2001:db8:1:2:3::4]:443", "10.0.0.1", "2001:db8:1:2::"),
        (1, "2001:db8:1:2:3::4", "10.0.0.1", "2001:db8:1:2::"),
        (0, None, "2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        (0, None, "::ffff:203.0.113.5", "203.0.113.5"),
        (0, None, "", None),
    ],
)
def test_a_client_is_the_address_our_own_proxies_vouch_for(settings, proxies, forwarded, peer, client):
    settings.PROXY_COUNT = proxies
    request = RequestFactory(REMOTE_ADDR=peer).get("/", headers={"x-forwarded-for": forwarded} if forwarded else None)
    assert limits.client_address(request) == client


ECHO = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [environ["HTTP_X_FORWARDED_FOR"].encode()]
"""


def _connect(port):
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < end


def test_the_web_server_keeps_the_order_of_several_header_lines(tmp_path):
    """Some proxies append a line of their own instead of appending to the client's: theirs must be the last word."""
    (tmp_path / "echo.py").write_text(ECHO)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # A worker that is still starting may miss a SIGTERM, and granian would wait for it for ever.
    options = ("--interface", "wsgi", "--port", str(port), "--workers-kill-timeout", "3", "echo:application")
    command = [Path(sys.executable).with_name("granian"), *options]
    server = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        with _connect(port) as connection:
            lines = "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.5\r\n"
            connection.sendall(f"GET / HTTP/1.1\r\nHost: shop\r\n{lines}Connection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert answer.decode().rpartition("\r\n\r\n")[2] == "198.51.100.1,203.0.113.5"


# --- Buying ---------------------------------------------------------------------------------------


def test_who_buys_too_often_is_told_when_to_come_back_and_nothing_is_sold(buy, two_a_minute, payload):
    assert [buy().status_code, buy().status_code] == [302, 302]
    token = payload()["token"]
    answer = buy(token=token, card_cvc="987")
    assert (answer.status_code, 0 < int(answer["Retry-After"]) <= 60) == (429, True)
    assert (Purchase.objects.count(), Ticket.objects.count(), Gig.objects.get().sold) == (2, 2, 2)
    assert provisioning.describe().depth == 2
    page = answer.content.decode()
    assert f"Please wait {answer['Retry-After']} second" in page
    assert all(kept in page for kept in ('value="Ada Lovelace"', 'value="ada@example.com"', f'value="{token}"'))
    assert [secret for secret in ("4242", "987") if secret in page] == []


def test_after_that_time_the_same_form_buys(buy, two_a_minute, payload, monkeypatch):
    buy(), buy()
    token = payload()["token"]
    wait = int(buy(token=token)["Retry-After"])
    with monkeypatch.context() as later:
        _later(later, wait)
        assert buy(token=token).status_code == 302
    assert Purchase.objects.filter(token=token).count() == 1


def test_a_repeat_still_reaches_its_own_purchase(buy, two_a_minute, payload):
    token = payload()["token"]
    first = buy(token=token)
    buy()
    assert buy().status_code == 429
    again = buy(token=token)
    assert (again.status_code, again.url) == (302, first.url)
    assert Ticket.objects.count() == 2


def test_others_go_on_buying(buy, two_a_minute):
    buy(), buy(), buy()
    assert buy(address="203.0.113.6").status_code == 302


def test_the_neighbours_of_an_ipv6_address_are_the_same_client(buy, two_a_minute):
    answers = [buy(address=f"2001:db8:1:2::{n}").status_code for n in range(1, 4)]
    assert (answers, buy(address="2001:db8:1:3::1").status_code) == ([302, 302, 429], 302)


@pytest.mark.parametrize("proxies", [0, 1])
def test_no_header_gets_a_client_round_the_limit(buy, two_a_minute, settings, proxies):
    settings.PROXY_COUNT = proxies
    made_up = [
        {"x-forwarded-for": f"198.51.100.{n}, 203.0.113.5", "forwarded": f"for=198.51.100.{n}"} for n in range(3)
    ]
    assert [buy(headers).status_code for headers in made_up] == [302, 302, 429]


def test_believing_the_header_would_let_it_round(buy, two_a_minute, settings):
    """The negative control of the test above: with one proxy more than there is, what was made up is believed."""
    settings.PROXY_COUNT = 2
    made_up = [{"x-forwarded-for": f"198.51.100.{n}, 203.0.113.5"} for n in range(3)]
    assert [buy(headers).status_code for headers in made_up] == [302, 302, 302]


def test_a_form_with_errors_is_not_counted(buy, two_a_minute):
    assert [buy(email="nonsense").status_code for _ in range(3)] == [422, 422, 422]
    assert buy().status_code == 302


def test_a_gig_that_is_sold_out_meanwhile_says_that_instead(buy, two_a_minute):
    buy(), buy()
    Gig.objects.update(sold=10)
    answer = buy()
    assert (answer.status_code, answer.templates[0].name) == (409, "tickets/not_on_sale.html")


def test_what_the_minute_refuses_the_hour_does_not_count(buy, settings, monkeypatch):
    settings.PURCHASE_LIMITS = parse_many("3/hour;2/minute")
    assert [buy().status_code for _ in range(6)] == [302, 302, 429, 429, 429, 429]
    _later(monkeypatch, 61)
    assert buy().status_code == 302
    refused = buy()
    assert (refused.status_code, 3400 < int(refused["Retry-After"]) <= 3600) == (429, True)
    assert "Please wait 59 minutes" in refused.content.decode()


def test_without_limits_nobody_waits(buy, settings):
    settings.PURCHASE_LIMITS = []
    assert {buy().status_code for _ in range(5)} == {302}


def test_in_memory_two_threads_never_count_at_once(monkeypatch):
    def at_once(storage) -> bool:
        """Tell whether two threads that count meet inside of it."""
        meeting = threading.Barrier(2)
        met = []

        def incr(*_args, **_options):
            try:
                met.append(meeting.wait(timeout=0.3))
            except threading.BrokenBarrierError:
                return 1
            return 1

        monkeypatch.setattr(MemoryStorage, "incr", incr)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: storage.incr("key", 60), range(2)))
        return len(met) == 2

    assert at_once(limits._limiter().storage) is False
    assert at_once(MemoryStorage()) is True  # The library's own may start one timer twice then, which raises.


def test_in_memory_counting_starts_no_thread_and_what_is_over_is_forgotten(monkeypatch):
    def count(storage, key) -> bool:
        """Count, and tell whether that took a thread."""
        before = threading.enumerate()
        storage.incr(key, 30)
        return not set(threading.enumerate()) <= set(before)

    storage, librarys = limits._limiter().storage, MemoryStorage()
    librarys.timer.join()
    assert [count(storage, "early"), count(librarys, "early")] == [False, True]
    _later(monkeypatch, limits.FORGET_SECONDS + 1)
    storage.incr("late", 30)
    assert (storage.storage, list(storage.expirations), list(storage.locks)) == ({"late": 1}, ["late"], ["late"])


def test_the_default_lets_an_office_buy_at_once(settings):
    request = RequestFactory().get("/")
    assert [limits.purchase_wait(request, str(n)) for n in range(60)] == [0] * 60
    assert limits.purchase_wait(request, "60") > 0


# --- The cache ------------------------------------------------------------------------------------


@pytest.fixture
def redis(settings):
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.CACHE_URL = f"redis://127.0.0.1:{server.server_address[1]}/0"
    yield server
    server.shutdown()
    server.server_close()


def test_processes_count_together_in_redis(redis, two_a_minute):
    assert _from_two_processes() == [True, True, False]


def test_without_redis_each_process_counts_for_itself(two_a_minute):
    """The negative control of the test above."""
    assert _from_two_processes() == [True, True, True]


def _from_two_processes():
    """Buy three times, from a new process after the second; return whether each might."""
    request = RequestFactory().get("/")
    first = [limits.purchase_wait(request, "a") == 0, limits.purchase_wait(request, "b") == 0]
    limits.forget()
    return [*first, limits.purchase_wait(request, "c") == 0]


def test_while_the_cache_is_away_everybody_may_buy_and_the_log_says_so(buy, two_a_minute, settings, logs):
    settings.CACHE_URL = "redis://:secret@127.0.0.1:1/0"
    assert [buy().status_code for _ in range(5)] == [302] * 5
    refused = "Error 111 connecting to 127.0.0.1:1. Connection refused."
    open_breaker = "3 failures in a row; next try in a moment"
    causes = logs("cause", event="not counted, for the cache is away", what="purchase")
    assert causes == [refused] * 3 + [open_breaker] * 2


def test_a_silent_cache_holds_nobody_up_for_long(settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.CACHE_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        assert limits.purchase_wait(RequestFactory().get("/"), "token") == 0
    assert time.monotonic() - began < 10  # With no limit of ours it would wait for ever.
