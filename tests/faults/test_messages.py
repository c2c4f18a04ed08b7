"""Messages come late, twice, or back; what SQS doesn't hear of is found done."""

from threading import Event

from rehearsal import proxy
from rehearsal.shop import eventually
from tickets import provisioning, queue
from tickets.models import Ticket
from tickets.purchases import message_body


def _all_done(number) -> bool:
    return Ticket.objects.mailed().count() == number and provisioning.describe().depth == 0


def _only(deed, rule):
    """Apply `rule(body)` to one SQS action."""
    return lambda action, body: rule(body) if action == deed else proxy.FORWARD


def test_a_mail_that_takes_longer_than_the_visibility_timeout_is_mailed_once(shop, sell):
    held, go_on = Event(), Event()

    def hold(_):
        held.set()
        go_on.wait(60)

    shop.smtp.sink.before_mail = hold
    sell("ada")
    shop.worker()
    assert held.wait(30)
    other = shop.worker()
    # Three beats are one visibility timeout: without them the other worker would have the message by now.
    shop.sqs.wait_for("ChangeMessageVisibilityBatch", times=shop.sqs.seen["ChangeMessageVisibilityBatch"] + 5)
    go_on.set()
    eventually(lambda: _all_done(1))
    assert (shop.smtp.sink.recipients, other.stop()) == (["ada@example.com"], 0)
    assert "mailed 0, parked 0, put off 0, published 0" in other.said


def test_messages_received_ahead_are_kept_from_other_workers(shop, sell):
    held, go_on = Event(), Event()

    def hold(_):
        held.set()
        go_on.wait(60)

    shop.smtp.sink.before_mail = hold
    sell(*(f"{number}" for number in range(20)))
    shop.worker()
    assert held.wait(30)
    eventually(lambda: provisioning.describe().in_flight == 20)  # Ten in work, ten ahead.
    other = shop.worker()
    shop.sqs.wait_for("ChangeMessageVisibilityBatch", times=shop.sqs.seen["ChangeMessageVisibilityBatch"] + 10)
    go_on.set()
    eventually(lambda: _all_done(20))
    assert (other.stop(), len(shop.smtp.sink.mails)) == (0, 20)
    assert "mailed 0, parked 0, put off 0, published 0" in other.said


def test_when_the_heartbeat_fails_the_claim_still_keeps_the_other_worker_off(shop, sell):
    held, go_on = Event(), Event()

    def hold(_):
        held.set()
        go_on.wait(60)

    shop.smtp.sink.before_mail = hold
    shop.sqs.rule = _only("ChangeMessageVisibilityBatch", lambda _: proxy.error("403 Forbidden", "AccessDenied"))
    sell("ada")
    first = shop.worker()
    assert held.wait(30)
    other = shop.worker()
    # SQS has handed it the message; it finds the ticket claimed, and can't even put the message off.
    other.says("SQS didn't hear of it: can't change the visibility")
    first.says("a heartbeat failed; the next one follows: can't change the visibility")
    go_on.set()
    shop.sqs.rule = None
    eventually(lambda: _all_done(1))
    assert shop.smtp.sink.recipients == ["ada@example.com"]


def test_delete_fails_in_part(shop, sell):
    failed = []

    def keep_one(body):
        if failed:
            return proxy.FORWARD
        failed.append(body["Entries"].pop())
        answer = {"Successful": [], "Failed": [{"Id": failed[0]["Id"], "Code": "InternalError", "SenderFault": False}]}
        if body["Entries"]:
            answer["Successful"] = queue.consumer().delete_message_batch(QueueUrl=queue.url(), Entries=body["Entries"])[
                "Successful"
            ]
        return proxy.answer("200 OK", answer)

    shop.sqs.rule = _only("DeleteMessageBatch", keep_one)
    sell(*"abc")
    worker = shop.worker()
    eventually(lambda: failed and _all_done(3))
    assert shop.smtp.sink.recipients == ["a@example.com", "b@example.com", "c@example.com"]
    assert "SQS did not delete message" in worker.said


def test_delete_fails_whole(shop, sell):
    failed = []

    def fail_once(body):
        if len(failed) > 1:  # boto3 tries twice.
            return proxy.FORWARD
        failed.append(body)
        return proxy.error("500 Internal Server Error", "InternalError")

    shop.sqs.rule = _only("DeleteMessageBatch", fail_once)
    sell(*"abc")
    worker = shop.worker()
    eventually(lambda: failed and _all_done(3))
    assert shop.smtp.sink.recipients == ["a@example.com", "b@example.com", "c@example.com"]
    assert "the work is done, SQS didn't hear of it" in worker.said


def test_the_same_message_twice_at_once_in_two_workers(shop, sell):
    held, go_on = Event(), Event()

    def hold(_):
        held.set()
        go_on.wait(60)

    shop.smtp.sink.before_mail = hold
    [ticket] = sell("ada")
    shop.worker()
    assert held.wait(60)
    other = shop.worker()
    queue.send([queue.Message(message_body(ticket))])
    eventually(lambda: provisioning.describe().in_flight == 2)
    # A beat a second of the first worker's; the other one puts its message off meanwhile.
    shop.sqs.wait_for("ChangeMessageVisibilityBatch", times=shop.sqs.seen["ChangeMessageVisibilityBatch"] + 3)
    go_on.set()
    eventually(lambda: _all_done(1))
    assert (shop.smtp.sink.recipients, other.stop()) == (["ada@example.com"], 0)
    assert "mailed 0" in other.said


def test_a_parked_message_is_redriven_once_its_cause_is_mended(shop, sell):
    shop.smtp.sink.rcpt_answers["ada@example.com"] = "550 no such user"
    sell("ada")
    shop.worker()
    # It is sent to the DLQ first and deleted then: for a moment it is in both.
    eventually(lambda: (now := provisioning.describe()).depth == 0 and now.dead_letters.waiting == 1)
    assert (Ticket.objects.parked().count(), shop.smtp.sink.mails) == (1, [])

    del shop.smtp.sink.rcpt_answers["ada@example.com"]
    sqs = queue.consumer()
    [dead] = sqs.receive_message(QueueUrl=queue.dead_letter_url(), WaitTimeSeconds=5)["Messages"]
    sqs.send_message(QueueUrl=queue.url(), MessageBody=dead["Body"])
    sqs.delete_message(QueueUrl=queue.dead_letter_url(), ReceiptHandle=dead["ReceiptHandle"])
    eventually(lambda: _all_done(1))
    assert (shop.smtp.sink.recipients, Ticket.objects.parked().count()) == (["ada@example.com"], 0)


def test_bad_messages_among_good_ones_hurt_only_themselves(shop, sell):
    bad = ["null", "[]", "{", '{"name": "x"}', '{"a":' * 1000, "\U0001f3b8" * 1000]
    for body in bad:
        queue.consumer().send_message(QueueUrl=queue.url(), MessageBody=body)
    sell(*"abc")
    shop.worker()
    eventually(lambda: _all_done(3) and provisioning.describe().dead_letters.waiting == len(bad))
    assert shop.smtp.sink.recipients == ["a@example.com", "b@example.com", "c@example.com"]
