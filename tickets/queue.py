"""Speak to Amazon SQS: the only module that imports boto3.

Its callers see plain values and one exception, QueueError. Nothing here knows of tickets or of the database.
"""

import functools
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from tickets import trace

log = logging.getLogger(__name__)

BATCH = 10  # entries in one call, at most: SQS quotas
MAX_RECEIVE_COUNT = 5  # Lambda guide: at least 5, or a throttled function parks good messages
VISIBILITY_SECONDS = 180  # Lambda guide: six times the function's timeout of 30 s
RETENTION_SECONDS = 4 * 24 * 3600
# A standard queue's DLQ keeps the original timestamp, so it must outlast the queue by what an operator needs.
DLQ_RETENTION_SECONDS = 14 * 24 * 3600
LONG_POLL_SECONDS = 20  # SQS guide: the longest poll is the cheapest
CAUSE_LENGTH = 500  # characters of a cause kept on a parked message


class QueueError(Exception):
    """Say why the queue did not do what was asked, in a sentence for the operator."""


class QueueMissing(QueueError):
    pass


@dataclass(frozen=True)
class Received:
    """Hold a message as a worker gets it: `receive_count` is 1 the first time."""

    id: str
    body: str
    handle: str = field(repr=False)
    receive_count: int
    trace: str = ""  # trace id, where the message has a sound one


@dataclass(frozen=True)
class Description:
    """Hold a queue's state; the three depths are SQS's approximations."""

    url: str
    arn: str
    waiting: int
    in_flight: int
    delayed: int
    attributes: dict[str, str]
    dead_letters: "Description | None" = None

    @property
    def depth(self) -> int:
        return self.waiting + self.in_flight + self.delayed

    @property
    def visibility_seconds(self) -> int:
        return int(self.attributes["VisibilityTimeout"])

    @property
    def max_receive_count(self) -> int | None:
        policy = json.loads(self.attributes.get("RedrivePolicy", "{}"))
        return int(policy["maxReceiveCount"]) if policy else None


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
def _errors(doing: str) -> Iterator[None]:
    """Turn what boto3 raises into one QueueError whose words name the deed and the cause."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}:
            raise QueueMissing(
                f"can't {doing}: there is no queue {_name()!r}. Make it with `manage.py queue create`, "
                "or set SQS_QUEUE_URL to the one you have."
            ) from error
        raise QueueError(f"can't {doing}: SQS answered {code}: {error.response['Error'].get('Message', '')}") from error
    except BotoCoreError as error:  # No endpoint, no answer, no credentials, no region.
        raise QueueError(f"can't {doing}: {error}") from error


def _name() -> str:
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
        raise QueueError(f"queue {_name()!r} has no dead-letter queue. `manage.py queue create` gives it one.")
    arn = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
    return client.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]


def forget() -> None:
    """Forget clients and addresses, for whoever changes the settings or the environment."""
    for cached in (producer, consumer, url, dead_letter_url):
        cached.cache_clear()


# --- The sender's side ----------------------------------------------------------------------------


def send(bodies: Sequence[dict], traces: Sequence[str] = ()) -> list[str | QueueError]:
    """Send one message a body, with its trace id if there are any; return in order each one's message id, or error.

    Raise QueueError where a whole call failed: what an earlier call of ten sent is then sent, and is sent again by
    whoever repeats this; the ledger mails it once.
    """
    results: list[str | QueueError] = []
    for batch in _batches(zip(bodies, traces or [""] * len(bodies), strict=True)):
        with _errors("publish"):
            answer = producer().send_message_batch(
                QueueUrl=url(),
                Entries=[
                    {
                        "Id": str(i),
                        "MessageBody": json.dumps(body, ensure_ascii=False),
                        "MessageAttributes": _attributes(trace=trace_id),
                    }
                    for i, (body, trace_id) in enumerate(batch)
                ],
            )
        sent = {entry["Id"]: entry["MessageId"] for entry in answer.get("Successful", [])}
        failed = {
            entry["Id"]: QueueError(f"SQS refused the entry: {entry['Code']}: {entry.get('Message', '')}")
            for entry in answer.get("Failed", [])
        }
        # An entry that the answer forgets is not sent, as far as anybody can know.
        results += [sent.get(str(i)) or failed.get(str(i)) or QueueError("no answer") for i in range(len(batch))]
    return results


def ping() -> None:
    """Ask SQS for the queue, with the web's own client and permissions, or raise QueueError (12 s later at worst)."""
    with _errors("reach the queue"):
        producer().get_queue_attributes(QueueUrl=url(), AttributeNames=["QueueArn"])


def _attributes(**texts: str) -> dict:
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items() if text}


# --- The worker's side ----------------------------------------------------------------------------


def receive(wait_seconds: int, limit: int = BATCH) -> list[Received]:
    """Wait up to `wait_seconds` for messages and return up to ten; each is hidden for the visibility timeout."""
    with _errors("receive"):
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


