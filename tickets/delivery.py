"""Deliver a batch of messages: claim the tickets, mail them, mark them. Shared by the worker and by Lambda.

Every message ends in one of four ways: done (to delete), parked (to the DLQ, with its cause), put off (to hide for a
while), or held, because the mail server or the database is away, which is no fault of the message.
All database work is the calling thread's; the threads of the pool only talk to the mail server.
"""

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import connection
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from tickets import metrics, purchases
from tickets.emails import Deferred, HungUp, Mailer, MailServerDown, Refused
from tickets.models import Ticket
from tickets.outages import DatabaseDown
from tickets.queue import Received

log = structlog.get_logger(__name__)

THREADS = 5  # mails under way at once: a batch of ten in two rounds, and so marked by two UPDATEs
TOGETHER_SECONDS = 0.01  # mails that end within this of each other are marked by one UPDATE
BACKOFF_SECONDS, BACKOFF_LIMIT = 30, 900
HANG_UPS = 3  # after so many on one mail, the mail waits in the outbox and others have a try
ATTEMPT_SECONDS = 6  # one more try to write: a pause of 1 s and the 5 s that the pool waits for a connection
HANG_UP_PAUSE = timedelta(seconds=60)


def backoff(receive_count: int) -> int:
    """Draw the seconds until the next try: full jitter below min(900, 30·2^(n-1))."""
    return round(random.uniform(0, min(BACKOFF_LIMIT, BACKOFF_SECONDS * 2 ** (receive_count - 1))))  # noqa: S311


@dataclass
class Outcome:
    """Say what became of a batch: each message stands in exactly one of the four."""

    done: list[Received] = field(default_factory=list)
    parked: dict[Received, str] = field(default_factory=dict)  # cause
    put_off: dict[Received, int] = field(default_factory=dict)  # seconds
    held: list[Received] = field(default_factory=list)
    mailed: int = 0
    trouble: Exception | None = None  # why messages are held, unless the caller wanted to stop


