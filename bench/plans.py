"""What the dashboard's statements cost, and the plans that PostgreSQL makes for them.

python -m bench.plans [TICKETS [DAYS]]: so many tickets, a million unless told otherwise, sold over so many days.
"""

import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rehearsal.postgres import Postgres

RUNS = 15

SEED = """
INSERT INTO tickets_purchase (id, gig_id, token, fingerprint, trace, language, created_at)
SELECT gen_random_uuid(), %(gig)s, n::text, '', md5(n::text), 'en', now() - n * (interval '1 day' * %(days)s / %(rows)s)
FROM generate_series(1, %(rows)s) n;
INSERT INTO tickets_ticket (id, purchase_id, name, email, price, created_at, mail_asked_at, publish_due_at,
    published_at, message_id, mailed_at, parked_at, parked_cause, received, mailing, edition, checked_in_door)
SELECT gen_random_uuid(), id, 'Ada ' || token, 'ada' || token || '@example.com', 120,
    created_at, created_at, created_at,
    CASE WHEN token::int > 50 THEN created_at END, CASE WHEN token::int > 50 THEN gen_random_uuid()::text ELSE '' END,
    CASE WHEN token::int > 200 AND token::int %% 5000 <> 0 THEN created_at + interval '3 s' END,
    CASE WHEN token::int > 200 AND token::int %% 5000 = 0 THEN created_at END, '', 1, 1, 1, ''
FROM tickets_purchase;
UPDATE tickets_gig SET sold = %(rows)s, revenue = 120 * %(rows)s;
"""


def main(rows: int, days: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        postgres = Postgres(Path(folder) / "postgresql")
        os.environ |= {
            "ENV_FILE": os.devnull,
            "DJANGO_SETTINGS_MODULE": "timelessmusic.settings",
            "SECRET_KEY": "for benchmarks alone: nothing that it signs ever leaves this machine",
            "DATABASE_URL": postgres.url,
            "LOG_LEVEL": "ERROR",
            # Not there: what the queue adds is a second at most, beside the database (health.Check).
            "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1",
            "AWS_REGION": "us-east-1",
        }
        try:
            _measure(rows, days)
        finally:
            from django.db import connection

            connection.close()
            connection.close_pool()
            postgres.cleanup()


def _measure(rows: int, days: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from bench.stand import make_gig
    from tickets import dashboard, story
    from tickets.models import Ticket

    call_command("migrate", verbosity=0)
    gig = make_gig(rows)
    with connection.cursor() as cursor:
        cursor.execute(SEED, {"gig": gig.pk, "rows": rows, "days": days})
        cursor.execute("VACUUM ANALYZE")
    ticket = Ticket.objects.select_related("purchase").order_by("created_at")[rows // 2]
    _statements(f"the first screen, {rows:,} tickets over {days} days, in a new process", dashboard.board)
    _statements("the first screen, again", dashboard.board)
    for typed in (ticket.email, str(ticket.pk), ticket.message_id, ticket.purchase.trace, ticket.name[4:]):
        _statements(f"a search for {typed}", lambda typed=typed: list(story.find(Ticket.objects.all(), typed)[:50]))


def _statements(name: str, ask) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        ask()
    print(f"\n{name}: {len(captured)} statements")
    total = 0.0
    for query in captured.captured_queries:
        with connection.cursor() as cursor:
            taken = []
            for _ in range(RUNS):
                started = time.perf_counter()
                cursor.execute(query["sql"])
                cursor.fetchall()
                taken.append(1000 * (time.perf_counter() - started))
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        total += statistics.median(taken)
        scans = dict.fromkeys(re.findall(r"(?:Parallel )?(?:\w+ )*Scan(?: Backward)?(?: using \w+)?(?: on \w+)?", plan))
        print(f"  {statistics.median(taken):7.1f} ms  {', '.join(scans)}")
    print(f"  {total:7.1f} ms  all")


if __name__ == "__main__":
    arguments = [int(argument.replace(",", "")) for argument in sys.argv[1:]]
    main(*(arguments + [1_000_000, 90][len(arguments) :]))
