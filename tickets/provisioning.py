"""Describe the queue and its DLQ, and bring them to what the shop needs; template.yml makes the same in AWS."""

import json
from dataclasses import dataclass, replace

from tickets import queue

MAX_RECEIVE_COUNT = 5  # Lambda guide: at least 5, or a throttled function parks good messages
VISIBILITY_SECONDS = 180  # Lambda guide: six times the function's timeout of 30 s
RETENTION_SECONDS = 4 * 24 * 3600
# A standard queue's DLQ keeps the original timestamp, so it must outlast the queue by what an operator needs.
DLQ_RETENTION_SECONDS = 14 * 24 * 3600


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


def describe() -> Description:
    """Read the state of the queue and of its DLQ."""
    with queue.errors("describe the queue"):
        description = _describe(queue.url())
        arn = json.loads(description.attributes.get("RedrivePolicy", "{}")).get("deadLetterTargetArn")
        if not arn:
            return description
        return replace(description, dead_letters=_describe(queue.dead_letter_url()))


def _describe(queue_url: str) -> Description:
    attributes = queue.consumer().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
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
    with queue.errors("create the queue"):
        dlq_url = _ensure(f"{queue.name()}-dlq", dlq_attributes(), done)
        dlq_arn = _arn(dlq_url)
        queue_url = _ensure(queue.name(), queue_attributes(dlq_arn), done)
        # Only now is the queue's ARN known, which alone may use this DLQ.
        _ensure(f"{queue.name()}-dlq", redrive_allowed_from(_arn(queue_url)), done)
    queue.forget()
    return queue_url, done


def purge() -> None:
    """Empty the queue, not its DLQ; a message that is received while this runs may still be worked on."""
    with queue.errors("purge the queue"):
        queue.consumer().purge_queue(QueueUrl=queue.url())


def queue_attributes(dlq_arn: str) -> dict[str, str]:
    """Give the queue's knobs; template.yml sets the same."""
    return {
        "VisibilityTimeout": str(VISIBILITY_SECONDS),
        "MessageRetentionPeriod": str(RETENTION_SECONDS),
        "ReceiveMessageWaitTimeSeconds": str(queue.LONG_POLL_SECONDS),
        "SqsManagedSseEnabled": "true",
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": MAX_RECEIVE_COUNT}),
    }


def dlq_attributes() -> dict[str, str]:
    return {"MessageRetentionPeriod": str(DLQ_RETENTION_SECONDS), "SqsManagedSseEnabled": "true"}


def redrive_allowed_from(queue_arn: str) -> dict[str, str]:
    policy = {"redrivePermission": "byQueue", "sourceQueueArns": [queue_arn]}
    return {"RedriveAllowPolicy": json.dumps(policy)}


def drift(found: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    """Give those of the `wanted` attributes that a queue has otherwise, or not at all."""
    return {key: value for key, value in wanted.items() if not _same(found.get(key), value)}


def _arn(queue_url: str) -> str:
    answer = queue.consumer().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def _ensure(name: str, wanted: dict[str, str], done: list[str]) -> str:
    client = queue.consumer()
    try:
        queue_url = client.get_queue_url(QueueName=name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist:
        done.append(f"created {name}")
        return client.create_queue(QueueName=name, Attributes=wanted)["QueueUrl"]
    found = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    if drifted := drift(found, wanted):
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
