"""How many purchases a second the web server takes, and how long each buyer waits: closed loop, then open loop."""

import asyncio
import json
import re
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from statistics import quantiles
from urllib.parse import urlencode

from bench.client import Answer, Connection, closed_loop, get, open_loop, post
from bench.stand import Stand, cpu_seconds, figures, free_port, make_gig, stand, tree_seconds

PURCHASES = 160  # in a run; few, and more runs: the speed of a shared machine drifts within a minute
CLIENTS = (1, 8, 32, 64)
RATES = (134, 200, 300, 400)  # a second; 134 is a real festival's peak at the start of its sales
OPEN_SECONDS = 5
CHART = [("a second", "at once"), ("p99 ms", "at once"), ("p99 ms", "a second")]
GIVE_UP_MS = 250  # p99 at which the open loop goes no higher

OURS, DJANGOS = ("timelessmusic.wsgi:application",), ("django.core.wsgi:get_wsgi_application", "--factory")
# name: application, settings, the API's path, the page's path. "plain" is what startproject and a tutorial make of it.
# With "our settings" it has the shop's middleware, pool and health check, and lacks what happens from form to answer.
CONTENDERS = {
    "ours": (OURS, "timelessmusic.settings", "/api/purchase", "/gigs/{}/"),
    "plain": (DJANGOS, "bench.peers.startproject", "/api/purchase", "/gigs/{}/"),
    "plain, our settings": (OURS, "bench.peers.shops", "/api/purchase", "/gigs/{}/"),
    "Celery": (DJANGOS, "bench.peers.startproject", "/api/delayed", "/delayed/{}/"),
}
CARD = {
    "nameOnCard": "A Lovelace",
    "cardNumber": "4242424242424242",
    "cardExpiryMonth": "12",
    "cardExpiryYear": "2039",
    "cardCVC": "123",
    "disclaimerAccepted": True,
}
FORM = {
    "owners-TOTAL_FORMS": 1,
    "owners-INITIAL_FORMS": 0,
    "owners-0-name": "Ada Lovelace",
    "name_on_card": "A Lovelace",
    "card_number": "4242424242424242",
    "card_expiry": "12/39",
    "card_cvc": "123",
    "disclaimer_accepted": "on",
    "price": "120.00",
}


def measure(runs: int) -> dict:
    """Return purchases a second, the wait's percentiles in milliseconds, and who used how much CPU for a purchase."""
    with stand() as here, ExitStack() as stack:
        gig, measured = make_gig(), figures()
        shops = {}
        for name, (application, settings, api, page) in CONTENDERS.items():
            port = free_port()
            server = stack.enter_context(here.web(port, *application, DJANGO_SETTINGS_MODULE=settings))
            shops[name] = (server, port, {"API": ask_api(api, gig.slug), "page": ask_page(port, page.format(gig.slug))})
        for run in range(runs + 1):  # The first one warms up.
            for clients in CLIENTS:
                for name, (server, port, ways) in shops.items():
                    for way, ask in ways.items():
                        found = run_load(here, server, closed_loop(port, ask, clients, PURCHASES))
                        if run:
                            for figure, value in found.items():
                                measured[f"{name}, {way}, {clients} at once"][figure].append(value)
        for _ in range(runs):
            passed = set()
            for rate in RATES:
                for name, (server, port, ways) in shops.items():
                    if name not in passed:
                        found = run_load(here, server, open_loop(port, ways["API"], rate, OPEN_SECONDS))
                        for figure, value in found.items():
                            measured[f"{name}, API, {rate} a second"][figure].append(value)
                        if found["p99 ms"] > GIVE_UP_MS:
                            passed.add(name)
        return measured


def run_load(here: Stand, server, load) -> dict[str, float]:
    """Let `load` buy; return its rate, its waits, and who used how much CPU for a purchase."""
    parts = {"web": server, "PostgreSQL": here.postgres, "SQS": here.sqs}
    used = {part: tree_seconds(process) for part, process in parts.items()}
    own, began = cpu_seconds(), time.perf_counter()
    answers = asyncio.run(load)
    seconds, own = time.perf_counter() - began, cpu_seconds() - own
    assert {status for status, _ in answers} <= {202, 302}, Counter(status for status, _ in answers)
    percentile = quantiles((wait for _, wait in answers), n=100)
    return {
        "a second": len(answers) / seconds,
        "p50 ms": percentile[49],
        "p95 ms": percentile[94],
        "p99 ms": percentile[98],
        **{
            f"{part} CPU ms": (tree_seconds(process) - used[part]) / len(answers) * 1000
            for part, process in parts.items()
        },
        "clients CPU ms": own / len(answers) * 1000,
    }


def ask_api(path: str, slug: str):
    async def ask(connection) -> int:
        body = CARD | {"gigId": slug, "name": "Ada Lovelace", "email": f"{uuid.uuid4()}@example.com"}
        return (await connection.ask(post(path, json.dumps(body), "application/json"))).status

    return ask


def ask_page(port: int, path: str):
    """Send the page's form, after its page has been asked for once, for the CSRF token; each is another buyer's."""

    async def page():
        connection = await Connection.open(port)
        answer = await connection.ask(get(path))
        connection.close()
        return answer

    answer = asyncio.run(page())
    assert answer.status == 200, answer

    async def ask(connection) -> int:
        return (await connection.ask(post_form(path, answer))).status

    return ask


def post_form(path: str, page: Answer) -> bytes:
    """Fill in the form of a page, and send it back with the page's cookie."""
    cookie = page.headers["set-cookie"].partition(";")[0]
    csrf = re.search(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body)[1].decode()
    own = {"csrfmiddlewaretoken": csrf, "token": uuid.uuid4(), "owners-0-email": f"{uuid.uuid4()}@example.com"}
    return post(path, urlencode(FORM | own), "application/x-www-form-urlencoded", f"Cookie: {cookie}")
