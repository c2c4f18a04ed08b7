"""Examine what the shop stands on, and say of each thing that it is well or what to do; looking changes nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr, parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tickets import provisioning, queue
from tickets.emails import Mailer, MailServerDown
from tickets.models import Ticket
from tickets.outages import DatabaseDown

SKEW_SECONDS = 60  # AWS refuses a signature whose time is 5 minutes off
LATE = timedelta(seconds=60)  # Due for so long, a ticket waits for a worker: the relay looks every 5 s.
DENIED = {"AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied", "KmsAccessDenied"}


class Verdict(StrEnum):
    OK = "ok"
    BAD = "bad"


class Finding(NamedTuple):
    verdict: Verdict
    subject: str
    words: str  # what was seen; of what is bad also what to do


class Role(StrEnum):
    """Name whose permissions to try: in AWS the web server and the worker have roles of their own."""

    WEB = "web"
    WORKER = "worker"
    ALL = "all"


@dataclass(frozen=True)
class Permission:
    action: str
    roles: tuple[Role, ...]
    try_out: Callable[[str], object]
    on_dlq: bool = False


def _send(url: str):
    return queue.consumer().send_message_batch(QueueUrl=url, Entries=[])


def _receive(url: str):
    return queue.consumer().receive_message(QueueUrl=url, MaxNumberOfMessages=0, WaitTimeSeconds=0, VisibilityTimeout=0)


def _delete(url: str):
    return queue.consumer().delete_message_batch(QueueUrl=url, Entries=[{"Id": "1", "ReceiptHandle": "none"}])


def _hide(url: str):
    entry = {"Id": "1", "ReceiptHandle": "none", "VisibilityTimeout": 0}
    return queue.consumer().change_message_visibility_batch(QueueUrl=url, Entries=[entry])


# Each is a call that SQS must refuse, for its content, if it may be made at all: no message is sent, received or lost.
PERMISSIONS = (
    Permission("sqs:SendMessage", (Role.WEB, Role.WORKER), _send),  # The worker has the relay.
    Permission("sqs:ReceiveMessage", (Role.WORKER,), _receive),
    Permission("sqs:DeleteMessage", (Role.WORKER,), _delete),
    Permission("sqs:ChangeMessageVisibility", (Role.WORKER,), _hide),
    Permission("sqs:SendMessage", (Role.WORKER,), _send, on_dlq=True),
    # What the dashboard looks at parked messages with, and sends them on their way again.
    Permission("sqs:ReceiveMessage", (Role.WEB,), _receive, on_dlq=True),
    Permission("sqs:DeleteMessage", (Role.WEB,), _delete, on_dlq=True),
    Permission("sqs:ChangeMessageVisibility", (Role.WEB,), _hide, on_dlq=True),
)


def examine(role: Role = Role.ALL) -> Iterator[Finding]:
    """Yield what is found, one thing after the other: queue, database, mail server, addresses."""
    try:
        yield from _queue(role)
    except queue.QueueError as error:
        yield _bad("queue", str(error))
    yield from _database()
    yield _mail_server()
    yield from _addresses()


def _queue(role: Role) -> Iterator[Finding]:
    description = provisioning.describe()
    yield _ok("queue", f"{description.url}, messages: {description.depth}")
    yield from _knobs(description)
    yield _dead_letters(description.dead_letters)
    yield from _permissions(description, role)
    yield _clock()


def _ok(subject: str, words: str) -> Finding:
    return Finding(Verdict.OK, subject, words)


def _bad(subject: str, words: str) -> Finding:
    return Finding(Verdict.BAD, subject, words)


def _knobs(description: provisioning.Description) -> Iterator[Finding]:
    dead = description.dead_letters
    wanted = provisioning.queue_attributes(dead.arn if dead else "")
    if dead is None:
        del wanted["RedrivePolicy"]
    yield from _compare("queue", description, wanted)
    if dead:
        wanted = provisioning.dlq_attributes() | provisioning.redrive_allowed_from(description.arn)
        yield from _compare("DLQ", dead, wanted)


def _compare(name: str, description: provisioning.Description, wanted: dict[str, str]) -> Iterator[Finding]:
    found = description.attributes
    drifted = provisioning.drift(found, wanted)
    if found.get("KmsMasterKeyId"):  # Encrypted with a key of one's own: as good, and SQS then says false.
        drifted.pop("SqsManagedSseEnabled", None)
    for key, value in wanted.items():
        if key in drifted:
            have = found.get(key, "not set")
            yield _bad(f"{name}, {key}", f"{have}, should be {value}: run `manage.py queue create`")
        else:
            yield _ok(f"{name}, {key}", found[key])


def _dead_letters(dead: provisioning.Description | None) -> Finding:
    if dead is None:
        return _bad("DLQ", "there is none: run `manage.py queue create`")
    if dead.depth:
        return _bad("DLQ", f"parked messages: {dead.depth}. `manage.py queue peek --dlq` shows their causes")
    return _ok("DLQ", "empty")


def _permissions(description: provisioning.Description, role: Role) -> Iterator[Finding]:
    for permission in PERMISSIONS:
        target = description.dead_letters if permission.on_dlq else description
        if target is None or role not in (Role.ALL, *permission.roles):
            continue
        subject = f"{permission.action} on the {'DLQ' if permission.on_dlq else 'queue'}"
        try:
            with queue.errors(f"try {subject}"):
                permission.try_out(target.url)
        except queue.QueueRefused as error:
            if error.code in DENIED:
                yield _bad(subject, f"denied: allow it in the policy of these credentials, on {target.arn}")
                continue
        yield _ok(subject, "allowed")


def _clock() -> Finding:
    with queue.errors("read the time"):
        answer = queue.consumer().get_queue_attributes(QueueUrl=queue.url(), AttributeNames=["QueueArn"])
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not said:
        return _ok("clock", "SQS doesn't tell the time")
    seconds = abs(datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds()
    if seconds > SKEW_SECONDS:
        return _bad("clock", f"{seconds:.0f} s off SQS's: set it by NTP, AWS refuses signatures 300 s off")
    return _ok("clock", "agrees with SQS's")


def _database() -> Iterator[Finding]:
    try:
        executor = MigrationExecutor(connection)
        if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
            yield _bad("database", f"migrations not applied: {len(plan)}. Run `manage.py migrate`")
            return
        yield _ok("database", "answers, and its tables are up to date")
        late = Ticket.objects.overdue(LATE).count()
    except DatabaseDown as error:
        yield _bad("database", f"{str(error).strip()}: check that it runs, and DATABASE_URL")
        return
    if late:
        yield _bad("outbox", f"tickets waiting to be published: {late}. Is a worker running? `manage.py queue work`")
    else:
        yield _ok("outbox", "nothing waits for longer than a minute")


def _mail_server() -> Finding:
    mailer = Mailer()
    try:
        mailer.probe()
    except MailServerDown as error:
        return _bad("mail server", f"{error}: check that it runs, and EMAIL_URL")
    finally:
        mailer.drop()
    return _ok("mail server", "answers")


def _addresses() -> Iterator[Finding]:
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    for name, host in (("SITE_URL", urlsplit(settings.SITE_URL).hostname), ("DEFAULT_FROM_EMAIL", domain)):
        if host in ("localhost", "127.0.0.1", "::1") and not settings.DEBUG:
            yield _bad(name, f"{host}: no buyer can reach that, set it to the shop's own")
        else:
            yield _ok(name, host)
