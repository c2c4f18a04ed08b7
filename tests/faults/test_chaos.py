"""A thousand purchases while everything the shop stands on is killed, cut and restarted at random.

    CHAOS_SEED=42 CHAOS_SECONDS=600 bin/test tests/faults/test_chaos.py -s

repeats a run's choices, and makes it longer; the summary names the seed.
"""

import os
import random
import re
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import boto3
import psycopg
import pytest
import requests

from rehearsal import proxy
from rehearsal.ports import free_port
from rehearsal.shop import Buyer, eventually
from rehearsal.sqs import start_sqs
from tests.faults.conftest import VISIBILITY_SECONDS, open_shop, stock

SECONDS = float(os.environ.get("CHAOS_SECONDS", 60))
SEED = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(10**6))
PURCHASES = 1000
OPEN_THE_WINDOW = ("kill worker", "mail server is away", "stop worker")
WINDOW_SECONDS = 3  # a fault is noted when it begins, and lasts
BUYERS = 16  # at once
STALL_SECONDS = 150  # longer than a Buyer waits for an answer
DRAIN_SECONDS = 240  # the longest a message waits: a breaker's 30 s, an outbox's 60 s, pauses of 30 s

SESSIONS = """
    select pid, pg_blocking_pids(pid), state, now() - state_change, wait_event_type, wait_event, left(query, 200)
    from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""


class Chaos:
    """Keep the shop running, and break one thing after the other."""

    def __init__(self, shop, postgres, sqs_folder, sqs_port, choice: random.Random):
        self.shop, self.postgres, self.choice = shop, postgres, choice
        self._sqs_folder, self._sqs_port = sqs_folder, sqs_port
        self.log: list[tuple[float, str]] = []  # when, what
        self.port = free_port()
        self.sqs = start_sqs(sqs_folder, sqs_port)
        self.sqs_client = boto3.client("sqs", endpoint_url=f"http://127.0.0.1:{sqs_port}")
        self.web = self.workers = None

    def open(self) -> None:
        self.web = self.shop.web(self.port, PYTHONFAULTHANDLER="1")
        self.workers = [self.shop.worker(), self.shop.worker()]

    def close(self) -> None:
        self.sqs.kill()

    def strike(self) -> None:
        name, fault = self.choice.choice(list(self._faults().items()))
        self.log.append((time.monotonic(), name))
        fault()

    def _faults(self):
        return {
            "kill web": self._kill_web,
            "kill worker": self._kill_worker,
            "stop worker": self._stop_worker,
            "kill SQS": self._kill_sqs,
            "restart SQS": self._restart_sqs,
            "SQS refuses": self._sqs_refuses,
            "SQS is silent": lambda: self._sqs_follows(lambda *_: proxy.STALL),
            "SQS answers 503": lambda: self._sqs_follows(lambda *_: proxy.error("503 Unavailable", "Unavailable")),
            "SQS's answers are lost": lambda: self._sqs_follows(lambda *_: proxy.LOSE_ANSWER),
            "mail server is away": self._mail_server_away,
            "mail server says 421": self._mail_server_busy,
            "crash PostgreSQL": self._crash_postgres,
        }

    def why_repeated(self, first: float, second: float) -> str:
        """Name the fault that opened the window between a mail and its mark."""
        for at, name in self.log:
            if name in OPEN_THE_WINDOW and first - WINDOW_SECONDS < at < second:
                return name
        return "no cause"

    def state(self) -> str:
        """Say what everybody waits for. It ends the web server, for each of its threads to say where it is."""
        try:
            sessions = self.postgres.rows(SESSIONS)
        except psycopg.OperationalError as error:
            sessions = [(error,)]
        state, said = "runs" if self.web.running else "has ended", self.web.said[-2000:]
        ago = ", ".join(f"{what} {time.monotonic() - at:.0f} s ago" for at, what in self.log)
        lines = [
            f"load: {os.getloadavg()}; faults: {ago}",
            *(f"session: {session}" for session in sessions),
            f"the web server {state}: {said}",
            self.web.dump(),
        ]
        return "\n".join(lines)

    def pause(self) -> None:
        """Let a fault last."""
        time.sleep(self.choice.uniform(0.2, 2))

    def _kill_web(self):
        self.web.kill()
        self.web = self.shop.start_web(self.port, PYTHONFAULTHANDLER="1")

    def _kill_worker(self):
        i = self.choice.randrange(len(self.workers))
        self.workers[i].kill()
        self.workers[i] = self.shop.worker()

    def _stop_worker(self):
        i = self.choice.randrange(len(self.workers))
        stopped = self.workers[i]
        self.workers[i] = self.shop.worker()
        stopped.stop()

    def _kill_sqs(self):
        self.sqs.kill()  # What it held since its last restart is gone.
        self.sqs = start_sqs(self._sqs_folder, self._sqs_port)
        assert self.shop.manage("queue", "create").returncode == 0
        self.quicken()

    def _restart_sqs(self):
        self.sqs.stop()
        self.sqs = start_sqs(self._sqs_folder, self._sqs_port)

    def quicken(self):
        """Let messages of killed workers come back soon; a worker reads this at its start."""
        url = self.sqs_client.get_queue_url(QueueName=self.shop.environment["SQS_QUEUE_NAME"])["QueueUrl"]
        self.sqs_client.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})

    def _sqs_refuses(self):
        self.shop.sqs.refuse()
        self.pause()
        self.shop.sqs.listen()

    def _sqs_follows(self, rule):
        self.shop.sqs.rule = rule
        self.pause()
        self.shop.sqs.rule = None

    def _mail_server_away(self):
        self.shop.smtp.stop()
        self.pause()
        self.shop.smtp.start()

    def _mail_server_busy(self):
        self.shop.smtp.sink.rcpt_answers["*"] = "421 too busy"
        self.pause()
        del self.shop.smtp.sink.rcpt_answers["*"]

    def _crash_postgres(self):
        self.postgres.crash()
        self.pause()
        self.postgres.start()


def _buy(port: int, slug: str, name: str, given_up: threading.Event, doing: dict[str, str]) -> int:
    """Buy as a patient person does: reload and press again until the shop has said yes or no.

    Patience ends where a request does not: whatever breaks, the shop answers each one, or dies and hangs up.
    """
    buyer = Buyer(port, slug, name)
    while not given_up.is_set():
        step = buyer.submit if buyer.filled else buyer.open
        doing[name] = f"{step.__name__} since {time.strftime('%X')}"
        try:
            answer = step()
        except requests.Timeout:
            raise
        except requests.RequestException as error:
            said = type(error).__name__
        else:
            said = answer.status_code
            if step == buyer.submit and (said == 302 or (said == 409 and "Reload this page" not in answer.text)):
                return said
            if step == buyer.open and said == 200:
                if not buyer.filled:
                    return 409  # The page says that it is sold out, and has no form.
                continue
        doing[name] = f"{step.__name__}: {said} at {time.strftime('%X')}"
        given_up.wait(0.2)
    raise AssertionError(f"{name} never heard whether the ticket is bought")


@pytest.fixture
def chaos(postgres, checkout, tmp_path):
    folder, port = tmp_path / "sqs", free_port()
    folder.mkdir()
    with open_shop(checkout, tmp_path / "logs", postgres.url, "chaos", port) as shop:
        chaos = Chaos(shop, postgres, folder, port, random.Random(SEED))  # noqa: S311
        stock(shop)
        assert shop.manage("queue", "create").returncode == 0
        chaos.quicken()
        yield chaos
        chaos.close()


def test_a_thousand_purchases_in_chaos(chaos, capsys):
    shop, ask = chaos.shop, chaos.postgres.ask
    # One gig sells out on the way; the others have seats enough.
    slugs = [slug for (slug,) in chaos.postgres.rows("select slug from tickets_gig order by slug")]
    ask("update tickets_gig set capacity = 1000 returning 1")
    ask("update tickets_gig set capacity = 50 where slug = %s returning 1", slugs[0])
    chaos.open()

    given_up, started, doing = threading.Event(), time.monotonic(), {}
    with ThreadPoolExecutor(BUYERS) as pool:
        orders = {f"buyer-{i}": slugs[i % len(slugs)] for i in range(PURCHASES)}
        waiting = [pool.submit(_buy, chaos.port, slug, name, given_up, doing) for name, slug in orders.items()]

        def served() -> int:
            """Count those who have heard; raise what one of them has met."""
            return len([future.result() for future in waiting if future.done()])

        try:
            while time.monotonic() < started + SECONDS:
                chaos.strike()
                chaos.pause()
            in_chaos = served()
            # A busy machine is slow to sell a thousand tickets, but it goes on selling.
            while (number := served()) < PURCHASES:
                eventually(lambda number=number: served() > number, STALL_SECONDS, f"{number} served, and no other")
        except (AssertionError, requests.Timeout) as error:
            hanging = {name: doing.get(name) for name, future in zip(orders, waiting, strict=True) if future.running()}
            raise AssertionError(f"seed {SEED}: {error}\nbuyers: {hanging}\n{chaos.state()}") from error
        finally:
            given_up.set()
    sold_after = time.monotonic() - started
    bought = {name for name, future in zip(orders, waiting, strict=True) if future.result() == 302}

    # What SQS itself forgot (it was killed with messages in it), the operator's command brings back.
    on_the_way = "select count(*) from tickets_ticket where mailed_at is null"
    repaired, end = 0, time.monotonic() + DRAIN_SECONDS
    while ask(on_the_way) != (0,) and time.monotonic() < end:
        before = ask(on_the_way)
        try:
            eventually(lambda: ask(on_the_way) < before, seconds=20)  # noqa: B023
        except AssertionError:
            said = shop.manage("queue", "reconcile", "--older-than", "0", "--repair").stdout
            repaired += int((re.search(r"published (\d+) once more", said) or [0, 0])[1])
    mails = defaultdict(list)
    for mail, at in zip(shop.smtp.sink.mails, shop.smtp.sink.times, strict=True):
        mails[mail["To"].addresses[0].username].append(at)
    repeated = Counter(chaos.why_repeated(*pair) for times in mails.values() for pair in pairwise(times))
    summary = (
        f"chaos, seed {SEED}: {len(bought)} bought and {PURCHASES - len(bought)} refused in {sold_after:.0f} s "
        f"({in_chaos} while things broke), all mailed {time.monotonic() - started - sold_after:.0f} s later; "
        f"{repaired} brought back; mailed twice: {dict(repeated)}; "
        + ", ".join(f"{at - started:.1f} {name}" for at, name in chaos.log)
    )
    with capsys.disabled():
        print(f"\n{summary}")  # noqa: T201

    # Sold = rows = mailed, and nobody has what they were refused.
    counts = ask("select count(*), count(mailed_at), count(distinct email) from tickets_ticket")
    assert counts == (len(bought),) * 3, summary
    assert ask("select count(*) from tickets_purchase") == ask("select sum(sold) from tickets_gig") == (len(bought),)
    assert set(mails) == bought
    assert ask("select count(*) from tickets_gig where sold > capacity") == (0,)
    assert ask("select sold from tickets_gig where slug = %s", slugs[0]) == (50,)
    assert shop.manage("queue", "reconcile").returncode == 0
    # The one window: the mail server has said yes, and what was to mark it died before, or never heard the yes.
    assert "no cause" not in repeated, summary
    assert sum(map(len, mails.values())) == len(bought) + repeated.total()
