"""Celery on SQS, by kombu: a task a ticket, which mails it as the shop does."""

import os
from datetime import timedelta
from urllib.parse import urlsplit

from celery import Celery

QUEUE = "celery"
endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL_SQS"])
app = Celery("shop", broker=f"sqs://000000000000:none@{endpoint.hostname}:{endpoint.port}")
app.conf.update(
    broker_transport_options={"region": "us-east-1", "is_secure": False},
    task_ignore_result=True,
    task_default_queue=QUEUE,
    broker_connection_retry_on_startup=True,
)
LEASE = timedelta(seconds=180)


def mail(pk: str, mailer) -> None:
    """Claim, mail and mark one ticket: the same for every peer."""
    from tickets import purchases
    from tickets.models import Ticket

    for ticket in Ticket.objects.claim([pk], LEASE):
        purchases.deliver(ticket, mailer)
        Ticket.objects.mark_mailed([ticket])


@app.task
def deliver(pk: str) -> None:
    mail(pk, _mailer())


_kept = None


def _mailer():
    global _kept
    if _kept is None:
        from tickets.emails import Mailer

        _kept = Mailer()
    return _kept
