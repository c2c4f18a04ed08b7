"""What a message costs the process that sends it: alone, as threads send at once, and in full batches (the floor)."""

import json
import threading
import time
from statistics import median

from bench.stand import cpu_seconds, figures, stand, tree_seconds

MESSAGES = 640
CHART = [("CPU ms", "at once"), ("a second", "at once"), ("p50 ms", "at once")]


def measure(runs: int) -> dict:
    """Return CPU milliseconds a message of sender and SQS, messages a second, the median wait, calls for 100."""
    with stand() as here:
        from bench.peers import celery_shop, dramatiq_shop
        from tickets import queue
        from tickets.together import Together

        calls = []
        queue.producer().meta.events.register("before-send.sqs", lambda **_: calls.append(1))
        body = {"name": "Ada Lovelace", "email": "ada@example.com", "gigId": "nirvana-cork-1991", "ticketId": "0" * 36}
        message, trace = queue.Message(body, "a" * 32), {"trace": {"DataType": "String", "StringValue": "a" * 32}}
        # As requests do, without the mark in the database that theirs ends with, for nobody else makes one.
        together = Together(queue.send, size=queue.BATCH, patience=1)
        senders = {
            "ours": lambda: together([message]),
            "send_message": lambda: queue.producer().send_message(
                QueueUrl=queue.url(), MessageBody=json.dumps(body), MessageAttributes=trace
            ),
            "Celery": lambda: celery_shop.deliver.delay(body["ticketId"]),
            "dramatiq": lambda: dramatiq_shop.deliver.send(body["ticketId"]),
        }
        contenders = {
            f"{name}, {threads} at once": (send, threads, 1) for threads in (1, 8, 32) for name, send in senders.items()
        } | {"full batches, 1 at once": (lambda: queue.send([message] * queue.BATCH), 1, queue.BATCH)}
        measured = figures()
        for run in range(runs + 1):
            for name, (send, threads, size) in contenders.items():
                calls.clear()
                sqs, own, began = tree_seconds(here.sqs), cpu_seconds(), time.perf_counter()
                waits = _at_once(threads, send, MESSAGES // threads // size)
                seconds, own, sqs = time.perf_counter() - began, cpu_seconds() - own, tree_seconds(here.sqs) - sqs
                if run:  # The first one warms up.
                    measured[name]["CPU ms"].append(own / MESSAGES * 1000)
                    measured[name]["a second"].append(MESSAGES / seconds)
                    measured[name]["p50 ms"].append(median(waits))
                    measured[name]["SQS ms"].append(sqs / MESSAGES * 1000)
                    if calls:  # Celery and dramatiq have clients of their own: one call a message.
                        measured[name]["calls for 100"].append(len(calls) / MESSAGES * 100)
        return measured


def _at_once(threads: int, send, times: int) -> list[float]:
    """Let each thread send so many times; return each send's milliseconds."""
    waits = []

    def work():
        for _ in range(times):
            began = time.perf_counter()
            send()
            waits.append((time.perf_counter() - began) * 1000)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return waits
