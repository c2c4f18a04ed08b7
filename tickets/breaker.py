"""Keep requests fast while a service is away: SQS, or the cache."""

import threading
import time


class BreakerOpen(Exception):
    pass


class Breaker:
    """Refuse calls for `pause` seconds after `limit` failures in a row, then let one through to see.

    `with breaker:` around the call; a `failure` raised inside counts. Our own, because the libraries hold a lock
    during the call, which would put concurrent publishing requests one behind the other.
    """

    def __init__(self, failure: type[Exception], limit: int = 3, pause: float = 30.0, clock=time.monotonic):
        self._failure, self._limit, self._pause, self._clock = failure, limit, pause, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0

    def __enter__(self):
        with self._lock:
            if self._failures >= self._limit:
                if self._clock() < self._retry_at:
                    raise BreakerOpen(f"{self._failures} failures in a row; next try in a moment")
                # This caller finds out; the others keep away until it has.
                self._retry_at = self._clock() + self._pause

    def __exit__(self, kind, error, traceback):
        with self._lock:
            if isinstance(error, self._failure):
                self._failures += 1
                self._retry_at = self._clock() + self._pause
            else:
                self._failures = 0
