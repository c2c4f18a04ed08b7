"""bin/serve as its user knows it: it starts, it stops, and nothing of it stays.

It runs in a copy of the checkout, so that a developer's own .local/ is left alone, on the database in .local/.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from itertools import islice
from pathlib import Path
from urllib.request import urlopen

import boto3
import psutil
import pytest
from django.conf import settings

from rehearsal.shop import eventually

LINES = 5  # of the welcome
SECONDS = 20  # the longest anything here may take on a busy machine

pytestmark = pytest.mark.skipif(
    not (Path(sys.prefix) / "installed").exists(), reason="needs the .venv of bin/test: it would install one here"
)


@pytest.fixture
def checkout(tmp_path):
    for name in ("bin", "data", "templates", "tickets", "timelessmusic"):
        shutil.copytree(settings.BASE_DIR / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Procfile", "manage.py", "requirements.txt", "requirements-dev.txt", "constraints.txt"):
        shutil.copy(settings.BASE_DIR / name, tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.fixture
def ports():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return {"PORT": str(one.getsockname()[1]), "QUEUE_PORT": str(other.getsockname()[1])}


@pytest.fixture
def serve(checkout, ports):
    """Start bin/serve; return it and, once it has said its welcome, what it said and all its processes."""
    started = []

    def run():
        shop = subprocess.Popen(
            ["bin/serve"],
            cwd=checkout,
            env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **ports},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(shop)
        welcome = list(islice((line for line in shop.stdout if line.startswith("  ")), LINES))
        return shop, welcome, psutil.Process(shop.pid).children(recursive=True)

    yield run
    for shop in started:
        shop.kill()
        shop.wait()  # Until it is reaped its parts take it for alive, and hold its output open.
        shop.communicate(timeout=SECONDS)


def end(shop, processes):
    """Wait for the end; return the exit status and what is left."""
    shop.wait(timeout=SECONDS)
    _, left = psutil.wait_procs(processes, SECONDS)
    return shop.returncode, [process.cmdline() for process in left]


def find(processes, *words):
    """Find the outermost process that runs `words`, bin/part aside, once it does: the worker's shell becomes it."""

    def runs(process):
        try:
            command = process.cmdline()
        except psutil.NoSuchProcess:  # The one that made the queue ends by itself.
            return False
        return "bin/part" not in command and all(word in command for word in words)

    return eventually(lambda: next(filter(runs, processes), None))


def dead_letter_queue(ports):
    """Give a client of the embedded SQS and the URL of the queue that no worker empties."""
    client = boto3.client("sqs", endpoint_url=f"http://127.0.0.1:{ports['QUEUE_PORT']}")
    return client, client.get_queue_url(QueueName="timelessmusic-purchase-dlq")["QueueUrl"]


def test_it_works(serve, checkout, ports):
    shop, welcome, processes = serve()
    site = f"http://127.0.0.1:{ports['PORT']}"
    password = (checkout / ".local" / "admin-password").read_text().strip()
    assert welcome == [
        f"  The shop   {site}/\n",
        f"  The admin  {site}/admin/   name: admin   password: {password}\n",
        f"  The mails  {site}/mails/\n",
        f"  The queue  http://127.0.0.1:{ports['QUEUE_PORT']}/000000000000/timelessmusic-purchase\n",
        "  Stop it with Ctrl-C; what was bought is kept in .local/ for the next time.\n",
    ]
    assert [urlopen(f"{site}{path}").status for path in ("/", "/admin/login/", "/mails/")] == [200, 200, 200]
    assert json.load(urlopen(f"{site}/readyz")) == {"database": "ok", "queue": "ok"}
    client, url = dead_letter_queue(ports)
    policy = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedriveAllowPolicy"])["Attributes"]
    assert json.loads(policy["RedriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": ["arn:aws:sqs:us-east-1:000000000000:timelessmusic-purchase"],
    }
    secrets = [checkout / ".local", *(checkout / ".local" / name for name in ("admin-password", "secret-key"))]
    assert [oct(path.stat().st_mode & 0o777) for path in secrets] == ["0o700", "0o600", "0o600"]
    shop.terminate()
    assert end(shop, processes) == (128 + signal.SIGTERM, [])


def test_the_queue_keeps_its_messages_across_a_stop_and_on_another_port(serve, ports):
    shop, _, processes = serve()
    client, url = dead_letter_queue(ports)
    client.send_message(QueueUrl=url, MessageBody="kept")
    shop.send_signal(signal.SIGINT)
    assert end(shop, processes) == (128 + signal.SIGINT, [])

    ports["QUEUE_PORT"] = ports["PORT"]
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports["PORT"] = str(other.getsockname()[1])
    shop, _, processes = serve()
    client, url = dead_letter_queue(ports)
    assert url == f"http://127.0.0.1:{ports['QUEUE_PORT']}/000000000000/timelessmusic-purchase-dlq"
    assert [message["Body"] for message in client.receive_message(QueueUrl=url)["Messages"]] == ["kept"]
    shop.terminate()
    assert end(shop, processes) == (128 + signal.SIGTERM, [])


@pytest.mark.parametrize(
    "words", [("ministack.app:app",), ("granian",), ("manage.py", "work")], ids=lambda words: words[-1]
)
def test_the_crash_of_one_part_ends_all(serve, words):
    shop, _, processes = serve()
    find(processes, *words).kill()
    status, left = end(shop, processes)
    assert (status != 0, left) == (True, [])


def test_the_crash_of_the_web_server_ends_even_a_worker_that_is_deaf(serve):
    shop, _, processes = serve()
    granian = find(processes, "granian")
    granian.children()[0].suspend()
    granian.kill()
    status, left = end(shop, processes)
    assert (status != 0, left) == (True, [])


def test_nothing_outlives_bin_serve_itself(serve):
    shop, _, processes = serve()
    shop.kill()
    assert end(shop, processes) == (-signal.SIGKILL, [])


def test_a_taken_port_is_one_line(checkout, ports):
    with socket.create_server(("127.0.0.1", int(ports["PORT"]))):
        done = subprocess.run(
            ["bin/serve"],
            cwd=checkout,
            env={"PATH": os.environ["PATH"], **ports},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    port = int(ports["PORT"])
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"bin/serve: cannot use port {port} (Address already in use): choose another, e.g. PORT={port + 1} bin/serve\n",
    )
