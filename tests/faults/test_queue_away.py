"""SQS fails while tickets are sold: the sale stands, the buyer has the thank-you page, and the mail comes later."""

import json

import pytest

from rehearsal import proxy
from rehearsal.shop import Buyer, eventually
from tickets import provisioning, queue
from tickets.models import Ticket

# What a buyer may wait at the worst: two attempts of 1 s to connect and 2 s to read, a pause, the page, a busy machine.
BUDGET_SECONDS = 10


def _sold(slug) -> list[str]:
    return sorted(Ticket.objects.filter(purchase__gig__slug=slug).values_list("name", flat=True))


def _mailed_all(shop, number) -> bool:
    return Ticket.objects.mailed().count() == number == len(shop.smtp.sink.mails)


def _throttled(action, _):
    return proxy.error("400 Bad Request", "RequestThrottled") if action == "SendMessageBatch" else proxy.FORWARD


def _expired(action, _):
    return proxy.error("403 Forbidden", "ExpiredToken") if action == "SendMessageBatch" else proxy.FORWARD


FAULTS = {
    "refused": lambda sqs: sqs.refuse(),
    "503": lambda sqs: setattr(sqs, "rule", lambda *_: proxy.error("503 Service Unavailable", "ServiceUnavailable")),
    "silent": lambda sqs: setattr(sqs, "rule", lambda *_: proxy.STALL),
    "cut": lambda sqs: setattr(sqs, "rule", lambda *_: proxy.CUT),
    "throttled": lambda sqs: setattr(sqs, "rule", _throttled),
    "credentials expired": lambda sqs: setattr(sqs, "rule", _expired),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_sale_stands_and_its_mail_comes_when_sqs_is_back(shop, port, gig, fault):
    shop.web(port)
    assert Buyer(port, gig.slug, "before").buy() == 302
    assert provisioning.describe().waiting == 1

    FAULTS[fault](shop.sqs)
    for name in ("a", "b", "c"):  # The third failure opens the breaker.
        buyer = Buyer(port, gig.slug, name)
        buyer.open()
        answer = buyer.submit()
        assert (answer.status_code, answer.elapsed.total_seconds() < BUDGET_SECONDS) == (302, True)
    asked = shop.sqs.connections, shop.sqs.seen["SendMessageBatch"]
    assert Buyer(port, gig.slug, "d").buy() == 302
    # Nobody waits for SQS any more: it isn't even asked.
    assert "3 failures in a row; next try in a moment" in shop.logged
    assert (shop.sqs.connections, shop.sqs.seen["SendMessageBatch"]) == asked
    assert (_sold(gig.slug), Ticket.objects.unpublished().count()) == (["a", "b", "before", "c", "d"], 4)

    if fault == "refused":
        shop.sqs.listen()
    shop.sqs.rule = None
    shop.worker()
    eventually(lambda: _mailed_all(shop, 5))
    assert shop.smtp.sink.recipients == [f"{name}@example.com" for name in ("a", "b", "before", "c", "d")]
    assert "Traceback" not in shop.logged


def test_a_name_that_does_not_resolve(shop, port, gig):
    shop.web(port, AWS_ENDPOINT_URL_SQS="http://sqs.invalid:9324")
    assert Buyer(port, gig.slug, "ada").buy() == 302
    assert (_sold(gig.slug), Ticket.objects.unpublished().count()) == (["ada"], 1)
    shop.worker()
    eventually(lambda: _mailed_all(shop, 1))


def test_the_answer_is_lost_after_sqs_accepted_so_two_messages_make_one_mail(shop, port, gig):
    shop.sqs.rule = lambda action, _: proxy.LOSE_ANSWER if action == "SendMessageBatch" else proxy.FORWARD
    shop.web(port)
    assert Buyer(port, gig.slug, "ada").buy() == 302
    # boto3 tried twice, and SQS took both; the shop knows of neither.
    assert (provisioning.describe().waiting, Ticket.objects.unpublished().count()) == (2, 1)
    shop.sqs.rule = None
    [second] = queue.receive(wait_seconds=5, limit=1)  # In one batch they would be one to the worker anyway.
    queue.hide({second: 600})
    shop.worker()
    eventually(lambda: Ticket.objects.mailed().count() == 1)
    queue.hide({second: 0})
    eventually(lambda: provisioning.describe().depth == 0)
    assert shop.smtp.sink.recipients == ["ada@example.com"]


def test_one_of_ten_entries_fails(shop, sell):
    sell(*"abcdefghij", published=False)
    failed = []

    def fail_one(action, body):
        if action != "SendMessageBatch" or failed:
            return proxy.FORWARD
        failed.append(body["Entries"].pop(3))
        answers = queue.producer().send_message_batch(QueueUrl=queue.url(), Entries=body["Entries"])
        lost = {"Id": failed[0]["Id"], "Code": "InternalError", "SenderFault": False}
        return proxy.answer("200 OK", {"Successful": answers["Successful"], "Failed": [lost]})

    shop.sqs.rule = fail_one
    Ticket.objects.update(publish_due_at="2020-01-01T00:00Z")
    assert shop.manage("queue", "publish").stdout == "published 10\n"
    # Only the one that failed is still to publish; which one is the fourth nobody has said.
    name = json.loads(failed[0]["MessageBody"])["name"]
    assert list(Ticket.objects.unpublished().values_list("name", flat=True)) == [name]
    assert (len(failed), provisioning.describe().waiting) == (1, 9)
    Ticket.objects.unpublished().update(publish_due_at="2020-01-01T00:00Z")
    shop.worker()
    eventually(lambda: _mailed_all(shop, 10))
    assert shop.smtp.sink.recipients == [f"{name}@example.com" for name in "abcdefghij"]


def test_the_queue_is_deleted_and_made_again(shop, port, gig):
    shop.web(port)
    queue.consumer().delete_queue(QueueUrl=queue.url())
    assert Buyer(port, gig.slug, "ada").buy() == 302
    assert (_sold(gig.slug), Ticket.objects.unpublished().count()) == (["ada"], 1)
    assert "manage.py queue create" in shop.logged  # The operator is told what to do.
    worker = shop.worker()
    worker.says("nothing is received until this is over: QueueMissing")
    assert shop.manage("queue", "create").returncode == 0
    eventually(lambda: _mailed_all(shop, 1))
