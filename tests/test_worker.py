import json
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from rehearsal.smtp import SmtpServer
from tickets import provisioning, queue
from tickets.models import Ticket
from tickets.purchases import Owner, buy, publish
from tickets.worker import Heartbeat, Unavailable, Worker

# The worker's loop closes old connections, which a test inside a transaction can't afford.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sell(gig):
    def sell(*names):
        return buy(gig, [Owner(name, f"{name}@example.com") for name in names], "-".join(names)).tickets

    return sell


def _run(**kwargs):
    running = Worker()
    running.run(batch=True, **kwargs)
    return running.counts


def _dlq(sqs):
    answer = sqs.receive_message(QueueUrl=queue.dead_letter_url(), MessageAttributeNames=["All"])
    return [
        (message["Body"], message["MessageAttributes"]["cause"]["StringValue"])
        for message in answer.get("Messages", [])
    ]


def test_it_works(sell, sqs, mailoutbox):
    publish(sell("ada", "bob"))
    assert _run() == {"mailed": 2, "parked": 0, "put_off": 0, "published": 0}
    assert sorted(mail.to for mail in mailoutbox) == [["ada <ada@example.com>"], ["bob <bob@example.com>"]]
    assert (Ticket.objects.mailed().count(), provisioning.describe().depth) == (2, 0)


def test_it_publishes_what_requests_could_not_and_mails_it(sell, sqs, mailoutbox):
    sell("ada")
    Ticket.objects.update(publish_due_at=timezone.now())
    assert _run() == {"mailed": 1, "parked": 0, "put_off": 0, "published": 1}
    assert len(mailoutbox) == 1


def test_a_hundred_deliveries_take_22_calls_of_sqs(gig, sqs, mailoutbox):
    gig.capacity = 100
    gig.save(update_fields=["capacity"])
    publish(buy(gig, [Owner(str(i), f"{i}@example.com") for i in range(100)], "token").tickets)
    provisioning.describe()  # The addresses are known then.
    asked = Counter()
    queue.consumer().meta.events.register("before-call.sqs.*", lambda model, **_: asked.update([model.name]))
    assert _run()["mailed"] == len(mailoutbox) == 100
    del asked["GetQueueAttributes"]  # at its start
    # Two find nothing: the one ahead, and the poll that ends this.
    assert asked == {"ReceiveMessage": 12, "DeleteMessageBatch": 10}


def test_an_empty_queue_ends_a_batch(sqs, db):
    assert _run()["mailed"] == 0


def test_a_message_that_is_not_ours_goes_to_the_dlq_with_its_cause_and_the_good_one_is_mailed(sell, sqs, mailoutbox):
    sqs.send_message(QueueUrl=queue.url(), MessageBody="{}")
    publish(sell("ada"))
    assert _run() == {"mailed": 1, "parked": 1, "put_off": 0, "published": 0}
    assert len(mailoutbox) == 1
    assert _dlq(sqs) == [("{}", "not an object of exactly name, email, gigId, ticketId")]
    assert provisioning.describe().depth == 0


def test_a_refused_address_is_parked_in_ledger_and_dlq(sell, sqs, smtp):
    smtp.sink.rcpt_answers["ada@example.com"] = "550 no such user"
    [ticket] = sell("ada")
    publish([ticket])
    _run()
    cause = "the mail was refused: 550 no such user"
    assert Ticket.objects.parked().get().parked_cause == cause
    [(body, dlq_cause)] = _dlq(sqs)
    assert (json.loads(body)["ticketId"], dlq_cause) == (str(ticket.pk), cause)


def test_a_temporary_refusal_comes_again_later(sell, sqs, smtp):
    smtp.sink.rcpt_answers["ada@example.com"] = "450 later"
    publish(sell("ada"))
    assert _run()["put_off"] >= 1
    description = provisioning.describe()
    assert (description.depth, description.dead_letters.depth) == (1, 0)


def test_a_batch_says_what_is_away_and_hands_everything_back(sell, sqs, smtp):
    publish(sell("ada", "bob"))
    smtp.stop()
    with pytest.raises(Unavailable, match="MailServerDown: ConnectionRefusedError"):
        _run()
    description = provisioning.describe()
    assert (description.waiting, description.in_flight) == (2, 0)
    assert [message.receive_count for message in queue.receive(wait_seconds=0)] == [1, 1]  # none was spent


def test_a_missing_queue_is_said(sqs, settings, db):
    settings.SQS_QUEUE_NAME = "elsewhere"
    queue.forget()
    with pytest.raises(Unavailable, match="there is no queue 'elsewhere'"):
        _run()


