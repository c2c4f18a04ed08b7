"""Say whether this process is alive and whether it can sell, for whoever restarts it or sends it buyers."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import structlog
from django.db import connection
from django.http import HttpResponse, JsonResponse

from tickets import queue

log = structlog.get_logger(__name__)

LIMIT_SECONDS = 1.0  # for each answer; load balancers wait 2 s and more
CONNECT_SECONDS = 2  # the least that libpq takes


def probes(get_response):
    """Answer /healthz and /readyz ahead of everything else.

    A middleware, not views: load balancers and containers ask by address and in plain HTTP, which ALLOWED_HOSTS and
    the redirect to HTTPS would refuse.
    """

    def middleware(request):
        if request.path == "/healthz":
            # Without any I/O: a database or a queue that is away is no reason to restart a web server.
            return HttpResponse("ok", content_type="text/plain")
        if request.path == "/readyz":
            return readyz()
        return get_response(request)

    return middleware


def readyz() -> JsonResponse:
    """Say of the database and of the queue "ok" or why not, within LIMIT_SECONDS; 503 where the shop can't sell.

    That is without the database. It does sell while SQS is away, for the outbox keeps what is to publish; and since
    SQS would be away for all web servers, a 503 would take every one of them from the buyers.
    """
    database, sqs = CHECKS["database"].begin(), CHECKS["queue"].begin()
    answers = {"database": database(), "queue": sqs()}
    return JsonResponse(
        answers, status=200 if answers["database"] == "ok" else 503, headers={"Cache-Control": "no-store"}
    )


class Check:
    """Ask for one thing in a thread of its own, for asking may hang; who comes meanwhile shares that answer.

    So a service that hangs costs one thread, however often it is asked for.
    """

    def __init__(self, name: str, ask: Callable[[], object]):
        self.found: object = None  # what asking gave, the last time that it succeeded
        self._name, self._ask = name, ask
        self._lock = threading.Lock()
        self._answer: Future[tuple[str, str]] | None = None
        self._until = 0.0
        self._said = "ok"

    def begin(self) -> Callable[[], str]:
        """Begin to ask, unless somebody has; return how to get the answer."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer, self._until = Future(), time.monotonic() + LIMIT_SECONDS
                # A daemon: it may outlive the limit, but never the process.
                threading.Thread(target=self._run, args=[self._answer], name=f"ask {self._name}", daemon=True).start()
            return partial(self._wait, self._answer, self._until)

    def _run(self, answer: Future[tuple[str, str]]) -> None:
        try:
            self.found = self._ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            # Everybody may ask; hosts, accounts and users, which errors name, are for the log.
            answer.set_result((f"away: {type(error.__cause__ or error).__name__}", str(error)))
        else:
            answer.set_result(("ok", ""))

    def _wait(self, answer: Future[tuple[str, str]], until: float) -> str:
        try:
            words, cause = answer.result(timeout=max(0.0, until - time.monotonic()))
        except TimeoutError:
            words, cause = f"no answer within {LIMIT_SECONDS:g} s", ""
        if words != self._said:  # A change is worth a line; each probe is not.
            self._said = words
            log.warning("readiness changed", check=self._name, answer=words, cause=cause)
        return words


def ask_database(connect_seconds: int | None = None) -> None:
    """Connect and ask, or raise OperationalError, apart from the pool: that one waits for 5 s and hides the cause.

    A pool that is merely busy, then, keeps no buyer away.
    """
    plain = connection.copy()
    options = plain.settings_dict["OPTIONS"]
    options.pop("pool", None)
    if connect_seconds and plain.vendor == "postgresql":
        options["connect_timeout"] = connect_seconds
    try:
        with plain.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        plain.close()


CHECKS = {
    "database": Check("database", lambda: ask_database(CONNECT_SECONDS)),
    "queue": Check("queue", queue.ping),
}
