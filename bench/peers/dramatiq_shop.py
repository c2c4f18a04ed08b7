"""dramatiq on SQS, by dramatiq-sqs: a message for each ticket."""

import os

import dramatiq
from botocore.config import Config
from dramatiq_sqs import SQSBroker

from bench.peers.delivery import mail

# Its own visibility timeout, of 12 hours, is more than the SQS server takes.
connections = Config(max_pool_connections=32)  # as many as our own client may keep
dramatiq.set_broker(
    SQSBroker(endpoint_url=os.environ["AWS_ENDPOINT_URL_SQS"], visibility_timeout=180, config=connections)
)


@dramatiq.actor(min_backoff=1000)
def deliver(pk: str) -> None:
    mail(pk)
