"""The shop with a view that publishes as a tutorial would: send_message, in each request for itself."""

import json

from timelessmusic.wsgi import application  # Django's set-up is in it.

# isort: split
from tickets import purchases, queue
from tickets.models import Ticket

__all__ = ["application"]


def publish(tickets) -> None:
    for ticket in tickets:
        body = json.dumps(purchases.message_body(ticket))
        answer = queue.producer().send_message(QueueUrl=queue.url(), MessageBody=body)
        Ticket.objects.mark_published({ticket: answer["MessageId"]})


purchases.publish = publish
