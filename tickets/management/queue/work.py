"""The worker, and what it does by itself, done by hand."""

import gc
import os
import signal
import threading
from datetime import timedelta
from typing import Annotated

from django.core.management.base import CommandError
from django_typer.management import TyperCommand, command
from typer import Option

from tickets import metrics, purchases, reconcile
from tickets.management.exits import cannot_run, running
from tickets.worker import Unavailable, Worker

HARD_STOP_SECONDS = 9.5  # after SIGTERM: whatever still hangs then (a silent server) is left behind
LINE_EVERY = 1000  # tickets; the relay takes 100 at a time


class Work(TyperCommand):
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
        # What is there by now stays. To look through it for garbage, again and again, took a fifth of a mail's time.
        gc.freeze()
        self.stdout.write("working; stop with Ctrl-C")
        try:
            with metrics.served(metrics_host, metrics_port):
                worker.run(batch=batch)
        except Unavailable as error:
            raise cannot_run(f"{_counts(worker)}; then: {error}") from error
        except metrics.NotServed as error:
            raise cannot_run(str(error)) from error
        self.stdout.write(_counts(worker))

    @command()
    def publish(self):
        """Publish the tickets whose own request could not: the worker does the same by itself.

        Example: manage.py queue publish
        """
        published = 0
        try:
            with running():
                while due := purchases.relay():
                    published += due
                    if published % LINE_EVERY == 0:
                        self.stdout.write(f"published {published} so far")
        finally:
            self.stdout.write(f"published {published}")

    @command()
    def reconcile(
        self,
        older_than: Annotated[int, Option(min=0, help="Seconds after its sale from which a ticket hangs.")] = 900,
        repair: Annotated[bool, Option("--repair", help="Publish once more what hangs.")] = False,
    ):
        """Prove where every ticket is, list those that hang, and exit with 1 if any does.

        Example: manage.py queue reconcile --older-than 3600 --repair
        """
        age = timedelta(seconds=older_than)
        with running():
            found = reconcile.report(age)
        for place, count in found.census.items():
            self.stdout.write(f"{place.replace('_', ' '):<12}{count:>10,}")
        self.stdout.write(f"{'seats sold':<12}{found.seats_sold:>10,}")
        for ticket in found.oldest:
            self.stdout.write(f"hangs: {ticket.pk}, sold {ticket.created_at:%Y-%m-%d %H:%M:%S} UTC, {ticket.state}")
        if not found.balanced:
            raise CommandError("the numbers don't add up: compare tickets with the seats that each gig has sold")
        if found.hanging and repair:
            with running("the outbox has what hung, but: "):
                self.stdout.write(f"published {reconcile.repair(age)} once more")
        if found.hanging:
            raise CommandError(f"{found.hanging} hang{'' if found.hanging > 1 else 's'}")


def _counts(worker: Worker) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {worker.counts[name]}" for name in ("mailed", "parked", "put_off", "published")
    )
