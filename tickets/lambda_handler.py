"""AWS Lambda's ways in, but for the web's (timelessmusic/lambda_wsgi.py): the queue's messages, and commands."""

import io
import os
import time
from datetime import timedelta
from functools import cache

import django
import structlog

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timelessmusic.settings")
django.setup()

from django.core.management import CommandError, call_command  # noqa: E402
from django.db import close_old_connections  # noqa: E402

from tickets import provisioning, purchases, queue, trace  # noqa: E402
from tickets.delivery import BACKOFF_LIMIT, Delivery, Outcome  # noqa: E402
from tickets.models import Ticket  # noqa: E402
from tickets.outages import DatabaseDown  # noqa: E402
from tickets.presence import Teller  # noqa: E402
from tickets.queue import QueueError, Received  # noqa: E402

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 3  # kept of the function's time for SQS to hear what became of the messages
MAIL_SECONDS = 12  # what the last mail may take: the mail server's timeout, and its mark


class Away(Exception):
    """Say that the mail server or the database is away: an error, so that the event source mapping slows down."""


def handler(event: dict, context) -> dict[str, list[dict[str, str]]]:
    """Deliver the messages of an event source mapping's batch; return the ids of those that are to come again.

    Raise Away in an outage. What was done until then is deleted first, for the whole batch comes again.
    """
    close_old_connections()
    end = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - SETTLE_SECONDS
    messages = [_received(record) for record in event["Records"]]
    try:
        outcome = _delivery().deliver(messages, until=lambda: end if time.monotonic() > end - MAIL_SECONDS else None)
    except DatabaseDown as error:
        raise Away(f"stopped while the database was away; a mail that waited for its mark repeats: {error}") from None
    again = _settle(outcome)
    counts = {"mailed": outcome.mailed, "parked": len(outcome.parked), "put_off": len(outcome.put_off)}
    _teller().tell(counts, outcome.trouble)
    if outcome.trouble:
        raise Away(f"{type(outcome.trouble).__name__}: {outcome.trouble}")
    return {"batchItemFailures": [{"itemIdentifier": message.id} for message in again]}


@cache
def _delivery() -> Delivery:
    # Kept between invocations, and with it the connections to the mail server.
    return Delivery(timedelta(seconds=provisioning.VISIBILITY_SECONDS), provisioning.MAX_RECEIVE_COUNT)


@cache
def _teller() -> Teller:
    # One row for all instances of the function.
    return Teller(os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""))


def _received(record: dict) -> Received:
    return Received(
        id=record["messageId"],
        body=record["body"],
        handle=record["receiptHandle"],
        receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        trace=trace.checked(record.get("messageAttributes", {}).get("trace", {}).get("stringValue")),
    )


def _settle(outcome: Outcome) -> list[Received]:
    """Tell SQS what became of messages, where the mapping can't; return those that are to come again."""
    worn_out = [message for message in outcome.held if message.receive_count >= provisioning.MAX_RECEIVE_COUNT]
    if worn_out and _back_to_outbox(worn_out, timedelta(seconds=BACKOFF_LIMIT if outcome.trouble else 0)):
        outcome.held = [message for message in outcome.held if message not in worn_out]
        outcome.done += worn_out
    seconds = {message: _outage(message.receive_count) if outcome.trouble else 0 for message in outcome.held}
    seconds |= outcome.put_off
    try:
        queue.hide(seconds)
        for message, cause in outcome.parked.items():
            queue.park(message, cause)
        if outcome.trouble:
            queue.delete(outcome.done)
    except QueueError as error:
        log.warning("the work is done, SQS didn't hear of it", cause=str(error))
        return [*seconds, *outcome.parked]
    return list(seconds)


def _outage(receive_count: int) -> int:
    """Give the seconds for which to hide a message in an outage: five receives are to last a quarter of an hour."""
    return min(BACKOFF_LIMIT, 60 * 2 ** (receive_count - 1))


def _back_to_outbox(messages: list[Received], delay: timedelta) -> int:
    """Let the relay publish anew what an outage has held until its last receive, for the DLQ is for bad messages.

    Return 0 while the database is away: then they do go to the DLQ, and reconcile publishes their tickets again.
    """
    try:
        tickets = Ticket.objects.filter(pk__in=[purchases.read_message(message.body) for message in messages])
        return purchases.publish_again(tickets, delay)
    except DatabaseDown as error:
        log.warning("the outbox can't take messages back, for the database is away", cause=str(error))
        return 0


def manage(event: dict, _context) -> str:
    """Run a management command, as in {"arguments": ["queue", "reconcile"]}, and return what it prints.

    Raise CommandError with that and the command's last words if it fails.
    """
    close_old_connections()
    output = io.StringIO()
    try:
        call_command(*event["arguments"], stdout=output)
    except CommandError as error:
        raise CommandError(f"{output.getvalue()}{error}") from None
    return output.getvalue()
