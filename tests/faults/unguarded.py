"""The shop with the guard against overselling switched off: it looks first and takes then."""

from timelessmusic.wsgi import application  # noqa: F401, I001 - it sets Django up, and granian serves it from here

from django.db.models import F

from tickets.models import GigQuerySet


def look_then_take(gigs, seats):
    return gigs.filter(sold__lte=F("capacity") - seats).exists() and gigs.update(sold=F("sold") + seats)


GigQuerySet.reserve = look_then_take
