"""One delivery for all peers: claim, mail, mark, by the shop's own functions, over a connection kept by each thread."""

import threading
from datetime import timedelta

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from tickets import purchases, queue
from tickets.emails import Mailer
from tickets.models import Ticket

LEASE = timedelta(seconds=180)
_kept = threading.local()


def mail(*pks: str) -> None:
    if not hasattr(_kept, "mailer"):
        _kept.mailer = Mailer()
    claimed = Ticket.objects.claim(pks, LEASE)
    try:
        for ticket in claimed:
            purchases.deliver(ticket, _kept.mailer)
        Ticket.objects.mark_mailed(claimed)
    except Exception:
        # Or its repetition finds it claimed, takes that for done, and the ticket is never mailed.
        Ticket.objects.release(claimed)
        raise


def loop() -> None:
    """Receive ten, claim, mail and mark them, delete them: the least that a worker can do, in one thread."""
    sqs, url = queue.consumer(), queue.url()
    while True:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        if messages:
            mail(*(str(purchases.read_message(message["Body"])) for message in messages))
            entries = [{"Id": str(i), "ReceiptHandle": one["ReceiptHandle"]} for i, one in enumerate(messages)]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)


if __name__ == "__main__":
    loop()
