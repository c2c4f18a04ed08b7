"""Whether web server and worker hold more after 20,000 purchases than after 5,000, when each process is warm."""

import asyncio

from bench.client import closed_loop
from bench.purchase import ask_api
from bench.scale import await_mails
from bench.stand import figures, free_port, make_gig, resident, stand

PURCHASES = 20_000
CHART = [("MB", "")]


def measure(runs: int) -> dict:
    """Return what each holds in the end, and how many times what it held after the first quarter that is."""
    with stand() as here:
        port, measured, gig = free_port(), figures(), make_gig()
        buy = ask_api("/api/purchase", gig.slug)
        for _ in range(runs):
            with here.web(port) as server, here.started("manage.py", "queue", "work") as worker:
                parts, held = {"web, two processes": server, "worker": worker}, []
                mails = here.sink.mails
                for purchases in (PURCHASES // 4, PURCHASES * 3 // 4):
                    answers = asyncio.run(closed_loop(port, buy, 8, purchases))
                    assert {status for status, _ in answers} == {202}
                    mails += purchases
                    await_mails(here, mails, 1200)
                    held.append({name: resident(process) for name, process in parts.items()})
                for name in parts:
                    measured[name]["MB"].append(held[1][name] / 1e6)
                    measured[name]["growth"].append(held[1][name] / held[0][name])
        return measured
