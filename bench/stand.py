"""What a benchmark runs against: PostgreSQL, an SQS server and a mail server, each for itself."""

import os
import resource
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.postgres import Postgres

FOLDER = Path(__file__).parent.parent
AWS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "none"}


@contextmanager
def stand() -> Iterator[dict[str, str]]:
    """Start them, set this process up for them, and give the environment for others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sqs").mkdir()
        postgres = Postgres(folder / "postgresql")
        environment = AWS | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "for benchmarks alone: nothing that it signs ever leaves this machine",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "false",
            "PURCHASE_LIMITS": "",
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": postgres.url,
        }
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "timelessmusic.settings"}
        # After the settings' environment is there: what follows reads them.
        import django

        django.setup()
        from tests.faults.conftest import start_sqs
        from tests.servers import free_port
        from tests.smtp import SmtpServer

        port, smtp = free_port(), SmtpServer()
        sqs = start_sqs(folder / "sqs", port)
        smtp.start()
        shared = {"AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{port}", "EMAIL_URL": f"smtp://127.0.0.1:{smtp.port}"}
        os.environ |= shared
        environment |= shared
        try:
            for arguments in (["migrate", "-v0"], ["queue", "create"], ["collectstatic", "--no-input", "-v0"]):
                manage(environment, *arguments)
            yield environment
        finally:
            from django.db import connections

            connections.close_all()
            smtp.stop()
            sqs.kill()
            postgres.cleanup()


def manage(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=FOLDER, env=environment, check=True, stdout=subprocess.DEVNULL
    )


def make_gig(capacity: int = 1_000_000):
    """Make a gig that does not sell out."""
    from datetime import date, timedelta
    from uuid import uuid4

    from django.utils import timezone

    from tickets.models import Gig

    return Gig.objects.create(
        slug=f"bench-{uuid4().hex[:8]}",
        artist="Nirvana",
        city="Cork",
        venue="Sir Henry's",
        original_date=date(1991, 8, 20),
        description="",
        departs_at=timezone.now() + timedelta(days=100),
        time_zone="Europe/Dublin",
        collection_point="South Main Street",
        price=120,
        capacity=capacity,
    )


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def figures() -> dict:
    """Collect values as collected[contender][figure].append(value)."""
    return defaultdict(lambda: defaultdict(list))
