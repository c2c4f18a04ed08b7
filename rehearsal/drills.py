"""Incidents, rehearsed: real processes in a temporary folder, one of them broken; what an operator sees, and does.

Nothing of the configured shop is touched: database, queue, mail server and every setting are the drill's own.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from rehearsal.ports import free_port
from rehearsal.proxy import Proxy
from rehearsal.shop import Buyer, Shop, eventually
from rehearsal.smtp import SmtpServer
from rehearsal.sqs import ask, start_sqs

QUEUE = "drill"
GIG = "nirvana-cork-1991"
VISIBILITY_SECONDS = 5  # instead of 180: so long a killed worker's messages stay hidden


class NotHeld(Exception):
    """Say what should have been otherwise."""


class Stage:
    """Hold a shop that can be broken, and tell what happens to it."""

    def __init__(self, shop: Shop, sqs_port: int, tell: Callable[[str], object]):
        self.shop, self.sqs_port, self._tell, self._began = shop, sqs_port, tell, time.monotonic()
        self.bought: list[str] = []
        self.port = free_port()

    def happens(self, words: str) -> None:
        self._tell(f"{time.monotonic() - self._began:5.1f} s  {words}")

    def operator(self, *arguments: str, status: int = 0, lines: int = 99) -> None:
        """Do what an operator would, and show what is seen, `lines` of it at most."""
        done = self.shop.manage(*arguments)
        self._tell(f"         $ manage.py {' '.join(f'{word!r}' if ' ' in word else word for word in arguments)}")
        for line in (done.stdout + done.stderr).splitlines()[:lines]:
            self._tell(f"         {line}")
        if done.returncode != status:
            raise NotHeld(f"its exit status is {done.returncode}, not {status}")

    def buy(self, *names: str) -> None:
        for name in names:
            buyer, began = Buyer(self.port, GIG, name), time.monotonic()
            if buyer.buy() != 302:
                raise NotHeld(f"{name} could not buy")
            self.bought.append(buyer.email)
            self.happens(f"{name} buys, and is thanked after {time.monotonic() - began:.1f} s")

    def mailed(self) -> None:
        """Wait until all have their mail, and as many as they bought; then see that the ledger says so, too."""
        eventually(lambda: len(self.shop.smtp.sink.mails) >= len(self.bought), why="the mails")
        eventually(lambda: self.shop.manage("queue", "reconcile", "--older-than", "0").returncode == 0, why="the marks")
        self.happens("all are mailed. What has to hold:")
        self.operator("queue", "reconcile", "--older-than", "0")
        if self.shop.smtp.sink.recipients != sorted(self.bought):
            raise NotHeld(f"not one mail each: {self.shop.smtp.sink.recipients}")
        self._tell(f"         {len(self.bought)} tickets, one mail each.")


def sqs_away(stage: Stage) -> None:
    """SQS can't be reached: the shop sells on, and the outbox keeps what is to publish."""
    stage.shop.worker()
    stage.buy("before")
    stage.shop.sqs.refuse()
    stage.happens("SQS is gone")
    stage.buy("ada", "bob", "eve")
    stage.happens("What an operator sees:")
    stage.operator("queue", "inspect", status=2)
    stage.operator("queue", "reconcile", "--older-than", "0", status=1, lines=3)
    stage.happens("What to do: nothing but to bring SQS back. It is back")
    stage.shop.sqs.listen()
    stage.mailed()


def mail_server_away(stage: Stage) -> None:
    """The mail server can't be reached: nothing is received meanwhile, and nobody's retries are spent."""
    stage.shop.smtp.stop()
    stage.happens("the mail server is gone")
    worker = stage.shop.worker()
    stage.buy("ada", "bob", "eve")
    worker.says("nothing is received until this is over")
    stage.happens("What an operator sees in the worker's log:")
    stage.happens(next(line for line in worker.said.splitlines() if "nothing is received" in line)[:110])
    stage.operator("queue", "inspect", lines=6)
    stage.happens("What to do: bring the mail server back. It is back")
    stage.shop.smtp.start()
    stage.mailed()


