"""The shop as processes of their own, on the tests' database, with a proxy between it and a real SQS server."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.db import connection

from rehearsal.ports import free_port
from rehearsal.postgres import Postgres
from rehearsal.proxy import Proxy
from rehearsal.shop import Shop
from rehearsal.smtp import SmtpServer
from rehearsal.sqs import start_sqs
from tickets import provisioning, queue
from tickets.purchases import Owner, buy, publish

SOURCES = ("manage.py", "timelessmusic", "tickets", "templates", "data", "tests")
# Instead of 180 s. A worker beats three times in it; a message of a killed one is back after it.
VISIBILITY_SECONDS = 3


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Give a copy of the sources with its static files collected, as an image has it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        source = django_settings.BASE_DIR / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    environment = os.environ | {"DATABASE_URL": "sqlite:///:memory:", "DEBUG": "false"}
    collect = [sys.executable, "manage.py", "collectstatic", "--no-input"]
    subprocess.run(collect, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def sqs_server(tmp_path_factory):
    """Give the port of an SQS server in a process of its own."""
    port = free_port()
    process = start_sqs(tmp_path_factory.mktemp("sqs"), port)
    yield port
    process.kill()


@pytest.fixture
def test_queue(sqs_server, settings, monkeypatch):
    """Make a queue of the test's own, which the test reaches directly."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{sqs_server}")
    settings.SQS_QUEUE_NAME = f"faults-{uuid.uuid4().hex[:8]}"
    queue.forget()
    provisioning.create()
    set_visibility(VISIBILITY_SECONDS)
    yield settings.SQS_QUEUE_NAME
    queue.forget()


def set_visibility(seconds: int) -> None:
    queue.consumer().set_queue_attributes(QueueUrl=queue.url(), Attributes={"VisibilityTimeout": str(seconds)})


def _database():
    """Tell where the tests' database is, as libpq sees it."""
    connection.ensure_connection()
    return connection.connection.info


@pytest.fixture
def database(transactional_db):
    """Stand between the processes and PostgreSQL; give the proxy."""
    at = _database()
    return Proxy(f"{at.host}/.s.PGSQL.{at.port}" if at.host.startswith("/") else (at.host, at.port))


def database_url(proxy: Proxy | None = None) -> str:
    """Write the URL of the tests' database, direct or through a proxy."""
    at = _database()
    user = ":".join(quote(word, safe="") for word in (at.user, at.password) if word)
    if proxy:
        return f"postgresql://{user}@127.0.0.1:{proxy.port}/{at.dbname}"
    if at.host.startswith("/"):
        return f"postgresql://{user}@/{at.dbname}?host={quote(at.host, safe='')}"
    return f"postgresql://{user}@{at.host}:{at.port}/{at.dbname}"


@contextmanager
def open_shop(folder: Path, logs: Path, database_url: str, queue_name: str, sqs_port: int) -> Iterator[Shop]:
    """Give a shop with a mail server and a proxy before its SQS, and stop all of it in the end."""
    sqs, smtp = Proxy(("127.0.0.1", sqs_port)), SmtpServer()
    smtp.start()
    logs.mkdir()
    shop = Shop(folder, logs, database_url, queue_name, sqs, smtp)
    try:
        yield shop
    finally:
        shop.close()
        sqs.refuse()
        smtp.stop()
    # Whatever broke: no line names a buyer's address in full.
    assert not re.search(r"\w@example\.com", shop.logged.replace("\\u2026", "…"))


@pytest.fixture
def shop(transactional_db, checkout, sqs_server, test_queue, tmp_path):
    if connection.vendor == "sqlite":
        pytest.skip("the processes share no memory, and SQLite's database is there in these tests")
    with open_shop(checkout, tmp_path / "logs", database_url(), test_queue, sqs_server) as shop:
        yield shop


@pytest.fixture
def postgres():
    """Give a PostgreSQL of the test's own, with the shop's tables and gigs to come."""
    # Not below pytest's own folder: run as root, the server has a user of its own, and the next pytest to start on
    # this machine would take that user's way in away.
    with tempfile.TemporaryDirectory(prefix="timelessmusic-postgresql-") as folder:
        server = Postgres(Path(folder))
        yield server
        server.cleanup()


@pytest.fixture
def shop_on_postgres(postgres, checkout, sqs_server, test_queue, tmp_path):
    """Give a shop on a database that can crash, with the twelve gigs."""
    with open_shop(checkout, tmp_path / "logs", postgres.url, test_queue, sqs_server) as shop:
        stock(shop)
        yield shop


def stock(shop: Shop) -> None:
    for arguments in (["migrate"], ["import_gigs", "data/gigs.json"]):
        done = shop.manage(*arguments)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def sell(make_gig):
    """Sell a ticket to each name, without a web server, and publish them unless told otherwise."""
    gig = make_gig(capacity=1000)

    def sell(*names, published=True):
        tickets = [buy(gig, [Owner(name, f"{name}@example.com")], f"token-{name}").tickets[0] for name in names]
        if published:
            publish(tickets)
        return tickets

    return sell
