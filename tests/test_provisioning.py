import json

from tickets import provisioning, queue

BODY = {"name": "Ada", "email": "ada@example.com", "gigId": "gig", "ticketId": "id"}


def test_create_makes_the_queue_with_the_knobs_of_the_design(sqs):
    attributes = provisioning.describe().attributes
    assert {name: attributes[name] for name in provisioning.queue_attributes("")} | {
        "RedrivePolicy": json.loads(attributes["RedrivePolicy"])
    } == {
        "VisibilityTimeout": "180",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "20",
        "SqsManagedSseEnabled": "true",
        "RedrivePolicy": {
            "deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:timelessmusic-purchase-dlq",
            "maxReceiveCount": 5,
        },
    }


def test_create_makes_the_dlq_with_the_knobs_of_the_design(sqs):
    attributes = provisioning.describe().dead_letters.attributes
    assert {name: attributes[name] for name in provisioning.dlq_attributes()} == {
        "MessageRetentionPeriod": "1209600",
        "SqsManagedSseEnabled": "true",
    }


def _heard(done):
    # moto takes a RedriveAllowPolicy and doesn't give it back; tests/test_serve.py reads it from a server.
    return [line for line in done if "RedriveAllowPolicy" not in line]


def test_create_again_does_nothing(sqs):
    url, done = provisioning.create()
    assert (url, _heard(done)) == (queue.url(), [])


def test_create_repairs_what_drifted_and_says_what(sqs):
    sqs.set_queue_attributes(QueueUrl=queue.url(), Attributes={"VisibilityTimeout": "30"})
    _, done = provisioning.create()
    assert _heard(done) == ["timelessmusic-purchase: VisibilityTimeout was 30, is 180"]
    assert provisioning.describe().visibility_seconds == 180


def test_describe_counts_what_waits_and_what_is_in_flight(sqs):
    queue.send([queue.Message(BODY), queue.Message(BODY), queue.Message(BODY)])
    queue.receive(wait_seconds=0, limit=1)
    description = provisioning.describe()
    assert (description.waiting, description.in_flight, description.delayed, description.depth) == (2, 1, 0, 3)
