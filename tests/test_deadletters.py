import json
from datetime import UTC, datetime, timedelta

import pytest

from tickets import deadletters, provisioning, queue
from tickets.deadletters import browse, by_cause, by_id, drop, everything, redrive
from tickets.models import Ticket
from tickets.purchases import Owner, buy, publish
from tickets.worker import Worker

TICKET = "80527d99-4ce1-4bad-9e12-2e3a95e0a79"  # and a digit


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch):
    monkeypatch.setattr(deadletters, "POLL_SECONDS", 0)  # This SQS is one server.


def _body(i) -> dict:
    return {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "gigId": "nirvana-cork-1991",
        "ticketId": f"{TICKET}{i}",
    }


@pytest.fixture
def parked(sqs):
    """Park three messages, two for one cause; give their ids while they were in the queue."""
    ids = queue.send([queue.Message(_body(i), trace="a" * 32) for i in range(3)])
    for message in queue.receive(wait_seconds=0):
        queue.park(message, "no such gig" if message.id == ids[2] else "the mail was refused: 550 unknown")
    return ids


def _depths() -> tuple[int, int]:
    description = provisioning.describe()
    return description.waiting, description.dead_letters.waiting


def _origins(letters) -> set[str]:
    return {letter.origin for letter in letters}


def test_looking_consumes_nothing_and_is_counted(parked):
    letters = browse()
    assert (_origins(letters), [letter.receive_count for letter in letters]) == (set(parked), [1] * 3)
    assert _depths() == (0, 3)
    assert [letter.receive_count for letter in browse()] == [2] * 3


def test_a_message_tells_its_cause_its_ticket_its_age_and_its_end(parked):
    [letter] = browse(select=by_cause("NO SUCH gig"))
    assert (letter.cause, str(letter.ticket_id), letter.trace) == ("no such gig", f"{TICKET}2", "a" * 32)
    assert json.loads(letter.body) == _body(2)
    assert abs(datetime.now(UTC) - letter.sent_at) < timedelta(minutes=1)
    assert letter.kept_until - letter.sent_at == timedelta(days=14)


def test_masked_it_names_nobody(parked, sqs):
    assert json.loads(browse(select=by_id(parked[0]))[0].masked) == {
        **_body(0),
        "name": "A…",
        "email": "a…@example.com",
    }
    sqs.send_message(QueueUrl=queue.dead_letter_url(), MessageBody="Ada Lovelace lives at 12 St James's Square")
    assert {letter.masked for letter in browse() if letter.ticket_id is None} == {"… (42 characters)"}


def test_no_more_than_the_limit_are_returned_and_all_are_handed_back(parked):
    assert len(browse(limit=2)) == 2
    assert _depths() == (0, 3)


def test_more_than_ten_are_each_seen_once(sqs):
    for i in range(25):
        sqs.send_message(QueueUrl=queue.dead_letter_url(), MessageBody=str(i))
    assert sorted(int(letter.body) for letter in browse()) == list(range(25))


def test_the_queue_can_be_looked_at_too(sqs):
    [message_id] = queue.send([queue.Message(_body(0))])
    [letter] = browse(of_queue=True)
    assert (letter.id, letter.origin, letter.cause, _depths()) == (message_id, message_id, "", (1, 0))


@pytest.mark.parametrize(
    ("select", "number"),
    [
        (lambda ids: everything, 3),
        (lambda ids: by_cause("550"), 2),
        (lambda ids: by_id(ids[0]), 1),
        (lambda ids: by_id(f"{TICKET}1", ids[2]), 2),
        (lambda ids: by_id("none of them"), 0),
    ],
    ids=["all", "by cause", "by message", "by ticket and message", "none"],
)
def test_what_is_selected_goes_back_to_the_queue(parked, select, number):
    done = list(redrive(select(parked)))
    messages = queue.receive(wait_seconds=0)
    assert {(m.id, m.body, m.trace) for m in messages} == {(sent, was.body, was.trace) for was, sent in done}
    assert (len(messages), _depths()[1]) == (number, 3 - number)


def test_no_more_than_the_maximum_goes_back(parked):
    assert len(list(redrive(everything, maximum=2))) == 2
    assert _depths() == (2, 1)


def test_whoever_stops_in_the_middle_loses_nothing(sqs):
    for i in range(25):
        sqs.send_message(QueueUrl=queue.dead_letter_url(), MessageBody=str(i))
    progress = redrive(everything)
    next(progress)
    progress.close()
    assert _depths() == (10, 15)


def test_an_entry_that_sqs_refuses_stays(parked):
    def refuse_the_first(parsed, **_):
        entry = parsed["Successful"].pop(0)
        parsed["Failed"] = [{"Id": entry["Id"], "Code": "InternalError", "Message": "try again", "SenderFault": False}]

    queue.producer().meta.events.register("after-call.sqs.SendMessageBatch", refuse_the_first)
    answers = [answer for _, answer in redrive(everything)]
    assert (str(answers[0]), len(answers)) == ("SQS refused the entry: InternalError: try again", 3)
    assert _depths()[1] == 1


def test_sqs_away_before_the_delete_leaves_it_in_both(parked, monkeypatch):
    def fail(**_):
        raise queue.BotoCoreError

    monkeypatch.setattr(queue.consumer(), "delete_message_batch", fail)
    with pytest.raises(queue.QueueError, match="can't delete"):
        list(redrive(by_id(parked[0])))
    assert _depths() == (1, 3)


def test_what_is_parked_once_more_meanwhile_does_not_go_round(parked):
    rounds = 0
    for _ in redrive(everything):
        rounds += 1
        for message in queue.receive(wait_seconds=0):
            queue.park(message, "still no such gig")
    assert (rounds, _depths()) == (3, (0, 3))


def test_what_is_dropped_is_gone_and_the_log_says_why(parked, logs):
    assert _origins(drop(by_id(parked[2]), "its gig was a test")) == {parked[2]}
    assert _depths() == (0, 2)
    assert logs("cause", "reason", event="dropped") == [("no such gig", "its gig was a test")]


def test_a_queue_without_a_dlq_says_so(sqs):
    sqs.set_queue_attributes(QueueUrl=queue.url(), Attributes={"RedrivePolicy": ""})
    with pytest.raises(queue.QueueError, match="has no dead-letter queue"):
        browse()


@pytest.mark.django_db(transaction=True)
def test_a_parked_ticket_is_mailed_once_it_is_redriven_and_twins_mail_it_once(gig, sqs, mailoutbox):
    [ticket] = buy(gig, [Owner("Ada", "ada@example.com")], "token").tickets
    publish([ticket])
    [message] = queue.receive(wait_seconds=0)
    Ticket.objects.claim([ticket.pk], timedelta(seconds=60))[0].park("the mail was refused")
    queue.park(message, "the mail was refused")
    sqs.send_message(QueueUrl=queue.dead_letter_url(), MessageBody=message.body)
    assert len(list(redrive(by_id(str(ticket.pk))))) == 2
    Worker().run(batch=True)
    assert (len(mailoutbox), Ticket.objects.mailed().count(), _depths()) == (1, 1, (0, 0))