class Delivery:
    """Deliver batch after batch over kept connections to the mail server."""

    def __init__(self, lease: timedelta, max_receive_count: int, threads: int = THREADS):
        self._lease, self._max_receive_count = lease, max_receive_count
        self._mailers = [Mailer() for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mail")
        self._hang_ups: Counter[str] = Counter()  # by message id
        self._claimed: list[Ticket] = []

    def deliver(self, messages: Iterable[Received], until: Callable[[], float | None] = lambda: None) -> Outcome:
        """Claim, mail and mark the tickets of `messages`; return what became of each message.

        `until` gives the time.monotonic() at which to give up, or None; once it gives one, no further mail is begun.
        Raise OperationalError if the database is away at the end of that time and a mail could not be marked.
        """
        outcome = Outcome()
        twins = self._read(messages, outcome)
        try:
            self._claimed = Ticket.objects.claim(twins, self._lease)
            others = twins.keys() - {ticket.pk for ticket in self._claimed}
            rows = Ticket.objects.in_bulk(others) if others else {}
        except DatabaseDown as error:
            outcome.trouble = error
            outcome.held += [message for same in twins.values() for message in same]
            return outcome
        for pk in others:
            self._answer_unclaimed(twins[pk], rows.get(pk), outcome)
        self._mail(twins, outcome, until)
        self._claimed = []
        return outcome

    def extend(self) -> None:
        """Extend the claims on the batch under way: a heartbeat's part, from its own thread."""
        if self._claimed:
            Ticket.objects.extend(self._claimed, self._lease)

    def probe(self) -> Exception | None:
        """Try the database and the mail server; return what is wrong, if anything."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            self._mailers[-1].probe()
        except DatabaseDown as error:
            connection.close()
            return error
        except MailServerDown as error:
            return error
        return None

    def close(self) -> None:
        """Close the connections, without waiting for a mail that hangs."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for mailer in self._mailers:
            mailer.drop()

    def _read(self, messages: Iterable[Received], outcome: Outcome) -> dict[UUID, list[Received]]:
        """Group the messages by ticket: twins share one mail and one end."""
        twins: dict[UUID, list[Received]] = {}
        for message in messages:
            try:
                twins.setdefault(purchases.read_message(message.body), []).append(message)
            except purchases.NotOurs as error:
                self._park_unknown([message], str(error), outcome)
        return twins

    def _answer_unclaimed(self, same: list[Received], row: Ticket | None, outcome: Outcome) -> None:
        if row is None:
            self._park_unknown(same, "there is no such ticket", outcome)
        elif row.mailed_at or row.cancelled_at:
            outcome.done += same
        else:
            # Another worker has it. Should that one die, this message comes again when the lease has run out.
            # A lease at most, for this machine's clock may differ from the database's.
            left = row.claimed_until - timezone.now() if row.claimed_until else timedelta(0)
            seconds = max(timedelta(0), min(left, self._lease)).total_seconds()
            outcome.put_off |= dict.fromkeys(same, round(seconds) + 1)

    def _mail(self, twins: dict[UUID, list[Received]], outcome: Outcome, until: Callable[[], float | None]) -> None:
        waiting = deque(self._claimed)
        running: dict[Future, tuple[Ticket, Mailer]] = {}
        while waiting or running:
            # Refilled only after what ended is marked: a crash leaves no more mails unmarked than there are threads.
            while waiting and self._mailers and until() is None and outcome.trouble is None:
                ticket, mailer = waiting.popleft(), self._mailers.pop()
                with _on_log_lines(ticket, twins):
                    # What is bound here is bound in the pool's thread, too: it would not be by itself.
                    future = self._pool.submit(copy_context().run, purchases.deliver, ticket, mailer)
                running[future] = (ticket, mailer)
            if not running:
                break
            wait(running, timeout=1, return_when=FIRST_COMPLETED)
            ended, _ = wait(running, timeout=TOGETHER_SECONDS)
            mailed = []
            for future in ended:
                ticket, mailer = running.pop(future)
                self._mailers.append(mailer)
                with _on_log_lines(ticket, twins):
                    if self._judge(future, ticket, twins[ticket.pk], outcome, until):
                        mailed.append(ticket)
            if mailed:
                _insist(lambda tickets=mailed: Ticket.objects.mark_mailed(tickets), until)
                outcome.mailed += len(mailed)
            if _over(until):
                break
        # Not begun, or hanging at the end of our time: no mail is known to have left.
        for ticket in [*waiting, *(ticket for ticket, _ in running.values())]:
            outcome.held += twins[ticket.pk]
        self._release([*waiting, *(ticket for ticket, _ in running.values())])

    def _judge(self, future: Future, ticket: Ticket, same: list[Received], outcome: Outcome, until) -> bool:
        """Sort a ticket's messages by how its mail ended; return whether it was mailed."""
        try:
            future.result()
        except Refused as error:
            self._park(ticket, same, f"the mail was refused: {error}", outcome, until)
        except HungUp as error:
            outcome.trouble = error
            self._hang_ups[same[0].id] += 1
            self._release([ticket])
            if self._hang_ups[same[0].id] < HANG_UPS:
                outcome.held += same
            else:
                # Back to the outbox, so that it costs no retry and stands in nobody's way.
                log.warning("back to the outbox: the mail server keeps hanging up", cause=str(error))
                del self._hang_ups[same[0].id]
                _insist(lambda: purchases.publish_again([ticket], HANG_UP_PAUSE), until)
                outcome.done += same
        except MailServerDown as error:
            outcome.trouble = error
            outcome.held += same
            self._release([ticket])
        except Exception as error:  # A bug that one ticket brings out must not stop the others.
            if not isinstance(error, Deferred):
                log.exception("could not be mailed")
            self._put_off(ticket, same, error, outcome, until)
        else:
            self._hang_ups.pop(same[0].id, None)
            outcome.done += same
            age = timezone.now() - ticket.mail_asked_at
            metrics.purchase_to_mail_seconds.observe(age.total_seconds())
            log.info("mailed", seconds=round(age.total_seconds(), 1))
            return True
        return False

    def _put_off(self, ticket: Ticket, same: list[Received], error: Exception, outcome: Outcome, until) -> None:
        receives = same[0].receive_count
        if receives >= self._max_receive_count:
            # SQS would move it to the DLQ at the next receive, without a cause.
            self._park(
                ticket, same, f"put off {receives} times, at last: {type(error).__name__}: {error}", outcome, until
            )
            return
        log.warning("put off", cause=str(error), receives=receives)
        self._release([ticket])
        outcome.put_off |= dict.fromkeys(same, backoff(receives))

    def _park(self, ticket: Ticket, same: list[Received], cause: str, outcome: Outcome, until) -> None:
        if _insist(lambda: ticket.park(cause), until):
            log.warning("parked", cause=cause)
            outcome.parked |= dict.fromkeys(same, cause)
            return
        # Sent on its way anew meanwhile, or another worker's by now: this mail is not the last word on the ticket.
        log.warning("not parked: it is no longer ours", cause=cause)
        outcome.put_off |= dict.fromkeys(same, backoff(same[0].receive_count))

    def _park_unknown(self, same: list[Received], cause: str, outcome: Outcome) -> None:
        for message in same:
            log.warning("parked", cause=cause, message=message.id, trace=message.trace)
        outcome.parked |= dict.fromkeys(same, cause)

    def _release(self, tickets: list[Ticket]) -> None:
        try:
            Ticket.objects.release(tickets)
        except DatabaseDown as error:
            log.warning("claims run out by themselves, for the database is away", cause=str(error))


def _on_log_lines(ticket: Ticket, twins: dict[UUID, list[Received]]):
    """Bind what every log line about a delivery names; the trace is the row's where the message has none."""
    message = twins[ticket.pk][0]
    return bound_contextvars(trace=message.trace or ticket.purchase.trace, ticket=str(ticket.pk), message=message.id)


def _over(until: Callable[[], float | None], needs: float = 0) -> bool:
    """Tell whether less than `needs` seconds are left."""
    deadline = until()
    return deadline is not None and time.monotonic() + needs >= deadline


def _insist(write: Callable[[], int], until: Callable[[], float | None]) -> int:
    """Write what has happened, for as long as the database takes to be back: forgetting it would mail twice."""
    while True:
        try:
            return write()
        except DatabaseDown as error:
            if _over(until, needs=ATTEMPT_SECONDS):
                raise
            log.warning("the database is away, and a mail waits for its mark", cause=str(error))
            connection.close()
            time.sleep(1)
