"""Look at messages without consuming them, and send those in the DLQ on their way again, or drop them.

SQS has no way to look: a message is received, which hides it from others, and handed back. So looking adds one to its
receive count. In the DLQ nothing follows from that; in the queue it is one of the tries that a message has. How long
SQS keeps a message is told by when it was first sent, and never changed by looking.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

import structlog

from tickets import privacy, purchases, queue, trace
from tickets.queue import QueueError, Received

log = structlog.get_logger(__name__)

HIDDEN_SECONDS = 300  # if we die with messages in hand, they are back after that; 100,000 are gone through in it
POLL_SECONDS = 1  # a long poll asks all of SQS's servers, a short one some of them


@dataclass(frozen=True)
class Letter(Received):
    """Hold a message as one sees it who looks."""

    cause: str = ""  # empty where SQS itself moved it, after too many receives
    origin: str = ""  # its id while it was in the queue
    sent_at: datetime | None = None
    kept_until: datetime | None = None

    @property
    def ticket_id(self) -> UUID | None:
        try:
            return purchases.read_message(self.body)
        except purchases.NotOurs:
            return None

    @property
    def masked(self) -> str:
        """Give the body without what tells who the owner is; of one that is none of ours, its length alone."""
        if self.ticket_id is None:
            return f"… ({len(self.body)} characters)"
        body = json.loads(self.body)
        return json.dumps(
            {**body, "name": f"{body['name'][0]}…", "email": privacy.mask(body["email"])}, ensure_ascii=False
        )


Select = Callable[[Letter], bool]


def everything(_: Letter) -> bool:
    return True


def by_cause(words: str) -> Select:
    """Select those whose cause has `words` in it, in capitals or not."""
    return lambda letter: words.lower() in letter.cause.lower()


def by_id(*ids: str) -> Select:
    """Select by the id of the message, of what it was in the queue, or of the ticket."""
    wanted = {id.lower() for id in ids}
    return lambda letter: not wanted.isdisjoint({letter.id, letter.origin, str(letter.ticket_id)})


def browse(limit: int | None = 100, select: Select = everything, of_queue: bool = False) -> list[Letter]:
    """Look at messages of the DLQ, or of the queue; they stay, hidden from others for as long as this takes."""
    held: dict[str, Letter] = {}
    queue_url = _url(of_queue)
    try:
        letters = (letter for batch in _receive_all(queue_url, held) for letter in batch if select(letter))
        return list(islice(letters, limit))
    finally:
        _hand_back(queue_url, held)


def redrive(select: Select, maximum: int | None = None) -> Iterator[tuple[Letter, str | QueueError]]:
    """Send messages of the DLQ to the queue again, and yield each with its new id, or with why it stays.

    Sent first, deleted then: whatever fails in between leaves it in both, never in none, and the ledger mails a ticket
    once. A parked ticket can be claimed again; a mailed one's message ends without a mail. What is parked once more
    while this runs is left, lest it go round for ever. Raise QueueError where SQS can't be reached.
    """
    held: dict[str, Letter] = {}
    queue_url, sent, left = _url(), set(), maximum
    try:
        for batch in _receive_all(queue_url, held):
            chosen = [letter for letter in batch if select(letter) and letter.origin not in sent][:left]
            if not chosen:
                continue
            answers = _send(chosen)
            gone = [letter for letter, answer in zip(chosen, answers, strict=True) if isinstance(answer, str)]
            sent |= {answer for answer in answers if isinstance(answer, str)}
            _delete(queue_url, gone, held)
            for letter, answer in zip(chosen, answers, strict=True):
                log.info("redriven", message=letter.id, trace=letter.trace, to=str(answer))
            yield from zip(chosen, answers, strict=True)
            left = None if left is None else left - len(chosen)
            if left == 0:
                return
    finally:
        _hand_back(queue_url, held)


def drop(select: Select, reason: str) -> list[Letter]:
    """Delete messages of the DLQ for ever, and say why in the log. Their tickets stay parked, with their cause."""
    held: dict[str, Letter] = {}
    queue_url, dropped = _url(), []
    try:
        for batch in _receive_all(queue_url, held):
            chosen = [letter for letter in batch if select(letter)]
            for letter in chosen:
                log.warning(
                    "dropped", message=letter.id, ticket=str(letter.ticket_id), cause=letter.cause, reason=reason
                )
            _delete(queue_url, chosen, held)
            dropped += chosen
    finally:
        _hand_back(queue_url, held)
    return dropped


def _url(of_queue: bool = False) -> str:
    with queue.errors("look at messages"):
        return queue.url() if of_queue else queue.dead_letter_url()


def _receive_all(queue_url: str, held: dict[str, Letter]) -> Iterator[list[Letter]]:
    """Receive batch after batch until there is nothing new, and keep in `held` what has to be handed back."""
    seen: set[str] = set()
    with queue.errors("look at messages"):
        answer = queue.consumer().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["MessageRetentionPeriod"])
    retention = timedelta(seconds=int(answer["Attributes"]["MessageRetentionPeriod"]))
    while True:
        with queue.errors("look at messages"):
            answer = queue.consumer().receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=queue.BATCH,
                WaitTimeSeconds=POLL_SECONDS,
                VisibilityTimeout=HIDDEN_SECONDS,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageAttributeNames=["cause", "messageId", "trace"],
            )
        batch = [_letter(message, retention) for message in answer.get("Messages", [])]
        held |= {letter.id: letter for letter in batch}
        new = [letter for letter in batch if letter.id not in seen]
        if not new:  # The end, or those come round that we have hidden for too long.
            return
        seen |= {letter.id for letter in new}
        yield new


def _letter(message: dict, retention: timedelta) -> Letter:
    texts = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    return Letter(
        id=message["MessageId"],
        body=message["Body"],
        handle=message["ReceiptHandle"],
        receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
        trace=trace.checked(texts.get("trace")),
        cause=texts.get("cause", ""),
        origin=texts.get("messageId") or message["MessageId"],
        sent_at=sent_at,
        kept_until=sent_at + retention,
    )


def _send(letters: list[Letter]) -> list[str | QueueError]:
    return queue.send([queue.Message(letter.body, letter.trace) for letter in letters])


def _delete(queue_url: str, letters: list[Letter], held: dict[str, Letter]) -> None:
    queue.delete(letters, queue_url)
    for letter in letters:
        del held[letter.id]


def _hand_back(queue_url: str, held: dict[str, Letter]) -> None:
    letters: Iterable[Letter] = held.values()
    try:
        queue.hide(dict.fromkeys(letters, 0), queue_url)
    except QueueError as error:
        log.warning("messages come back by themselves", seconds=HIDDEN_SECONDS, messages=len(held), cause=str(error))
