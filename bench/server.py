"""What the shop's server is set to, beside other numbers of processes and threads, and other ways to the database."""

import asyncio

from bench.client import closed_loop, open_loop
from bench.purchase import ask_api, run_load
from bench.stand import figures, free_port, make_gig, resident, stand

CLIENTS, PURCHASES = 32, 480
RATE, SECONDS = 134, 8  # a real festival's peak at the start of its sales
CHART = [("a second", ""), ("p99 ms at 134 a second", ""), ("MB", "")]

SHOP, SETTINGS = "timelessmusic.wsgi:application", "timelessmusic.settings"
# name: processes, threads of each, application, settings
CONTENDERS = {
    "ours: 2 processes, 8 threads": (2, 8, SHOP, SETTINGS),
    "1 process, 16 threads": (1, 16, SHOP, SETTINGS),
    "2 processes, 2 threads": (2, 2, SHOP, SETTINGS),
    "2 processes, 4 threads": (2, 4, SHOP, SETTINGS),
    "2 processes, 16 threads": (2, 16, SHOP, SETTINGS),
    "3 processes, 4 threads": (3, 4, SHOP, SETTINGS),
    "4 processes, 4 threads": (4, 4, SHOP, SETTINGS),
    "lock handed over after 0.5 ms": (2, 8, "bench.peers.eager:application", SETTINGS),
    "persistent connections": (2, 8, SHOP, "bench.peers.no_pool"),
    "a connection a request": (2, 8, SHOP, "bench.peers.no_reuse"),
}


def measure(runs: int) -> dict:
    """Return purchases a second and their waits in milliseconds by the API, at 32 at once and at 134 a second."""
    with stand() as here:
        measured, ask = figures(), ask_api("/api/purchase", make_gig().slug)
        for _ in range(runs):
            for name, (processes, threads, application, settings) in CONTENDERS.items():
                options = ("--workers", str(processes), "--blocking-threads", str(threads))
                port = free_port()
                with here.web(port, application, *options, DJANGO_SETTINGS_MODULE=settings) as server:
                    asyncio.run(closed_loop(port, ask, CLIENTS, PURCHASES // 2))  # to warm up
                    crowd = run_load(here, server, closed_loop(port, ask, CLIENTS, PURCHASES))
                    steady = run_load(here, server, open_loop(port, ask, RATE, SECONDS))
                    for figure in ("a second", "p99 ms", "web CPU ms", "PostgreSQL CPU ms"):
                        measured[name][figure].append(crowd[figure])
                    for figure in ("p50 ms", "p95 ms", "p99 ms"):
                        measured[name][f"{figure} at {RATE} a second"].append(steady[figure])
                    measured[name]["MB"].append(resident(server) / 1e6)
        return measured
