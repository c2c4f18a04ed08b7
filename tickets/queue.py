"""Speak to Amazon SQS: the only module of the app that imports boto3.

Its callers see plain values and one exception, QueueError. Nothing here knows of tickets or of the database.
"""

import functools
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from tickets import trace

log = logging.getLogger(__name__)

BATCH = 10  # entries in one call, at most: SQS quotas
LONG_POLL_SECONDS = 20  # SQS guide: the longest poll is the cheapest
CAUSE_LENGTH = 500  # characters of a cause kept on a parked message


class QueueError(Exception):
    """Say why the queue did not do what was asked, in a sentence for the operator."""


class QueueRefused(QueueError):
    """Say what SQS answered instead; `code` is its own name for that."""

    def __init__(self, words: str, code: str):
        super().__init__(words)
        self.code = code


class QueueMissing(QueueRefused):
    pass


class Message(NamedTuple):
    """Hold what is sent: the body, a text where it is sent as it came, and the trace id, which goes as an attribute."""

    body: dict[str, str] | str
    trace: str = ""


@dataclass(frozen=True)
class Received:
    """Hold a message as a worker gets it: `receive_count` is 1 the first time."""

    id: str
    body: str
    handle: str = field(repr=False)
    receive_count: int
    trace: str = ""  # trace id, where the message has a sound one


@functools.cache
def producer():
    """Make the client that requests publish with, once a process.

    Its budget is what a buyer waits at the worst: boto3's defaults would be 244 to 310 s on a silent endpoint.
    """
    return _client(connect_timeout=1, read_timeout=2)


@functools.cache
def consumer():
    """Make the worker's client, once a process: its read timeout must exceed the long poll."""
    return _client(connect_timeout=2, read_timeout=LONG_POLL_SECONDS + 5)


def _client(**timeouts):
    # A session of its own: the default session is not safe to share while threads make clients.
    return boto3.session.Session().client(
        "sqs",
        config=Config(retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=32, **timeouts),
    )


@contextmanager
def errors(doing: str) -> Iterator[None]:
    """Turn what boto3 raises into one QueueError whose words name the deed and the cause."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}:
            raise QueueMissing(
                f"can't {doing}: there is no queue {name()!r}. Make it with `manage.py queue create`, "
                "or set SQS_QUEUE_URL to the one you have.",
                code,
            ) from error
        words = error.response["Error"].get("Message", "")
        raise QueueRefused(f"can't {doing}: SQS answered {code}: {words}", code) from error
    except BotoCoreError as error:  # No endpoint, no answer, no credentials, no region.
        raise QueueError(f"can't {doing}: {error}") from error


def name() -> str:
    return settings.SQS_QUEUE_URL.rsplit("/", 1)[-1] or settings.SQS_QUEUE_NAME


def _batches(items: Iterable) -> Iterator[list]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


@functools.cache
def url() -> str:
    """Give the queue's URL, looked up by its name once where no URL is set."""
    if settings.SQS_QUEUE_URL:
        return settings.SQS_QUEUE_URL
    return producer().get_queue_url(QueueName=settings.SQS_QUEUE_NAME)["QueueUrl"]


@functools.cache
def dead_letter_url() -> str:
    """Give the URL of the DLQ that the queue's redrive policy names."""
    client = consumer()
    attributes = client.get_queue_attributes(QueueUrl=url(), AttributeNames=["RedrivePolicy"]).get("Attributes", {})
    if "RedrivePolicy" not in attributes:
        raise QueueError(f"queue {name()!r} has no dead-letter queue. `manage.py queue create` gives it one.")
    arn = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
    return client.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]


def forget() -> None:
    """Forget clients and addresses, for whoever changes the settings or the environment."""
    for cached in (producer, consumer, url, dead_letter_url):
        cached.cache_clear()


# --- The sender's side ----------------------------------------------------------------------------


