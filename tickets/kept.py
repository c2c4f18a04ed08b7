"""What everybody asks for, as it was a moment ago, so that a crowd does not have it read and drawn for each one."""

import time
from collections.abc import Callable, Hashable
from typing import TypeVar

from django.core.validators import slug_re

from tickets.models import Gig

T = TypeVar("T")
SECONDS = 1  # how long it is kept

_kept: dict[Hashable, tuple[float, object]] = {}


def gig(slug: str) -> Gig | None:
    """Give a gig, published or not; to sell by it is safe, for buy() asks the row itself for price, seats and times."""
    if not slug_re.fullmatch(slug):  # PostgreSQL takes no NUL, and no half of a surrogate pair.
        return None
    return once(slug, lambda: Gig.objects.filter(slug=slug).first())


def once(key: Hashable, make: Callable[[], T]) -> T:
    """Give what `make` gave for this key a moment ago, or gives now. `key` is one of few, as this never forgets one."""
    made_at, found = _kept.get(key, (0.0, None))
    if found is None or time.monotonic() - made_at >= SECONDS:
        made_at, found = time.monotonic(), make()
        if found:  # Only what there is, or addresses that somebody makes up would fill the memory.
            _kept[key] = (made_at, found)
    return found