def poison_message(stage: Stage) -> None:
    """Messages that can't succeed are parked with their cause, and hurt nobody else."""
    stage.shop.worker()
    url = ask(stage.sqs_port, "GetQueueUrl", QueueName=QUEUE)["QueueUrl"]
    ask(stage.sqs_port, "SendMessage", QueueUrl=url, MessageBody='{"pickle": "gASVIAAAAAAAAACMBXBvc2l4"}')
    stage.happens("somebody sends a message that is none of ours")
    stage.shop.smtp.sink.rcpt_answers["bob@example.com"] = "550 mailbox full"
    stage.happens("the mail server refuses one buyer's address")
    stage.buy("ada", "bob", "eve")

    def parked():
        return stage.shop.manage("queue", "peek", "--dlq").stdout.count("kept until") == 2

    eventually(parked, why="two parked messages")
    stage.happens("What an operator sees:")
    stage.operator("queue", "peek", "--dlq")
    stage.happens("What to do: mend the cause, then send what it stopped on its way again")
    del stage.shop.smtp.sink.rcpt_answers["bob@example.com"]
    stage.operator("queue", "redrive", "--cause", "550", "--dry-run")
    stage.operator("queue", "redrive", "--cause", "550")
    stage.mailed()
    stage.operator("queue", "peek", "--dlq")


def worker_killed(stage: Stage) -> None:
    """A worker dies with a mail in hand: its claim and its message run out, and another worker finishes."""
    url = ask(stage.sqs_port, "GetQueueUrl", QueueName=QUEUE)["QueueUrl"]
    ask(
        stage.sqs_port,
        "SetQueueAttributes",
        QueueUrl=url,
        Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)},
    )
    worker = stage.shop.worker()
    killed = []

    def kill(_):
        if not killed:
            worker.kill()
            killed.append(time.monotonic())

    stage.shop.smtp.sink.before_mail = kill
    stage.buy("ada", "bob", "eve")
    eventually(lambda: killed, why="the end of the worker")
    stage.happens("the worker is killed, just before a mail")
    stage.happens("What an operator sees:")
    stage.operator("queue", "inspect", lines=6)
    stage.happens("What to do: start a worker, or let the supervisor do it. One is started")
    stage.shop.worker()
    stage.mailed()


DRILLS = {
    drill.__name__.replace("_", "-"): drill for drill in (sqs_away, mail_server_away, poison_message, worker_killed)
}


@contextmanager
def _stage(sources: Path, tell: Callable[[str], object]):
    with tempfile.TemporaryDirectory(prefix="timelessmusic-drill-") as name:
        folder = Path(name)
        (folder / "logs").mkdir()
        sqs_port = free_port()
        server, smtp = start_sqs(folder, sqs_port), SmtpServer()
        try:
            smtp.start()
            sqs = Proxy(("127.0.0.1", sqs_port))
            shop = Shop(sources, folder / "logs", f"sqlite:///{folder / 'db.sqlite3'}", QUEUE, sqs, smtp)
            shop.environment["DEBUG"] = "true"  # It serves static files without collectstatic.
            try:
                for arguments in (["migrate"], ["import_gigs", "data/gigs.json"], ["queue", "create"]):
                    done = shop.manage(*arguments)
                    if done.returncode:
                        raise NotHeld(f"`manage.py {' '.join(arguments)}` failed: {done.stderr}")
                stage = Stage(shop, sqs_port, tell)
                shop.web(stage.port)
                yield stage
            finally:
                shop.close()
                sqs.refuse()
        finally:
            smtp.stop()
            server.kill()


def run(name: str, sources: Path, tell: Callable[[str], object]) -> None:
    """Rehearse a drill of DRILLS, and tell it line by line; raise NotHeld where something didn't hold."""
    drill = DRILLS[name]
    tell(drill.__doc__)
    try:
        with _stage(sources, tell) as stage:
            drill(stage)
    except AssertionError as error:  # What was waited for has not come.
        raise NotHeld(str(error)) from error
