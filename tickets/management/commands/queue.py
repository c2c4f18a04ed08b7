"""`manage.py queue …`: parse and print; the work is in queue.py, purchases.py and worker.py."""

import json
import os
import signal
import threading
import time
from datetime import timedelta
from typing import Annotated

from django.core.management.base import CommandError
from django_typer.management import TyperCommand, command
from typer import Option

from tickets import doctor, metrics, provisioning, purchases, queue, reconcile
from tickets.worker import Unavailable, Worker

HARD_STOP_SECONDS = 9.5  # after SIGTERM: whatever still hangs then (a silent server) is left behind


class Command(TyperCommand, pretty_exceptions_enable=False):  # Its own would get past manage.py's.
    help = "Look after the purchase queue and its worker."

    @command()
    def create(
        self,
        export: Annotated[bool, Option("--export", help="Print SQS_QUEUE_URL=… alone, for a shell or .env.")] = False,
        wait: Annotated[int, Option(help="Seconds to wait for SQS to answer.")] = 0,
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
                    raise CommandError(str(error)) from error
                time.sleep(0.2)
        if export:
            self.stdout.write(f"SQS_QUEUE_URL={url}")
            return
        for line in done or ["nothing to do: the queue is as it should be"]:
            self.stdout.write(line)
        self.stdout.write(url)

    @command()
    def inspect(self, as_json: Annotated[bool, Option("--json", help="Print JSON, for machines.")] = False):
        """Show the queue: its address, its depths, its dead-letter queue and its attributes.

        Example: manage.py queue inspect --json | jq .waiting
        """
        try:
            description = provisioning.describe()
        except queue.QueueError as error:
            raise CommandError(str(error)) from error
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
    def publish(self):
        """Publish the tickets whose own request could not: the worker does the same by itself.

        Example: manage.py queue publish
        """
        published = 0
        try:
            while due := purchases.relay():
                published += due
        except queue.QueueError as error:
            raise CommandError(f"published {published}, then: {error}") from error
        self.stdout.write(f"published {published}")

    @command()
    def reconcile(
        self,
        older_than: Annotated[int, Option(help="Seconds after its sale from which a ticket hangs.")] = 900,
        repair: Annotated[bool, Option("--repair", help="Publish once more what hangs.")] = False,
    ):
        """Prove where every ticket is, list those that hang, and exit with 1 if any does.

        Example: manage.py queue reconcile --older-than 3600 --repair
        """
        age = timedelta(seconds=older_than)
        found = reconcile.report(age)
        for place, count in found.census.items():
            self.stdout.write(f"{place.replace('_', ' '):<12}{count:>10,}")
        self.stdout.write(f"{'seats sold':<12}{found.seats_sold:>10,}")
        for ticket in found.oldest:
            self.stdout.write(f"hangs: {ticket.pk}, sold {ticket.created_at:%Y-%m-%d %H:%M:%S} UTC, {ticket.state}")
        if not found.balanced:
            raise CommandError("the numbers don't add up: compare tickets with the seats that each gig has sold")
        if found.hanging and repair:
            try:
                self.stdout.write(f"published {reconcile.repair(age)} once more")
            except queue.QueueError as error:
                raise CommandError(f"the outbox has what hung, but: {error}") from error
        if found.hanging:
            raise CommandError(f"{found.hanging} hang{'' if found.hanging > 1 else 's'}")

    @command()
    def work(
        self,
        batch: Annotated[bool, Option("--batch", help="Empty outbox and queue, then end.")] = False,
        metrics_port: Annotated[int, Option(min=0, max=65535, help="Port for Prometheus; 0 for none.")] = 0,
        metrics_host: Annotated[str, Option(help="Address of that port; who reaches it may read.")] = "127.0.0.1",
    ):
        """Mail the tickets whose messages wait in the queue, until SIGTERM or Ctrl-C; a second one ends at once.

        Example: manage.py queue work --batch
        """
        worker = Worker()

        def stop(*_):
            signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
            signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
            timer = threading.Timer(HARD_STOP_SECONDS, os._exit, [1])
            timer.daemon = True
            timer.start()
            worker.stop()
            # Not by self.stdout: a handler may interrupt a write to it.
            os.write(1, b"stopping, when the mails in hand are sent; a second signal ends at once\n")

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        self.stdout.write("working; stop with Ctrl-C")
        try:
            with metrics.served(metrics_host, metrics_port):
                worker.run(batch=batch)
        except Unavailable as error:
            raise CommandError(f"{_counts(worker)}; then: {error}") from error
        except metrics.NotServed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_counts(worker))


def _counts(worker: Worker) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {worker.counts[name]}" for name in ("mailed", "parked", "put_off", "published")
    )


def _rows(description: provisioning.Description):
    yield "URL", description.url
    yield "ARN", description.arn
    yield "waiting", str(description.waiting)
    yield "in flight", str(description.in_flight)
    yield "delayed", str(description.delayed)
    if dead := description.dead_letters:
        yield "in the DLQ", str(dead.depth)
    for name, value in sorted(description.attributes.items()):
        if not name.startswith("ApproximateNumber") and name != "QueueArn":
            yield name, value


def _plain(description: provisioning.Description | None) -> dict | None:
    if description is None:
        return None
    return {**vars(description), "dead_letters": _plain(description.dead_letters)}
