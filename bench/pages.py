"""How many pages a second, and how long one takes: list, gig, poster and API beside a Django view that does nothing."""

import asyncio
from contextlib import ExitStack
from statistics import quantiles

from bench.client import Connection, closed_loop, get
from bench.purchase import DJANGOS
from bench.stand import cpu_seconds, figures, free_port, stand, tree_seconds

REQUESTS, CLIENTS = 1500, 16
CHART = [("a second", ""), ("p99 ms", "")]


def measure(runs: int) -> dict:
    """Return pages a second, percentiles in milliseconds, CPU milliseconds a page; twelve gigs are on sale."""
    from time import perf_counter

    with stand() as here, ExitStack() as stack:
        here.manage("import_gigs", "data/gigs.json")
        from tickets.models import Gig

        slug = Gig.objects.values_list("slug", flat=True)[0]
        ours, bare = free_port(), free_port()
        servers = {
            ours: stack.enter_context(here.web(ours)),
            bare: stack.enter_context(here.web(bare, *DJANGOS, DJANGO_SETTINGS_MODULE="bench.peers.startproject")),
        }
        pages = {
            "bare Django view": (bare, "/bare"),
            "probe": (ours, "/healthz"),
            "list": (ours, "/"),
            "gig": (ours, f"/gigs/{slug}/"),
            "API, all gigs": (ours, "/api/gigs"),
            "API, a gig": (ours, f"/api/gigs/{slug}"),
            "poster": (ours, f"/images/{slug}.svg"),
            "style sheet": (ours, _style_sheet(ours)),
        }
        asks = {name: (port, _ask(get(path))) for name, (port, path) in pages.items()}
        for name, (port, path) in pages.items():
            if tag := _tag(port, path):
                asks[f"{name}, not modified"] = (port, _ask(get(path, f"If-None-Match: {tag}")))
        measured = figures()
        for run in range(runs + 1):  # The first one warms up.
            for name, (port, ask) in asks.items():
                used, own, began = tree_seconds(servers[port]), cpu_seconds(), perf_counter()
                answers = asyncio.run(closed_loop(port, ask, CLIENTS, REQUESTS))
                seconds = perf_counter() - began
                assert {status for status, _ in answers} == {304 if name.endswith("not modified") else 200}, name
                if run:
                    percentile = quantiles((wait for _, wait in answers), n=100)
                    measured[name]["a second"].append(REQUESTS / seconds)
                    measured[name]["p50 ms"].append(percentile[49])
                    measured[name]["p99 ms"].append(percentile[98])
                    measured[name]["CPU ms"].append((tree_seconds(servers[port]) - used) / REQUESTS * 1000)
                    measured[name]["client CPU ms"].append((cpu_seconds() - own) / REQUESTS * 1000)
        return measured


def _ask(request: bytes):
    async def ask(connection) -> int:
        return (await connection.ask(request)).status

    return ask


def _answer(port: int, path: str):
    async def once():
        connection = await Connection.open(port)
        answer = await connection.ask(get(path))
        connection.close()
        return answer

    return asyncio.run(once())


def _tag(port: int, path: str) -> str | None:
    return _answer(port, path).headers.get("etag")


def _style_sheet(port: int) -> str:
    page = _answer(port, "/").body.decode()
    return page.partition('rel="stylesheet" href="')[2].partition('"')[0]