def send(messages: Sequence[Message]) -> list[str | QueueError]:
    """Send messages; return in order each one's id, or error.

    Raise QueueError where a whole call failed: what an earlier call of ten sent is then sent, and is sent again by
    whoever repeats this; the ledger mails it once.
    """
    return [result for batch in _batches(messages) for result in _send_batch(batch)]


def _send_batch(batch: Sequence[Message]) -> list[str | QueueError]:
    with errors("publish"):
        answer = producer().send_message_batch(
            QueueUrl=url(),
            Entries=[
                {
                    "Id": str(i),
                    "MessageBody": _text(message.body),
                    "MessageAttributes": _attributes(trace=message.trace),
                }
                for i, message in enumerate(batch)
            ],
        )
    sent = {entry["Id"]: entry["MessageId"] for entry in answer.get("Successful", [])}
    failed = {
        entry["Id"]: QueueError(f"SQS refused the entry: {entry['Code']}: {entry.get('Message', '')}")
        for entry in answer.get("Failed", [])
    }
    # An entry that the answer forgets is not sent, as far as anybody can know.
    return [sent.get(str(i)) or failed.get(str(i)) or QueueError("no answer") for i in range(len(batch))]


def ping() -> None:
    """Ask SQS for the queue, with the web's own client and permissions, or raise QueueError (12 s later at worst)."""
    with errors("reach the queue"):
        producer().get_queue_attributes(QueueUrl=url(), AttributeNames=["QueueArn"])


def _text(body: dict[str, str] | str) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def _attributes(**texts: str) -> dict:
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items() if text}


# --- The worker's side ----------------------------------------------------------------------------


def receive(wait_seconds: int, limit: int = BATCH) -> list[Received]:
    """Wait up to `wait_seconds` for messages and return up to ten; each is hidden for the visibility timeout."""
    with errors("receive"):
        answer = consumer().receive_message(
            QueueUrl=url(),
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
            MessageAttributeNames=["trace"],
        )
    return [
        Received(
            id=message["MessageId"],
            body=message["Body"],
            handle=message["ReceiptHandle"],
            receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
            trace=trace.checked(message.get("MessageAttributes", {}).get("trace", {}).get("StringValue")),
        )
        for message in answer.get("Messages", [])
    ]


def delete(messages: Iterable[Received], queue_url: str = "") -> None:
    """Delete messages whose work is done; one that stays comes again and is found done, so that is only logged."""
    for batch in _batches(messages):
        with errors("delete"):
            answer = consumer().delete_message_batch(
                QueueUrl=queue_url or url(),
                Entries=[{"Id": str(i), "ReceiptHandle": m.handle} for i, m in enumerate(batch)],
            )
        _log_failures("delete", batch, answer)


def hide(seconds: dict[Received, int], queue_url: str = "") -> None:
    """Hide each message from every worker for so many seconds from now: 0 hands it back, at most 43,200."""
    for batch in _batches(seconds.items()):
        with errors("change the visibility of messages"):
            answer = consumer().change_message_visibility_batch(
                QueueUrl=queue_url or url(),
                Entries=[
                    {"Id": str(i), "ReceiptHandle": message.handle, "VisibilityTimeout": wait}
                    for i, (message, wait) in enumerate(batch)
                ],
            )
        _log_failures("hide", [message for message, _ in batch], answer)


def park(message: Received, cause: str) -> None:
    """Move a message to the DLQ with its cause. A crash in between leaves it in both, never in none."""
    with errors("park a message"):
        consumer().send_message(
            QueueUrl=dead_letter_url(),
            MessageBody=message.body,
            MessageAttributes=_attributes(cause=cause[:CAUSE_LENGTH], messageId=message.id, trace=message.trace),
        )
    delete([message])


def _log_failures(deed: str, batch: list[Received], answer: dict) -> None:
    for entry in answer.get("Failed", []):
        log.warning("SQS did not %s message %s: %s", deed, batch[int(entry["Id"])].id, entry["Code"])
