"""Celery on SQS, by kombu: a task for each ticket."""

import os
from urllib.parse import urlsplit

from celery import Celery

from bench.peers.delivery import mail

sqs = urlsplit(os.environ["AWS_ENDPOINT_URL_SQS"])
app = Celery("shop", broker=f"sqs://000000000000:none@{sqs.hostname}:{sqs.port}")
app.conf.update(
    broker_transport_options={"region": "us-east-1", "is_secure": False},
    task_ignore_result=True,
    task_acks_late=True,  # As true a promise as ours: the message goes when the mail has gone.
)
if os.environ.get("CELERY") == "best":  # What was found fastest here.
    app.conf.update(worker_prefetch_multiplier=10)
    app.conf.broker_transport_options |= {"polling_interval": 0, "wait_time_seconds": 1}


@app.task(autoretry_for=(Exception,), default_retry_delay=1)
def deliver(pk: str) -> None:
    mail(pk)
