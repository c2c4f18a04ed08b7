"""What everybody asks for, as it was a moment ago, so that a crowd does not have it read and drawn for each one."""

import math
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TypeVar

from django.core.validators import slug_re
from django.utils.translation import get_language

from tickets.models import Gig

T = TypeVar("T")
SECONDS = 1  # how long it is kept; as long again while it is made anew

_kept: dict[Hashable, tuple[float, object]] = {}
_making: dict[Hashable, Future] = {}  # right now, by one thread


def gig(slug: str) -> Gig | None:
    """Give a gig, published or not; to sell by it is safe, for buy() asks the row itself for price, seats and times."""
    if not slug_re.fullmatch(slug):  # PostgreSQL takes no NUL, and no half of a surrogate pair.
        return None
    return once(slug, lambda: Gig.objects.filter(slug=slug).first())


def page(request, name: Hashable, render: Callable[[], str]) -> str:
    """Give a page that is the same for all who read its language; one with a query has that in its own address."""
    if request.META["QUERY_STRING"]:
        return render()
    return once((name, get_language()), render)


def once(key: Hashable, make: Callable[[], T]) -> T:
    """Give what `make` gave for this key a moment ago, or gives now. `key` is one of few, as this never forgets one.

    Of all threads that find it old one makes it anew. The others take the old one, or wait for what that thread makes.
    """
    made_at, found = _kept.get(key, (-math.inf, None))
    age = time.monotonic() - made_at
    if age < SECONDS:
        return found
    mine: Future[T] = Future()
    making = _making.setdefault(key, mine)
    if making is not mine:
        return found if age < 2 * SECONDS else making.result()
    made_at = time.monotonic()
    try:
        found = make()
        if found:  # Only what there is, or addresses that somebody makes up would fill the memory.
            _kept[key] = (made_at, found)
    except BaseException as error:  # whatever it is: nobody may wait for ever
        mine.set_exception(error)
        raise
    finally:
        del _making[key]
    mine.set_result(found)
    return found
