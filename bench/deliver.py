"""What a ticket costs the processes that mail it: ours, a plain loop, Celery and dramatiq, all by the same delivery."""

import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack

from bench.stand import Stand, cpu_seconds, figures, make_gig, stand, tree_seconds

TICKETS = 2000
CHART = [("a second", ""), ("CPU ms", "")]
WARM_UP = 100  # tickets that are not counted, while processes start and connect
SECONDS = 600  # for them, at most
CELERY = ["-m", "celery", "-A", "bench.peers.celery_shop", "worker", "-l", "error"]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
DRAMATIQ = ["-m", "dramatiq", "bench.peers.dramatiq_shop", "--threads", "4"]


def measure(runs: int) -> dict:
    """Return tickets a second, CPU milliseconds and SQS's calls a ticket; SQS and mail server apart."""
    with stand() as here:
        from bench.peers import celery_shop, dramatiq_shop
        from tickets import purchases

        ours = ["manage.py", "queue", "work"]
        # name: how a ticket is published, the processes, their environment
        contenders = {
            "ours, 1 process": (purchases.publish, [ours], {}),
            "ours, 2 processes": (purchases.publish, [ours, ours], {}),
            "batch loop, 1 thread": (purchases.publish, [["-m", "bench.peers.delivery"]], {}),
            "Celery, its best (4 threads)": (
                each(celery_shop.deliver.delay),
                [[*CELERY, *QUIET, "--pool", "threads", "-c", "4"]],
                {"CELERY": "best"},
            ),
            "Celery, its best (2 processes)": (
                each(celery_shop.deliver.delay),
                [[*CELERY, *QUIET, "-c", "2"]],
                {"CELERY": "best"},
            ),
            "dramatiq, 1 process": (each(dramatiq_shop.deliver.send), [[*DRAMATIQ, "--processes", "1"]], {}),
            "dramatiq, 2 processes": (each(dramatiq_shop.deliver.send), [[*DRAMATIQ, "--processes", "2"]], {}),
        }
        gig, measured = make_gig(), figures()
        for _ in range(runs):
            for name, contender in contenders.items():
                for figure, value in run(here, gig, TICKETS, *contender).items():
                    measured[name][figure].append(value)
        # Apart, and but once: with one receive a second it would take half an hour.
        few = WARM_UP // 2, [CELERY], {}
        for figure, value in run(here, gig, few[0], each(celery_shop.deliver.delay), *few[1:], warm_up=5).items():
            measured["Celery, as it comes"][figure].append(value)
        return measured


def each(send: Callable[[str], object]):
    def publish(tickets):
        for ticket in tickets:
            send(str(ticket.pk))

    return publish


def run(here: Stand, gig, tickets: int, publish, commands, environment, warm_up: int = WARM_UP) -> dict[str, float]:
    from tickets import purchases
    from tickets.models import Ticket

    owners = [purchases.Owner("Ada Lovelace", "ada@example.com")] * (tickets + warm_up)
    publish(purchases.buy(gig, owners, str(uuid.uuid4())).tickets)
    before = here.sink.mails
    with ExitStack() as stack:
        workers = [stack.enter_context(here.started(*command, **environment)) for command in commands]
        _until(lambda: here.sink.mails >= before + warm_up)
        first, began = here.sink.mails, time.perf_counter()
        parts = {"CPU ms": workers, "PostgreSQL ms": [here.postgres], "SQS ms": [here.sqs]}
        used, own = {part: sum(map(tree_seconds, processes)) for part, processes in parts.items()}, cpu_seconds()
        _until(lambda: here.sink.mails >= before + tickets + warm_up)
        count, seconds = here.sink.mails - first, time.perf_counter() - began
        found = {"a second": count / seconds} | {
            part: (sum(map(tree_seconds, processes)) - used[part]) / count * 1000 for part, processes in parts.items()
        }
        found["mail server ms"] = (cpu_seconds() - own) / count * 1000
        _until(lambda: not Ticket.objects.filter(mailed_at=None).exists())
    assert here.sink.mails - before == tickets + warm_up, "a mail was sent twice"
    return found


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > end:
            raise TimeoutError("the messages are not delivered")
        time.sleep(0.01)
