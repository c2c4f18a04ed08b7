import json
from dataclasses import replace

import boto3
import pytest

from tickets import provisioning, queue

BODY = {"name": "Zoë 🎸", "email": "zoe@example.com", "gigId": "nirvana-cork-1991", "ticketId": "t1"}
MESSAGE = queue.Message(BODY)


def _receive_one():
    [message] = queue.receive(wait_seconds=0)
    return message


def test_a_message_sent_is_received_to_the_letter(sqs):
    [message_id] = queue.send([MESSAGE])
    message = _receive_one()
    assert message == queue.Received(
        id=message_id, body=json.dumps(BODY, ensure_ascii=False), handle=message.handle, receive_count=1
    )


def test_a_handle_never_stands_in_a_log_line(sqs):
    queue.send([MESSAGE])
    message = _receive_one()
    assert message.handle not in repr(message)


def test_more_than_ten_messages_go_in_calls_of_ten_and_answers_keep_their_order(sqs):
    bodies = [{**BODY, "ticketId": str(i)} for i in range(23)]
    ids = queue.send([queue.Message(body) for body in bodies])
    received = []
    while batch := queue.receive(wait_seconds=0):
        received += batch
        queue.delete(batch)
    assert {message.id: json.loads(message.body)["ticketId"] for message in received} == {
        message_id: str(i) for i, message_id in enumerate(ids)
    }


def test_nothing_to_send_makes_no_call():
    assert queue.send([]) == []


def test_a_refused_entry_has_its_own_error_and_its_neighbours_their_ids(sqs):
    def refuse_the_second(parsed, **_):
        del parsed["Successful"][1]
        parsed["Failed"] = [{"Id": "1", "Code": "InternalError", "Message": "try again", "SenderFault": False}]

    queue.producer().meta.events.register("after-call.sqs.SendMessageBatch", refuse_the_second)
    first, second, third = queue.send([MESSAGE, MESSAGE, MESSAGE])
    assert (type(first), type(third)) == (str, str)
    assert (type(second), str(second)) == (queue.QueueError, "SQS refused the entry: InternalError: try again")


def test_an_entry_that_the_answer_forgets_is_not_sent(sqs):
    queue.producer().meta.events.register(
        "after-call.sqs.SendMessageBatch", lambda parsed, **_: parsed["Successful"].pop()
    )
    first, second = queue.send([MESSAGE, MESSAGE])
    assert (type(first), type(second)) == (str, queue.QueueError)


def test_a_deleted_message_does_not_come_again(sqs):
    queue.send([MESSAGE])
    message = _receive_one()
    queue.hide({message: 0})
    queue.delete([message])
    assert queue.receive(wait_seconds=0) == []


def test_a_message_handed_back_comes_at_once_and_counts(sqs):
    queue.send([MESSAGE])
    queue.hide({_receive_one(): 0})
    assert _receive_one().receive_count == 2


def test_a_message_is_hidden_from_the_others_while_it_is_worked_on(sqs):
    queue.send([MESSAGE])
    _receive_one()
    assert queue.receive(wait_seconds=0) == []


def test_a_parked_message_stands_in_the_dlq_with_its_cause_and_nowhere_else(sqs):
    queue.send([MESSAGE])
    message = _receive_one()
    queue.park(message, "not a JSON object")
    [parked] = sqs.receive_message(QueueUrl=queue.dead_letter_url(), MessageAttributeNames=["All"])["Messages"]
    causes = {name: value["StringValue"] for name, value in parked["MessageAttributes"].items()}
    assert (parked["Body"], causes) == (message.body, {"cause": "not a JSON object", "messageId": message.id})
    assert provisioning.describe().depth == 0


def test_deleting_what_the_queue_no_longer_knows_is_logged_not_raised(sqs, caplog):
    queue.send([MESSAGE])
    message = replace(_receive_one(), handle="gone")
    queue.delete([message])
    assert caplog.messages == [f"SQS did not delete message {message.id}: ReceiptHandleIsInvalid"]


# --- clients and addresses --------------------------------------------------------------------------


def test_a_missing_queue_says_how_to_make_it(sqs, settings):
    settings.SQS_QUEUE_NAME = "elsewhere"
    queue.forget()
    with pytest.raises(queue.QueueMissing) as error:
        queue.send([MESSAGE])
    assert str(error.value) == (
        "can't publish: there is no queue 'elsewhere'. Make it with `manage.py queue create`, "
        "or set SQS_QUEUE_URL to the one you have."
    )


def test_publishing_never_creates_a_queue(sqs, settings):
    settings.SQS_QUEUE_NAME = "elsewhere"
    queue.forget()
    with pytest.raises(queue.QueueMissing):
        queue.send([MESSAGE])
    assert {url.rsplit("/", 1)[-1] for url in sqs.list_queues()["QueueUrls"]} == {
        "timelessmusic-purchase",
        "timelessmusic-purchase-dlq",
    }


def test_a_queue_without_a_dlq_says_so(sqs):
    sqs.set_queue_attributes(QueueUrl=queue.url(), Attributes={"RedrivePolicy": ""})
    queue.send([MESSAGE])
    with pytest.raises(queue.QueueError, match="has no dead-letter queue"):
        queue.park(_receive_one(), "why")


def test_the_url_is_looked_up_once(sqs):
    queue.forget()
    calls = []
    queue.producer().meta.events.register("before-call.sqs.GetQueueUrl", lambda **_: calls.append(1))
    queue.send([MESSAGE])
    queue.send([MESSAGE])
    assert calls == [1]


def test_a_set_url_is_never_looked_up(sqs, settings):
    settings.SQS_QUEUE_URL = queue.url()
    queue.forget()
    calls = []
    queue.producer().meta.events.register("before-call.sqs.GetQueueUrl", lambda **_: calls.append(1))
    queue.send([MESSAGE])
    assert calls == []


def test_one_client_serves_the_process(sqs):
    assert queue.producer() is queue.producer()


@pytest.mark.parametrize(
    ("client", "budget"),
    [(queue.producer, (1, 2, 2)), (queue.consumer, (2, 25, 2))],
)
def test_a_client_has_its_budget(sqs, client, budget):
    config = client().meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == budget


def test_an_endpoint_that_refuses_is_a_queue_error_that_names_it(monkeypatch, settings):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    settings.SQS_QUEUE_URL = "http://127.0.0.1:1/123456789012/timelessmusic-purchase"
    queue.forget()
    with pytest.raises(queue.QueueError) as error:
        queue.send([MESSAGE])
    queue.forget()
    assert str(error.value) == ('can\'t publish: Could not connect to the endpoint URL: "http://127.0.0.1:1/"')
    assert isinstance(error.value.__cause__, boto3.exceptions.botocore.exceptions.EndpointConnectionError)


def test_one_that_fails_hurts_nobody_who_was_sent_with_it(sqs, monkeypatch):
    def refuse_the_second(parsed, **_):
        entry = parsed["Successful"].pop(1)
        parsed["Failed"] = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False}]

    queue.producer().meta.events.register("after-call.sqs.SendMessageBatch", refuse_the_second)
    first, second, third = queue.send([MESSAGE] * 3)
    assert (type(first), str(second), type(third)) == (str, "SQS refused the entry: InternalError: ", str)