def delete(messages: Iterable[Received]) -> None:
    """Delete messages whose work is done; one that stays comes again and is found done, so that is only logged."""
    for batch in _batches(messages):
        with _errors("delete"):
            answer = consumer().delete_message_batch(
                QueueUrl=url(), Entries=[{"Id": str(i), "ReceiptHandle": m.handle} for i, m in enumerate(batch)]
            )
        _log_failures("delete", batch, answer)


def hide(seconds: dict[Received, int]) -> None:
    """Hide each message from every worker for so many seconds from now: 0 hands it back, at most 43,200."""
    for batch in _batches(seconds.items()):
        with _errors("change the visibility of messages"):
            answer = consumer().change_message_visibility_batch(
                QueueUrl=url(),
                Entries=[
                    {"Id": str(i), "ReceiptHandle": message.handle, "VisibilityTimeout": wait}
                    for i, (message, wait) in enumerate(batch)
                ],
            )
        _log_failures("hide", [message for message, _ in batch], answer)


def park(message: Received, cause: str) -> None:
    """Move a message to the DLQ with its cause. A crash in between leaves it in both, never in none."""
    with _errors("park a message"):
        consumer().send_message(
            QueueUrl=dead_letter_url(),
            MessageBody=message.body,
            MessageAttributes=_attributes(cause=cause[:CAUSE_LENGTH], messageId=message.id, trace=message.trace),
        )
    delete([message])


def _log_failures(deed: str, batch: list[Received], answer: dict) -> None:
    for entry in answer.get("Failed", []):
        log.warning("SQS did not %s message %s: %s", deed, batch[int(entry["Id"])].id, entry["Code"])


# --- The operator's side --------------------------------------------------------------------------


def describe() -> Description:
    """Read the state of the queue and of its DLQ."""
    with _errors("describe the queue"):
        description = _describe(url())
        arn = json.loads(description.attributes.get("RedrivePolicy", "{}")).get("deadLetterTargetArn")
        if not arn:
            return description
        return replace(description, dead_letters=_describe(dead_letter_url()))


def _describe(queue_url: str) -> Description:
    attributes = consumer().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    return Description(
        url=queue_url,
        arn=attributes["QueueArn"],
        waiting=int(attributes["ApproximateNumberOfMessages"]),
        in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
        attributes=attributes,
    )


def create() -> tuple[str, list[str]]:
    """Make the queue and its DLQ, or mend them; return the queue's URL and a line for each thing done."""
    done: list[str] = []
    with _errors("create the queue"):
        dlq_url = _ensure(f"{_name()}-dlq", dlq_attributes(), done)
        dlq_arn = _arn(dlq_url)
        queue_url = _ensure(_name(), queue_attributes(dlq_arn), done)
        # Only now is the queue's ARN known, which alone may use this DLQ.
        allow = {"redrivePermission": "byQueue", "sourceQueueArns": [_arn(queue_url)]}
        _ensure(f"{_name()}-dlq", {"RedriveAllowPolicy": json.dumps(allow)}, done)
    forget()
    return queue_url, done


def queue_attributes(dlq_arn: str) -> dict[str, str]:
    """Give the queue's knobs; template.yml sets the same."""
    return {
        "VisibilityTimeout": str(VISIBILITY_SECONDS),
        "MessageRetentionPeriod": str(RETENTION_SECONDS),
        "ReceiveMessageWaitTimeSeconds": str(LONG_POLL_SECONDS),
        "SqsManagedSseEnabled": "true",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": MAX_RECEIVE_COUNT}),
    }


def dlq_attributes() -> dict[str, str]:
    return {"MessageRetentionPeriod": str(DLQ_RETENTION_SECONDS), "SqsManagedSseEnabled": "true"}


def _arn(queue_url: str) -> str:
    answer = consumer().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def _ensure(name: str, wanted: dict[str, str], done: list[str]) -> str:
    client = consumer()
    try:
        queue_url = client.get_queue_url(QueueName=name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist:
        done.append(f"created {name}")
        return client.create_queue(QueueName=name, Attributes=wanted)["QueueUrl"]
    found = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    drifted = {key: value for key, value in wanted.items() if not _same(found.get(key), value)}
    if drifted:
        client.set_queue_attributes(QueueUrl=queue_url, Attributes=drifted)
        done += [f"{name}: {key} was {found.get(key, 'not set')}, is {value}" for key, value in drifted.items()]
    return queue_url


def _same(found: str | None, wanted: str) -> bool:
    if found is None:
        return False
    # Policies come back with their keys in another order, and a count as a number or as a string.
    return found == wanted or (wanted.startswith("{") and _plain(found) == _plain(wanted))


def _plain(policy: str) -> dict:
    return {key: value if isinstance(value, list) else str(value) for key, value in json.loads(policy).items()}
