"""How long a client must wait before it may buy, or sign in, again.

A client is an address. Many people may stand behind one (an office, a campus, a whole mobile network: RFC 6269), so the
limits in the settings are for machines, not for crowds.
"""

import functools
import math
import re
import threading
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max
from django.utils import timezone
from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from tickets.breaker import Breaker, BreakerOpen
from tickets.models import Purchase

log = structlog.get_logger(__name__)
breaker = Breaker(failure=StorageError)

FORGET_SECONDS = 60  # To look through 100,000 clients takes 15 ms.
CACHE_SECONDS = 0.5  # for Redis to connect, then to answer: a buyer waits for it
# An address alone or with a port, as proxies write it: 192.0.2.1, 192.0.2.1:443, 2001:db8::1, [2001:db8::1]:443.
_ADDRESS = re.compile(r"\[(.+)\](?::[0-9]+)?|([0-9.]+):[0-9]+|(.+)")


# --- The client -----------------------------------------------------------------------------------


def client_address(request) -> str | None:
    """Give the address of a request's client, so far as our own proxies vouch for it; of an IPv6 one its /64.

    A /64 is what one subscriber gets (RFC 6177), so whoever changes addresses within it is still the same client.
    """
    found = None
    if settings.PROXY_COUNT:
        # Each proxy appends whom it was called by. What stands left of our proxies' words anybody may have written.
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        found = _read(hops[-min(settings.PROXY_COUNT, len(hops))])
    address = found or _read(request.META.get("REMOTE_ADDR", ""))
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64)
    return str(address) if address else None


def _read(text: str) -> IPv4Address | IPv6Address | None:
    found = _ADDRESS.fullmatch(text.strip())
    try:
        return ip_address(found[1] or found[2] or found[3]) if found else None
    except ValueError:
        return None


# --- Buying ---------------------------------------------------------------------------------------


def purchase_wait(request, token: str) -> int:
    """Count a purchase that is about to be made; return 0 where it may be, else the whole seconds until it may.

    A `token` that has bought may always come back to its purchase. While the cache is away everybody may buy.
    """
    wait = _count("purchase", client_address(request) or "unknown", settings.PURCHASE_LIMITS)
    if wait and Purchase.objects.filter(token=token).exists():
        return 0
    return wait


def _count(what: str, whose: str, rates: list[RateLimitItem]) -> int:
    try:
        with breaker:
            # The shortest first: what it refuses is not counted by the longer ones, however often a buyer tries.
            for limit in sorted(rates, key=lambda limit: limit.get_expiry()):
                if not _limiter().hit(limit, what, whose):
                    end = _limiter().get_window_stats(limit, what, whose).reset_time
                    return max(1, math.ceil(end - time.time()))
    except (StorageError, BreakerOpen) as error:
        log.warning("not counted, for the cache is away", what=what, cause=str(error))
    return 0


class _InThisProcess(MemoryStorage):
    """Count for one thread after the other, and forget once a minute what is over.

    The library's own (5.8) looks for that after each count, through all clients of the last hour and in a thread that
    it starts for it: 0.4 ms of CPU a purchase, 2.4 where 20,000 have bought, 25 where 100,000 have. And of two threads
    that count at once both may start that one, which raises: https://github.com/alisaifee/limits/pull/352.
    """

    STORAGE_SCHEME = ["memory"]  # in its place

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.timer = threading.main_thread()  # Alive as long as the process, so that no other is ever started.
        self._turn = threading.Lock()
        self._forgot_at = time.time()

    def incr(self, *args, **options) -> int:
        with self._turn:
            if time.time() - self._forgot_at > FORGET_SECONDS:
                self._forget()
            return super().incr(*args, **options)

    def _forget(self) -> None:
        self._forgot_at = time.time()
        for key, end in list(self.expirations.items()):
            if end <= self._forgot_at:
                self.clear(key)


@functools.cache
def _limiter() -> FixedWindowRateLimiter:
    """Make the counter, once a process: in Redis, or in this process's own memory where no CACHE_URL is set."""
    if not settings.CACHE_URL:
        return FixedWindowRateLimiter(storage_from_string("memory://"))
    return FixedWindowRateLimiter(
        storage_from_string(
            settings.CACHE_URL,
            wrap_exceptions=True,
            socket_connect_timeout=CACHE_SECONDS,
            socket_timeout=CACHE_SECONDS,
            # One more try, for a kept connection may have been closed; the default would sleep in between.
            retry=Retry(NoBackoff(), retries=1),
        )
    )


def forget() -> None:
    """Forget the counter, for whoever changes the settings."""
    _limiter.cache_clear()


# --- Signing in -----------------------------------------------------------------------------------


def sign_in_wait(request) -> int:
    """Give the whole seconds until django-axes has forgotten the failures of this client's address."""
    last = AccessAttempt.objects.filter(ip_address=client_address(request)).aggregate(last=Max("attempt_time"))["last"]
    end = (last or timezone.now()) + settings.AXES_COOLOFF_TIME
    return max(1, math.ceil((end - timezone.now()).total_seconds()))
