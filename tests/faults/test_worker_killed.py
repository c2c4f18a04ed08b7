"""The worker is killed at each step of receive, mail, mark, delete; another one finishes its work."""

from threading import Event

from django.db.models.functions import Now

from rehearsal import proxy
from rehearsal.shop import eventually
from tests.faults.conftest import set_visibility
from tickets import provisioning, queue
from tickets.models import Ticket
from tickets.purchases import message_body

LETTERS = "abcdefghij"


def _all_done(number) -> bool:
    return Ticket.objects.mailed().count() == number and provisioning.describe().depth == 0


def _kill_once(worker):
    """Give a hook that kills the worker the first time it is called, and whether it was."""
    killed = Event()

    def kill(*_):
        if not killed.is_set():
            worker.kill()
            killed.set()

    return kill, killed


def test_before_the_mail(shop, sell):
    sell("ada")
    worker = shop.worker()
    shop.smtp.sink.before_mail, killed = _kill_once(worker)
    assert killed.wait(30)
    assert (shop.smtp.sink.mails, Ticket.objects.mailed().count()) == ([], 0)
    shop.worker()
    eventually(lambda: _all_done(1))
    assert shop.smtp.sink.recipients == ["ada@example.com"]


def test_between_mail_and_mark_is_the_one_window_and_it_makes_two_mails_at_most(shop, sell):
    [ticket] = sell("ada")
    worker = shop.worker()
    shop.smtp.sink.after_mail, killed = _kill_once(worker)
    assert killed.wait(30)
    assert (len(shop.smtp.sink.mails), Ticket.objects.mailed().count()) == (1, 0)
    shop.worker()
    eventually(lambda: _all_done(1))
    # The two can be recognised as one.
    assert [mail["Message-ID"] for mail in shop.smtp.sink.mails] == [f"<{ticket.pk}.1@shop.example.com>"] * 2


def test_between_mark_and_delete(shop, sell):
    sell("ada")
    worker = shop.worker()
    kill, killed = _kill_once(worker)

    def kill_at_delete(action, _):
        if action == "DeleteMessageBatch" and not killed.is_set():
            kill()
            return proxy.CUT
        return proxy.FORWARD

    shop.sqs.rule = kill_at_delete
    assert killed.wait(30)
    assert (Ticket.objects.mailed().count(), provisioning.describe().depth) == (1, 1)
    shop.worker()
    eventually(lambda: _all_done(1))
    assert shop.smtp.sink.recipients == ["ada@example.com"]


def test_in_the_middle_of_a_batch_no_finished_mail_repeats(shop, sell):
    sell(*LETTERS)
    worker = shop.worker()
    killed = Event()

    def kill_at_the_sixth(_):
        if Ticket.objects.mailed().count() >= 5 and not killed.is_set():
            finished.extend(Ticket.objects.mailed().values_list("email", flat=True))
            worker.kill()
            killed.set()

    finished = []
    shop.smtp.sink.before_mail = kill_at_the_sixth
    assert killed.wait(30)
    shop.worker()
    eventually(lambda: _all_done(10))
    mails = shop.smtp.sink.recipients
    assert set(mails) == {f"{letter}@example.com" for letter in LETTERS}
    # What was under way at that moment may come twice: one mail a thread, less the one that was refused its RCPT.
    assert [mails.count(email) for email in finished] == [1] * len(finished)
    assert len(mails) <= 10 + 3


def test_a_claim_whose_holder_died_is_taken_over_not_before_its_lease_ends(shop, sell):
    set_visibility(600)  # A lease is as long, and the first message as long out of the way.
    [ticket] = sell("ada")
    worker = shop.worker()
    shop.smtp.sink.before_mail, killed = _kill_once(worker)
    assert killed.wait(30)
    copy = queue.Message(message_body(ticket))
    queue.send([copy])
    shop.worker()
    shop.sqs.wait_for("ChangeMessageVisibilityBatch")  # No heartbeat yet: it puts the copy off.
    assert (shop.smtp.sink.mails, Ticket.objects.filter(claimed_until__gt=Now()).count()) == ([], 1)

    Ticket.objects.update(claimed_until=Now())
    queue.send([copy])
    eventually(lambda: Ticket.objects.mailed().count() == 1)
    assert shop.smtp.sink.recipients == ["ada@example.com"]
