"""What a purchase, a delivery and a look at the dashboard cost with 1,000 to 1,000,000 tickets in the database."""

import asyncio
import re
import time

from bench.client import closed_loop, get
from bench.purchase import ask_api
from bench.stand import Stand, figures, free_port, make_gig, stand, tree_seconds

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PURCHASES, VIEWS = 400, 100  # measured at each size
CHART = [("purchase CPU ms", "tickets"), ("delivery CPU ms", "tickets"), ("dashboard ms", "tickets")]

# As many tickets as purchases over twelve gigs and a year, all mailed but for one in a thousand that is parked.
SEED = """
WITH gigs AS (SELECT array_agg(id) AS ids FROM tickets_gig WHERE slug NOT LIKE 'bench-%%'),
sold AS (
    INSERT INTO tickets_purchase (id, gig_id, token, fingerprint, trace, language, created_at)
    SELECT gen_random_uuid(), ids[1 + i %% cardinality(ids)], 'seed-' || i, md5(i::text), md5(i::text), 'en',
           now() - i %% 31536000 * interval '1 second'
    FROM gigs, generate_series(%s, %s) AS i
    RETURNING id, created_at, token
)
INSERT INTO tickets_ticket (id, purchase_id, name, email, price, created_at, publish_due_at, published_at, message_id,
                            mailed_at, parked_at, parked_cause, {others})
SELECT gen_random_uuid(), id, 'Ada Lovelace', 'ada' || token || '@example.com', 120, created_at, created_at, created_at,
       '', CASE WHEN hashtext(token) %% 1000 <> 0 THEN created_at END,
       CASE WHEN hashtext(token) %% 1000 = 0 THEN created_at END, '', {values}
FROM sold
"""


def measure(runs: int) -> dict:
    """Return CPU milliseconds (web or worker, and PostgreSQL) by number of tickets."""
    with stand() as here:
        here.manage("import_gigs", "data/gigs.json")
        cookie, gig, port, measured = _sign_in(), make_gig(), free_port(), figures()
        with here.web(port) as server:
            buy, rows = ask_api("/api/purchase", gig.slug), 0
            for size in SIZES:
                _seed(rows, size)
                rows = size
                measured[f"ours, {size:,} tickets"]["database bytes a ticket"].append(_bytes() / size)
                for run in range(runs + 1):  # The first one warms up.
                    found = _purchases(here, server, port, buy) | _dashboard(here, server, port, cookie)
                    found |= _deliveries(here)
                    if run:
                        for figure, value in found.items():
                            measured[f"ours, {size:,} tickets"][figure].append(value)
        return measured


def _seed(rows: int, size: int) -> None:
    from django.db import connection

    from tickets.models import Ticket

    named = re.search(r"INTO tickets_ticket \((.*?)\{", SEED, re.S)[1]
    others = {  # What the statement doesn't name and PostgreSQL has no default for.
        field.column: field.get_default()
        for field in Ticket._meta.concrete_fields
        if not field.null and not re.search(rf"\b{field.column}\b", named)
    }
    insert = SEED.format(others=", ".join(others), values=", ".join("%s" for _ in others))
    with connection.cursor() as cursor:
        cursor.execute(insert, [rows + 1, size, *others.values()])
        cursor.execute("VACUUM ANALYZE")


def _bytes() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('tickets_ticket') + pg_total_relation_size('tickets_purchase')")
        return cursor.fetchone()[0]


def _purchases(here: Stand, server, port: int, buy) -> dict[str, float]:
    used, postgres = tree_seconds(server), tree_seconds(here.postgres)
    answers = asyncio.run(closed_loop(port, buy, 4, PURCHASES))
    assert {status for status, _ in answers} == {202}
    cpu, database = tree_seconds(server) - used, tree_seconds(here.postgres) - postgres
    return {
        "purchase CPU ms": (cpu + database) / PURCHASES * 1000,
        "of it PostgreSQL": database / PURCHASES * 1000,
    }


def _deliveries(here: Stand) -> dict[str, float]:
    """Let a worker deliver what was just bought."""
    mails, postgres = here.sink.mails, tree_seconds(here.postgres)
    with here.started("manage.py", "queue", "work") as worker:
        await_mails(here, mails + 50)
        first, used, postgres = here.sink.mails, tree_seconds(worker), tree_seconds(here.postgres)
        await_mails(here, mails + PURCHASES)
        count = here.sink.mails - first
        cpu, database = tree_seconds(worker) - used, tree_seconds(here.postgres) - postgres
    return {
        "delivery CPU ms": (cpu + database) / count * 1000,
        "of it PostgreSQL, too": database / count * 1000,
    }


def await_mails(here: Stand, mails: int, seconds: int = 300) -> None:
    end = time.monotonic() + seconds
    while here.sink.mails < mails:
        if time.monotonic() > end:
            raise TimeoutError("the mails don't come")
        time.sleep(0.01)


def _sign_in() -> str:
    """Make an organiser, and give the cookie of a session of theirs."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client()
    client.force_login(get_user_model().objects.create_superuser("admin", password=None))
    return f"Cookie: sessionid={client.cookies['sessionid'].value}"


def _dashboard(here: Stand, server, port: int, cookie: str) -> dict[str, float]:
    async def ask(connection) -> int:
        return (await connection.ask(get("/admin/", cookie))).status

    used, postgres = tree_seconds(server), tree_seconds(here.postgres)
    answers = asyncio.run(closed_loop(port, ask, 1, VIEWS))
    assert {status for status, _ in answers} == {200}
    cpu, database = tree_seconds(server) - used, tree_seconds(here.postgres) - postgres
    return {
        "dashboard ms": sorted(wait for _, wait in answers)[VIEWS // 2],
        "dashboard CPU ms": (cpu + database) / VIEWS * 1000,
    }
