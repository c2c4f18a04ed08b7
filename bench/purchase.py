"""How many purchases a second the web server takes by POST /api/purchase, and how long each buyer waits."""

import json
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from statistics import quantiles
from urllib.error import URLError
from urllib.request import urlopen

from bench.stand import FOLDER, figures, make_gig, stand

PURCHASES = 480
SERVER = ("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--workers", "2", "--blocking-threads", "8")
CONTENDERS = {"ours": "timelessmusic.wsgi:application", "send_message in the view": "bench.plain_wsgi:application"}


def measure(runs: int) -> dict:
    """Return purchases a second and the wait's percentiles in milliseconds, by contender and number of buyers."""
    from tests.servers import free_port

    with stand() as environment:
        gig, measured = make_gig(), figures()
        ports = {name: free_port() for name in CONTENDERS}
        servers = [
            subprocess.Popen(
                [sys.executable, "-m", *SERVER, "--port", str(ports[name]), wsgi],
                cwd=FOLDER,
                env=environment,
                stdout=subprocess.DEVNULL,
            )
            for name, wsgi in CONTENDERS.items()
        ]
        try:
            for port in ports.values():
                _await(port)
            for run in range(runs + 1):
                for buyers in (1, 8, 32):
                    for name, port in ports.items():
                        rate, waits = _buy(port, gig.slug, buyers)
                        if run:
                            figure = measured[f"{name}, {buyers} at once"]
                            figure["purchases a second"].append(rate)
                            figure["p50 ms"].append(quantiles(waits, n=100)[49])
                            figure["p99 ms"].append(quantiles(waits, n=100)[98])
        finally:
            for server in servers:
                server.terminate()
                server.wait()
        return measured


def _await(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
            return
        except (URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError("the web server doesn't answer")


def _buy(port: int, slug: str, buyers: int) -> tuple[float, list[float]]:
    body = json.dumps(
        {
            "gigId": slug,
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "nameOnCard": "A Lovelace",
            "cardNumber": "4242424242424242",
            "cardExpiryMonth": "12",
            "cardExpiryYear": "2039",
            "cardCVC": "123",
            "disclaimerAccepted": True,
        }
    )
    waits = []

    def work():
        connection = HTTPConnection("127.0.0.1", port)
        for _ in range(PURCHASES // buyers):
            began = time.perf_counter()
            connection.request("POST", "/api/purchase", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 202, text
            waits.append((time.perf_counter() - began) * 1000)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(buyers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == PURCHASES
    return PURCHASES / (time.perf_counter() - began), waits
