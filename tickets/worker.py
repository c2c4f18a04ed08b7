"""Receive, deliver, delete, and publish what requests could not: the loop behind `manage.py queue work`."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from django.db import DatabaseError, close_old_connections, connection, reset_queries

from tickets import metrics, provisioning, purchases, queue
from tickets.delivery import Delivery, Outcome
from tickets.models import Ticket
from tickets.outages import DatabaseDown
from tickets.presence import Teller
from tickets.queue import QueueError, Received

log = logging.getLogger(__name__)

# A poll is never cut short, lest SQS hand a message to nobody: so it must end within the time that a stop may take.
# Shorter than the queue's own 20 s, it costs 10,800 empty receives a day and worker.
POLL_SECONDS = 8
STOP_SECONDS = 8.5  # for the mails in hand after SIGTERM; a container is killed after 10
RELAY_SECONDS = 5  # between two looks at the outbox
LOST_SECONDS = 120  # SQS's counts are right within a minute; a ticket out for twice that while they say 0 is lost
PAUSE_LIMIT = 30  # seconds between two probes of what is away, at most


class Unavailable(Exception):
    """Say what a worker that should empty the queue and end could not do without."""


class Heartbeat:
    """Keep messages hidden from other workers, and the tickets of those worked on claimed.

    Each in a thread of its own: while SQS or the database hangs, the other still keeps other workers off.
    """

    def __init__(self, extend_claims: Callable[[], object], visibility_seconds: int):
        self._visibility = visibility_seconds
        self._messages: set[Received] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat, args=[extend], name="heartbeat", daemon=True)
            for extend in (self._hide, extend_claims)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(timeout=1)  # It may hang on what is away, and there is nothing left to keep.

    def keep(self, messages: Iterable[Received]) -> None:
        with self._lock:
            self._messages |= set(messages)

    def drop(self, messages: Iterable[Received]) -> None:
        """Let go of messages before they are deleted or put off: a beat after that would undo it."""
        with self._lock:
            self._messages -= set(messages)

    def _beat(self, extend: Callable[[], object]) -> None:
        while not self._ended.wait(self._visibility / 3):
            try:
                extend()
            except (QueueError, DatabaseError) as error:
                log.warning("a heartbeat failed; the next one follows: %s", error)
            finally:
                connection.close()  # Not one kept for a statement a minute.

    def _hide(self) -> None:
        with self._lock:
            queue.hide(dict.fromkeys(self._messages, self._visibility))


class Worker:
    """Mail what the queue holds until stop() is called, or until it is empty."""

    def __init__(self):
        self.counts = Counter()  # mailed, parked, put off, published
        self._teller = Teller()
        self._stop_at: float | None = None
        self._pause = 1
        self._relay_at = self._lost_at = 0.0
        self._away = ""
        self._ahead: Future[list[Received]] | None = None

    def stop(self) -> None:
        """Ask the loop to end. Safe in a signal handler: it takes no lock."""
        self._stop_at = time.monotonic() + STOP_SECONDS

    def run(self, batch: bool = False) -> None:
        """Work until stopped; with `batch`, until outbox and queue are empty, or raise Unavailable."""
        description = self._insist_on_queue(batch)
        if description is None:
            return
        self._visibility = description.visibility_seconds
        self._delivery = Delivery(
            timedelta(seconds=self._visibility), description.max_receive_count or provisioning.MAX_RECEIVE_COUNT
        )
        with (
            ThreadPoolExecutor(1, thread_name_prefix="receive") as self._receiver,
            Heartbeat(self._delivery.extend, self._visibility) as self._heartbeat,
        ):
            try:
                # Before the first receive: each one counts against a message, and a restart must not spend them.
                if self._wait_until_well(batch):
                    self._loop(batch)
            finally:
                self._hand_back_ahead()
                self._delivery.close()
                self._teller.leave()

    def _loop(self, batch: bool) -> None:
        while self._stop_at is None:
            close_old_connections()
            reset_queries()  # Django keeps them with DEBUG on.
            self._teller.tell()
            relayed = self._relay(batch)
            try:
                messages = self._receive(wait_seconds=1 if batch else POLL_SECONDS)
                self._back()
            except QueueError as error:
                self._is_away(error, batch)
                continue
            if messages:
                self._work(messages, batch)
            elif not self._find_lost() and batch and not relayed:
                return

    def _receive(self, wait_seconds: int) -> list[Received]:
        """Give the next batch. A full one means that more may wait: those are received while it is worked on.

        That is ten messages at most that wait in this process, kept by the heartbeat, and by a short poll, for a
        stop waits for its end.
        """
        ahead, self._ahead = self._ahead, None
        messages = (ahead and ahead.result()) or self._receive_now(wait_seconds)
        if len(messages) == queue.BATCH:
            self._ahead = self._receiver.submit(self._receive_now, wait_seconds=0)
        return messages

    def _receive_now(self, wait_seconds: int) -> list[Received]:
        messages = queue.receive(wait_seconds=wait_seconds)
        self._heartbeat.keep(messages)
        return messages

    def _work(self, messages: list[Received], batch: bool) -> None:
        while messages:
            try:
                outcome = self._delivery.deliver(messages, until=lambda: self._stop_at)
            except DatabaseDown as error:  # Our time is over, and so no message is deleted: they come again.
                log.error("stopped while the database was away; a mail that waited for its mark repeats: %s", error)
                self._teller.tell(trouble=error)
                return
            self._heartbeat.drop([*outcome.done, *outcome.parked, *outcome.put_off])
            self._settle(outcome)
            messages = outcome.held
            if messages and (self._stop_at or not self._wait_until_well(batch, outcome.trouble, messages)):
                self._hand_back(messages)
                return

    def _settle(self, outcome: Outcome) -> None:
        """Tell SQS what became of messages. What it doesn't hear comes again, and the ledger knows."""
        counts = {"mailed": outcome.mailed, "parked": len(outcome.parked), "put_off": len(outcome.put_off)}
        self.counts.update(counts)
        self._teller.tell(counts)
        for name, count in counts.items():
            metrics.deliveries.labels(name).inc(count)
        if outcome.mailed:
            self._pause = 1
        try:
            queue.delete(outcome.done)
            queue.hide(outcome.put_off)
            for message, cause in outcome.parked.items():
                queue.park(message, cause)
        except QueueError as error:
            log.warning("the work is done, SQS didn't hear of it: %s", error)

    def _hand_back(self, messages: list[Received]) -> None:
        self._heartbeat.drop(messages)
        try:
            queue.hide(dict.fromkeys(messages, 0))
            log.info("handed back %d messages", len(messages))
        except QueueError as error:
            log.warning("%d messages come back after the visibility timeout: %s", len(messages), error)

    def _hand_back_ahead(self) -> None:
        """Hand back what was received ahead of a stop."""
        try:
            if self._ahead and (messages := self._ahead.result()):
                self._hand_back(messages)
        except QueueError as error:
            log.warning("nothing was received ahead: %s", error)

    def _relay(self, batch: bool) -> int:
        """Publish what requests could not, every few seconds; return how many tickets that were."""
        if not batch and time.monotonic() < self._relay_at:
            return 0
        self._relay_at = time.monotonic() + RELAY_SECONDS
        try:
            published = purchases.relay()
            if published:
                self._relay_at = 0.0  # There may be more.
        except QueueError as error:
            log.warning("the outbox waits: %s", error)
            return 0
        except DatabaseDown as error:
            self._wait_until_well(batch, error)
            return 0
        self.counts["published"] += published
        self._teller.tell({"published": published})
        return published

    def _find_lost(self) -> int:
        """Publish again the tickets whose message is gone (a purged queue, a crash of its server); return how many."""
        if time.monotonic() < self._lost_at:
            return 0
        self._lost_at = time.monotonic() + LOST_SECONDS / 2
        try:
            lost = Ticket.objects.lost(timedelta(seconds=LOST_SECONDS)).order_by("published_at")[:1000]
            if not lost or provisioning.describe().depth > 0:
                return 0
            log.warning("the queue is empty and %d tickets are not mailed: published again", len(lost))
            return purchases.publish_again(lost)
        except (QueueError, *DatabaseDown) as error:
            log.warning("can't look for lost messages: %s", error)
            return 0

    # --- What is away comes back ------------------------------------------------------------------

    def _wait_until_well(self, batch: bool, trouble: Exception | None = None, held: list[Received] = ()) -> bool:
        """Wait until database and mail server answer; return False if stopped meanwhile. Nothing is received here."""
        trouble = trouble or self._delivery.probe()
        while trouble is not None:
            if batch:
                self._hand_back(list(held))
                raise Unavailable(f"{type(trouble).__name__}: {trouble}")
            self._is_away(trouble)
            if self._stop_at:
                return False
            trouble = self._delivery.probe()
        self._back()
        return True

    def _insist_on_queue(self, batch: bool) -> provisioning.Description | None:
        while self._stop_at is None:
            try:
                return provisioning.describe()
            except QueueError as error:
                self._is_away(error, batch)
        return None

    def _is_away(self, trouble: Exception, batch: bool = False) -> None:
        """Say it once, and wait a little longer each time."""
        if batch:
            raise Unavailable(str(trouble)) from trouble
        if self._away != str(trouble):
            self._away = str(trouble)
            log.warning("nothing is received until this is over: %s: %s", type(trouble).__name__, trouble)
        self._teller.tell(trouble=trouble)
        self._sleep(self._pause)
        self._pause = min(PAUSE_LIMIT, self._pause * 2)

    def _back(self) -> None:
        if self._away:
            log.info("it is over, work goes on")
            self._away, self._pause = "", 1

    def _sleep(self, seconds: float) -> None:
        # In slices, for a signal handler can't wake an Event without a risk of deadlock.
        end = time.monotonic() + seconds
        while self._stop_at is None and time.monotonic() < end:
            time.sleep(0.1)
