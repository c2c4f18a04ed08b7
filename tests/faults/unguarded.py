"""The shop with the guard against overselling switched off: it looks first and takes then."""

from timelessmusic.wsgi import application  # noqa: F401, I001 - it sets Django up, and granian serves it from here

from contextlib import suppress
from threading import BrokenBarrierError, Barrier

from django.db.models import F

from tickets.models import GigQuerySet

# Three look before one takes: what may happen at any time then happens every time. The last ones wait in vain.
looked = Barrier(3, timeout=3)


def look_then_take(gigs, seats):
    free = gigs.filter(sold__lte=F("capacity") - seats).exists()
    with suppress(BrokenBarrierError):
        looked.wait()
    return free and gigs.update(sold=F("sold") + seats)


GigQuerySet.reserve = look_then_take
