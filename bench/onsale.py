"""The start of a sale: 5,000 buyers within 10 s for 1,000 tickets, each with a browser's whole sequence of requests."""

import asyncio
import re
import resource
import time
from statistics import quantiles

from bench.client import Connection, get
from bench.purchase import post_form
from bench.stand import Stand, cpu_seconds, figures, free_port, make_gig, stand, tree_seconds

BUYERS, SECONDS, SEATS = 5000, 10, 1000
CHART = [("p99 ms", ""), ("last mail s", "")]
MAIL_SECONDS = 120  # for the last mail, at most
COMPRESSED = "Accept-Encoding: gzip, deflate, br"  # as every browser asks
FILES = re.compile(rb'(?:href|src)="(/(?:static|images)/[^"]+)"')


def measure(runs: int) -> dict:
    """Return the waits of all answers, what was sold, and the seconds from the last sale to the last mail."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with stand() as here:
        port, measured = free_port(), figures()
        with here.web(port) as server, here.started("manage.py", "queue", "work") as worker:
            worker.nice(10)  # On one machine a mail waits rather than a buyer, as in compose.yaml.
            parts = {"web": server, "worker": worker, "PostgreSQL": here.postgres}
            for run in range(runs + 1):  # The first one warms up.
                for name, files in {"ours": True, "ours, files from a CDN": False}.items():
                    found = _on_sale(here, port, files, parts)
                    if run:
                        for figure, value in found.items():
                            measured[name][figure].append(value)
        return measured


def _on_sale(here: Stand, port: int, files: bool, parts: dict) -> dict[str, float]:
    from django.db import connection

    from tickets.models import Gig, Ticket

    gig, mails = make_gig(SEATS), here.sink.mails
    used, own = {part: tree_seconds(process) for part, process in parts.items()}, cpu_seconds()
    crowd = Crowd(port, gig.get_absolute_url(), files)
    asyncio.run(crowd.come())
    assert {status for status, _ in crowd.answers} <= {200, 302, 304, 409}, "an answer that no buyer should see"
    sold = Ticket.objects.filter(purchase__gig=gig).count()
    assert sold == crowd.sold == Gig.objects.get(pk=gig.pk).sold == SEATS
    while here.sink.mails - mails < SEATS and time.monotonic() < crowd.sold_at + MAIL_SECONDS:
        time.sleep(0.05)
    assert here.sink.mails - mails == SEATS
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        [deadlocks] = cursor.fetchone()
    percentile = quantiles((wait for _, wait in crowd.answers), n=100)
    return {
        "sold": sold,
        "answers": len(crowd.answers),
        "5xx": sum(status >= 500 for status, _ in crowd.answers),
        "deadlocks": deadlocks,
        "answers a second": len(crowd.answers) / crowd.seconds,
        "p50 ms": percentile[49],
        "p99 ms": percentile[98],
        "purchase p99 ms": quantiles(crowd.purchases, n=100)[98],
        "sold out after s": crowd.sold_at - crowd.began,
        "last mail s": max(0.0, here.sink.last - crowd.sold_at),
        **{f"{part} CPU s": tree_seconds(process) - used[part] for part, process in parts.items()},
        "clients CPU s": cpu_seconds() - own,
    }


class Crowd:
    """Come evenly over the seconds; look, load the page's files, buy where there is a form, look at the thanks."""

    def __init__(self, port: int, path: str, files: bool):
        self._port, self._path, self._files = port, path, files
        self.answers: list[tuple[int, float]] = []
        self.purchases: list[float] = []
        self.sold, self.sold_at = 0, 0.0

    async def come(self) -> None:
        self.began = time.monotonic()
        async with asyncio.TaskGroup() as buyers:
            for number in range(BUYERS):
                await asyncio.sleep(max(0, self.began + number * SECONDS / BUYERS - time.monotonic()))
                buyers.create_task(self._buyer())
        self.seconds = time.monotonic() - self.began

    async def _buyer(self) -> None:
        began = time.perf_counter()
        connection = await Connection.open(self._port)
        try:
            page = await self._ask(connection, get(self._path, COMPRESSED), began)
            for path in dict.fromkeys(FILES.findall(page.body)) if self._files else ():
                await self._ask(connection, get(path.decode(), COMPRESSED))
            if b'name="card_number"' in page.body:
                await self._buy(connection, page)
        finally:
            connection.close()

    async def _buy(self, connection: Connection, page) -> None:
        began = time.perf_counter()
        answer = await self._ask(connection, post_form(self._path, page))
        self.purchases.append((time.perf_counter() - began) * 1000)
        if answer.status == 302:
            self.sold, self.sold_at = self.sold + 1, time.monotonic()
            await self._ask(connection, get(answer.headers["location"], COMPRESSED))

    async def _ask(self, connection: Connection, request: bytes, began: float | None = None):
        began = began or time.perf_counter()
        answer = await connection.ask(request)
        self.answers.append((answer.status, (time.perf_counter() - began) * 1000))
        return answer
