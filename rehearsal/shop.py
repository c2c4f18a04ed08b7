"""The shop's processes, as production starts them, and a buyer who uses the real form."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil
import requests

from rehearsal.proxy import Proxy
from rehearsal.smtp import SmtpServer

SECONDS = 120  # the longest anything here may take on a busy machine, where a process alone needs a minute to start
HOST = "shop.example.com"
BEHIND_TLS = {"Host": HOST, "X-Forwarded-Proto": "https", "Referer": f"https://{HOST}/"}


def eventually(condition: Callable[[], object], seconds: float = SECONDS, why: str = "") -> object:
    """Return the condition's value as soon as it is true; fail if it never is."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {why or condition}")
        time.sleep(0.02)
    return value


class Process:
    """Run a command in a process group of its own; what it says goes to a file."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], log: Path):
        self._log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def says(self, words: str) -> None:
        """Wait until the process has said `words`."""
        eventually(lambda: words in self.said or not self.running, why=words)
        assert words in self.said, self.said

    def signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL the process and its children: no handler, no clean-up, no goodbye."""
        if self.running:
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def dump(self) -> str:
        """End the process; return where each thread of its children was (started with PYTHONFAULTHANDLER)."""
        before = len(self.said)
        children = psutil.Process(self._popen.pid).children() if self.running else []
        for child in children:
            child.send_signal(signal.SIGABRT)
        psutil.wait_procs(children, SECONDS)
        self.kill()
        return self.said[before:]

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        return self._popen.wait(SECONDS)


class Shop:
    """Web server and workers on one database, queue and mail server; `sqs` stands between them and the queue."""

    def __init__(self, folder: Path, logs: Path, database_url: str, queue_name: str, sqs: Proxy, smtp: SmtpServer):
        self.folder, self.logs, self.sqs, self.smtp = folder, logs, sqs, smtp
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ENV_FILE": os.devnull,
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "for tests alone: nothing that it signs ever leaves this machine",
            "ALLOWED_HOSTS": HOST,
            "BEHIND_PROXY": "true",
            "PURCHASE_LIMITS": "",  # All buyers come from one address.
            "SITE_URL": f"https://{HOST}",
            "DEFAULT_FROM_EMAIL": f"Tickets <tickets@{HOST}>",
            "DATABASE_URL": database_url,
            "EMAIL_URL": f"smtp://127.0.0.1:{smtp.port}",
            "SQS_QUEUE_NAME": queue_name,
            "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{sqs.port}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._processes: list[Process] = []

    def start(self, *command: str, name: str, **environment: str) -> Process:
        log = self.logs / f"{name}-{len(self._processes)}.log"
        process = Process([sys.executable, *command], self.folder, self.environment | environment, log)
        self._processes.append(process)
        return process

    def web(self, port: int, wsgi: str = "timelessmusic.wsgi:application", **environment: str) -> Process:
        """Start the web server with one process and eight threads, and return once it answers."""
        process = self.start_web(port, wsgi, **environment)
        eventually(lambda: _answers(port) or not process.running, why="the web server")
        assert process.running, process.said
        return process

    def start_web(self, port: int, wsgi: str = "timelessmusic.wsgi:application", **environment: str) -> Process:
        server = ("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--blocking-threads", "8")
        return self.start("-m", *server, "--port", str(port), wsgi, name="web", **environment)

    def worker(self, *options: str, **environment: str) -> Process:
        return self.start("manage.py", "queue", "work", *options, name="worker", **environment)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def close(self) -> None:
        for process in self._processes:
            process.kill()

    @property
    def logged(self) -> str:
        return "\n".join(log.read_text() for log in sorted(self.logs.glob("*.log")))


def _answers(port: int) -> bool:
    try:
        return urlopen(Request(f"http://127.0.0.1:{port}/healthz"), timeout=5).status == 200
    except (HTTPError, URLError, OSError):
        return False


class Buyer:
    """Fill in the purchase form of a gig, and send it as often as it takes."""

    def __init__(self, port: int, slug: str, name: str):
        self.url = f"http://127.0.0.1:{port}/gigs/{slug}/"
        self.name, self.email = name, f"{name}@example.com"
        self._form: dict[str, str] = {}
        self._cookie = ""

    @property
    def filled(self) -> bool:
        """Tell whether the form was there to be filled in, with its token."""
        return "token" in self._form

    def open(self) -> requests.Response:
        page = requests.get(self.url, headers=BEHIND_TLS, timeout=SECONDS)
        # By hand, for to a cookie jar this is neither HTTPS nor the host that the header names.
        cookie = re.search(r"csrftoken=(\w+)", page.headers.get("Set-Cookie", ""))
        self._cookie = cookie[1] if cookie else ""
        hidden = dict(re.findall(r'type="hidden" name="([\w-]+)" value="([^"]+)"', page.text))
        self._form = hidden | {
            "owners-0-name": self.name,
            "owners-0-email": self.email,
            "name_on_card": self.name,
            "card_number": "4242424242424242",
            "card_expiry": "12/39",
            "card_cvc": "123",
            "disclaimer_accepted": "on",
        }
        return page

    def submit(self) -> requests.Response:
        """Post the form once; a second time is the same submission, by its token."""
        return requests.post(
            self.url,
            self._form,
            headers={**BEHIND_TLS, "Cookie": f"csrftoken={self._cookie}"},
            timeout=SECONDS,
            allow_redirects=False,
        )

    def buy(self) -> int:
        self.open()
        return self.submit().status_code
