"""What a message costs the process that sends it: alone, as threads send at once, and in full batches (the floor)."""

import json
import threading
import time

from bench.stand import cpu_seconds, figures, stand

MESSAGES = 640


def measure(runs: int) -> dict:
    """Return CPU and wall time by contender, in milliseconds a message, and SQS's calls for 100 messages."""
    with stand():
        from tickets import queue

        calls = []
        queue.producer().meta.events.register("before-send.sqs", lambda **_: calls.append(1))
        body = {"name": "Ada Lovelace", "email": "ada@example.com", "gigId": "nirvana-cork-1991", "ticketId": "0" * 36}
        message = queue.Message(body, "a" * 32)

        def plain() -> int:
            queue.producer().send_message(QueueUrl=queue.url(), MessageBody=json.dumps(body))
            return 1

        def together() -> int:
            return len(queue.send_together([message]))

        def ten() -> int:
            return len(queue.send([message] * queue.BATCH))

        contenders = {
            f"{name}, {threads} at once": (send, threads)
            for threads in (1, 8, 32)
            for name, send in (("send_message", plain), ("ours", together))
        } | {"full batches, 1 at once": (ten, 1)}
        measured = figures()
        for run in range(runs + 1):
            for name, (send, threads) in contenders.items():
                calls.clear()
                began, used = time.perf_counter(), cpu_seconds()
                sent = _at_once(threads, send)
                if run:  # The first one warms up.
                    measured[name]["CPU ms a message"].append((cpu_seconds() - used) / sent * 1000)
                    measured[name]["messages a second"].append(sent / (time.perf_counter() - began))
                    measured[name]["calls for 100"].append(len(calls) / sent * 100)
        return measured


def _at_once(threads: int, send) -> int:
    sent = []

    def work():
        done = 0
        while done < MESSAGES // threads:
            done += send()
        sent.append(done)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(sent)