def test_an_outage_in_the_middle_holds_the_messages_and_spends_one_receive(sell, sqs, smtp, monkeypatch):
    """The mail server goes away under a running worker, and comes back: each message was received once."""
    publish(sell("ada", "bob"))
    running = Worker()
    probes = []

    def come_back(seconds):
        probes.append(seconds)
        if len(probes) == 3:
            back = SmtpServer(port=smtp.port)
            back.start()
            smtp.back = back

    monkeypatch.setattr(running, "_sleep", come_back)
    received = []
    real = queue.receive

    def receive(**kwargs):
        if received and all(ticket.mailed_at for ticket in Ticket.objects.all()):
            running.stop()
        messages = real(wait_seconds=0)
        if messages:
            smtp.stop()
        received.extend(messages)
        return messages

    monkeypatch.setattr(queue, "receive", receive)
    running.run()
    smtp.back.stop()
    assert probes == [1, 2, 4]
    assert [message.receive_count for message in received] == [1, 1]
    assert (running.counts["mailed"], provisioning.describe().dead_letters.depth) == (2, 0)


def test_a_stop_before_the_work_hands_the_messages_back(sell, sqs, mailoutbox, monkeypatch):
    publish(sell("ada", "bob"))
    running = Worker()
    real = queue.receive

    def receive(**_):
        running.stop()
        return real(wait_seconds=0)

    monkeypatch.setattr(queue, "receive", receive)
    running.run()
    description = provisioning.describe()
    assert (description.waiting, description.in_flight, mailoutbox) == (2, 0, [])


def test_a_heartbeat_keeps_messages_hidden_and_tickets_claimed_until_they_are_let_go(sell, sqs, monkeypatch):
    publish(sell("ada"))
    [message] = queue.receive(wait_seconds=0)
    hidden, beats, extended = [], threading.Semaphore(0), threading.Semaphore(0)

    def hide(seconds):
        hidden.append(seconds)
        beats.release()

    monkeypatch.setattr(queue, "hide", hide)
    with Heartbeat(extended.release, visibility_seconds=0.03) as heartbeat:
        heartbeat.keep([message])
        before = len(hidden)
        for beat in (beats, beats, extended, extended):
            assert beat.acquire(timeout=10)
        heartbeat.drop([message])
        after = len(hidden)
        assert beats.acquire(timeout=10)
    assert all(seconds == {} for seconds in hidden[:before])
    assert hidden[before:after] == [{message: 0.03}] * (after - before)
    assert all(seconds == {} for seconds in hidden[after:])


def test_a_database_that_hangs_does_not_keep_the_heartbeat_from_sqs(sell, sqs, monkeypatch):
    """Else the message would go to another worker, which could mail it before this one has marked it."""
    publish(sell("ada"))
    [message] = queue.receive(wait_seconds=0)
    hangs, over, hidden, enough = threading.Event(), threading.Event(), [], threading.Event()

    def extend():
        hangs.set()
        over.wait(10)

    def hide(seconds):
        if hangs.is_set() and seconds:
            hidden.append(seconds)
        if len(hidden) == 3:
            enough.set()

    monkeypatch.setattr(queue, "hide", hide)
    with Heartbeat(extend, visibility_seconds=0.03) as heartbeat:
        heartbeat.keep([message])
        assert enough.wait(10)
        over.set()
    assert hidden[:3] == [{message: 0.03}] * 3


def test_a_failed_delete_leaves_a_message_that_is_found_done(sell, sqs, mailoutbox, monkeypatch):
    publish(sell("ada"))
    with monkeypatch.context() as broken:
        # SQS loses the deletion and, so that no test waits for the timeout, gives the message back at once.
        broken.setattr(queue, "delete", lambda messages: queue.hide(dict.fromkeys(messages, 0)))
        running = Worker()
        real = queue.receive

        def receive(**_):
            if running.counts["mailed"]:
                running.stop()
                return []
            return real(wait_seconds=0)

        broken.setattr(queue, "receive", receive)
        running.run()
    assert (provisioning.describe().waiting, len(mailoutbox)) == (1, 1)
    assert _run() == {"mailed": 0, "parked": 0, "put_off": 0, "published": 0}
    assert (provisioning.describe().depth, len(mailoutbox)) == (0, 1)


def test_a_ticket_whose_message_is_gone_is_published_again_and_mailed(sell, sqs, mailoutbox):
    publish(sell("ada"))
    sqs.purge_queue(QueueUrl=queue.url())
    Ticket.objects.update(published_at=timezone.now() - timedelta(minutes=3))
    assert _run() == {"mailed": 1, "parked": 0, "put_off": 0, "published": 1}
    assert len(mailoutbox) == 1


def test_a_ticket_is_not_lost_while_the_queue_holds_messages(sell, sqs, mailoutbox):
    publish(sell("ada"))
    queue.receive(wait_seconds=0)  # Another worker has it.
    Ticket.objects.update(published_at=timezone.now() - timedelta(minutes=3))
    assert _run()["published"] == 0


def test_a_ticket_just_published_is_not_lost(sell, sqs, mailoutbox):
    publish(sell("ada"))
    sqs.purge_queue(QueueUrl=queue.url())
    assert _run()["published"] == 0
