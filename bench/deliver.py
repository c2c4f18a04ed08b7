"""What a ticket costs the process that mails it: our worker, and the loop that a tutorial would write for it."""

import json
import resource
import subprocess
import sys
import time
import uuid

from bench.stand import FOLDER, cpu_seconds, figures, make_gig, stand

TICKETS = 500
PLAIN_LOOP = "from bench.deliver import plain_loop; plain_loop()"


def measure(runs: int) -> dict:
    """Return tickets a second and CPU milliseconds a ticket; what it takes to start and find nothing is taken off."""
    contenders = {
        "ours, one process": ["manage.py", "queue", "work", "--batch"],
        "a plain loop": ["-c", PLAIN_LOOP],
    }
    with stand() as environment:
        gig, measured = make_gig(), figures()
        for run in range(runs + 1):
            for name, command in contenders.items():
                idle, idle_cpu = _run(command, environment)
                _sell(gig)
                wall, cpu = _run(command, environment)
                if run:
                    measured[name]["tickets a second"].append(TICKETS / (wall - idle))
                    measured[name]["CPU ms a ticket"].append((cpu - idle_cpu) / TICKETS * 1000)
        return measured


def _sell(gig) -> None:
    from tickets import purchases
    from tickets.models import Ticket

    tickets = purchases.buy(gig, [purchases.Owner("Ada", "ada@example.com")] * TICKETS, str(uuid.uuid4())).tickets
    purchases.publish_again(tickets)
    while purchases.relay():
        pass
    assert Ticket.objects.filter(published_at=None).count() == 0


def _run(command, environment) -> tuple[float, float]:
    began, used = time.perf_counter(), cpu_seconds(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *command],
        cwd=FOLDER,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began, cpu_seconds(resource.RUSAGE_CHILDREN) - used


def plain_loop() -> None:
    """Receive ten, then for each: claim, mail, mark, delete; one connection to the mail server."""
    import os
    from datetime import timedelta

    os.environ["DJANGO_SETTINGS_MODULE"] = "timelessmusic.settings"
    import django

    django.setup()
    from tickets import purchases, queue
    from tickets.emails import Mailer
    from tickets.models import Ticket

    sqs, mailer = queue.consumer(), Mailer()
    while messages := sqs.receive_message(QueueUrl=queue.url(), MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
        "Messages"
    ):
        for message in messages:
            claimed = Ticket.objects.claim([json.loads(message["Body"])["ticketId"]], timedelta(seconds=180))
            for ticket in claimed:
                purchases.deliver(ticket, mailer)
                Ticket.objects.mark_mailed([ticket])
            sqs.delete_message(QueueUrl=queue.url(), ReceiptHandle=message["ReceiptHandle"])
