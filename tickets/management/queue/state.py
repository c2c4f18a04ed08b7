"""The queue itself: made, looked at, examined, emptied."""

import json
import sys
import time
from datetime import UTC, datetime
from typing import Annotated

from django.core.management.base import CommandError
from django_typer.management import TyperCommand, command
from rich.console import Console
from rich.live import Live
from rich.table import Table
from typer import Option

from tickets import doctor, provisioning, queue
from tickets.management.exits import cannot_run, running
from tickets.models import Ticket
from tickets.pace import Observer

WATCH_SECONDS = 2


class State(TyperCommand):
    @command()
    def create(
        self,
        export: Annotated[bool, Option("--export", help="Print SQS_QUEUE_URL=… alone, for a shell or .env.")] = False,
        wait: Annotated[int, Option(min=0, help="Seconds to wait for SQS to answer.")] = 0,
    ):
        """Create the queue and its dead-letter queue, or mend them, and print the queue's URL.

        Example: manage.py queue create --export >> .env
        """
        end = time.monotonic() + wait
        while True:
            try:
                url, done = provisioning.create()
                break
            except queue.QueueError as error:
                if time.monotonic() >= end:
                    raise cannot_run(str(error)) from error
                time.sleep(0.2)
        if export:
            self.stdout.write(f"SQS_QUEUE_URL={url}")
            return
        for line in done or ["nothing to do: the queue is as it should be"]:
            self.stdout.write(line)
        self.stdout.write(url)

    @command()
    def inspect(
        self,
        as_json: Annotated[
            bool, Option("--json", help="Print JSON, as SQS says it; with --watch an object a line.")
        ] = False,
        watch: Annotated[bool, Option("--watch", help="Draw anew every 2 s, with the pace, until Ctrl-C.")] = False,
    ):
        """Show the queue: its address, its depths, its dead-letter queue and its attributes.

        Example: manage.py queue inspect --json | jq .waiting
        """
        if watch:
            self._watch(as_json)
            return
        with running():
            description = provisioning.describe()
        if as_json:
            self.stdout.write(json.dumps(_plain(description), indent=2))
        else:
            rows = list(_rows(description))
            width = max(len(name) for name, _ in rows)
            for name, value in rows:
                self.stdout.write(f"{name:<{width}}  {value}")

    @command()
    def doctor(
        self,
        role: Annotated[doctor.Role, Option(help="Whose permissions to try.")] = doctor.Role.ALL,
        as_json: Annotated[bool, Option("--json", help="Print a JSON object in each line, for machines.")] = False,
    ):
        """Examine queue, permissions, database, outbox and mail server, and say what to do; exit with 1 if anything is.

        Example: manage.py queue doctor --role worker
        """
        bad = 0
        for finding in doctor.examine(role):
            bad += finding.verdict == doctor.Verdict.BAD
            line = (
                json.dumps(finding._asdict()) if as_json else f"{finding.verdict:<4}{finding.subject}: {finding.words}"
            )
            self.stdout.write(line)
        if bad:
            raise CommandError(f"to do: {bad}")

    @command()
    def purge(self, yes: Annotated[bool, Option("--yes", help="Don't ask for the queue's name.")] = False):
        """Delete all messages of the queue. No ticket is lost: the worker publishes again those that are not mailed.

        Example: manage.py queue purge
        """
        with running():
            waiting = provisioning.describe().depth
        if not yes:
            if not sys.stdin.isatty():
                raise cannot_run("there is no terminal to ask at: say --yes if you mean it")
            self.stdout.write(f"{waiting} messages would go. The queue's name, to go on: ", ending="")
            self.stdout.flush()
            if sys.stdin.readline().strip() != queue.name():
                raise cannot_run("that is not its name: nothing was deleted")
        with running():
            provisioning.purge()
            due = Ticket.objects.on_the_way().count()
        self.stdout.write(f"purged {queue.name()} of {waiting} messages")
        self.stdout.write(f"{due} tickets are on the way: a worker publishes them again within three minutes")

    def _watch(self, as_json: bool) -> None:
        observer = Observer()
        live = None
        if self.stdout.isatty() and not as_json:
            live = Live(console=Console(), screen=True, auto_refresh=False)
        try:
            if live:
                live.start()
            while True:
                with running():
                    description, pace = provisioning.describe(), observer.look()
                numbers = dict(_depths(description))
                if pace:
                    numbers |= {f"{name} a second": round(value, 1) for name, value in pace._asdict().items()}
                if live:
                    live.update(_table(description.url, numbers), refresh=True)
                else:
                    line = json.dumps(numbers) if as_json else ", ".join(f"{k} {v}" for k, v in numbers.items())
                    self.stdout.write(line)
                    self.stdout.flush()
                time.sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            return
        finally:
            if live:
                live.stop()


def _table(title: str, numbers: dict) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, title_style="bold")
    for name, number in numbers.items():
        style = "red" if name == "in the DLQ" and number else None
        table.add_row(name, f"{number:,}", style=style)
    return table


def _depths(description: provisioning.Description):
    yield "waiting", description.waiting
    yield "in flight", description.in_flight
    yield "delayed", description.delayed
    if dead := description.dead_letters:
        yield "in the DLQ", dead.depth


def _rows(description: provisioning.Description):
    yield "URL", description.url
    yield "ARN", description.arn
    yield from _depths(description)
    for name, value in sorted(description.attributes.items()):
        if not name.startswith("ApproximateNumber") and name != "QueueArn":
            yield name, _time(value) if name.endswith("Timestamp") else value


def _time(epoch: str) -> str:
    """Write SQS's seconds since 1970 as `peek` and the log do, and people read them."""
    return f"{datetime.fromtimestamp(float(epoch), UTC):%Y-%m-%d %H:%M:%S} UTC"


def _plain(description: provisioning.Description | None) -> dict | None:
    if description is None:
        return None
    return {**vars(description), "dead_letters": _plain(description.dead_letters)}
