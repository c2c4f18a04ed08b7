"""Say days, times and prices as people do where a reader's language is spoken."""

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from django import template
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

register = template.Library()

# Django's Italian catalog begins them with a capital letter, Italian doesn't. Named here, they have a place in ours.
MONTHS = [
    gettext_noop("January"),
    gettext_noop("February"),
    gettext_noop("March"),
    gettext_noop("April"),
    gettext_noop("May"),
    gettext_noop("June"),
    gettext_noop("July"),
    gettext_noop("August"),
    gettext_noop("September"),
    gettext_noop("October"),
    gettext_noop("November"),
    gettext_noop("December"),
]
WEEKDAYS = [
    gettext_noop("Monday"),
    gettext_noop("Tuesday"),
    gettext_noop("Wednesday"),
    gettext_noop("Thursday"),
    gettext_noop("Friday"),
    gettext_noop("Saturday"),
    gettext_noop("Sunday"),
]


@register.filter
def day(value: date) -> str:
    """Say a day: Friday, 20 August 1991."""
    # Translators: a date's format, see Django's template filter `date`.
    return _say(value, _("l, j F Y"))


@register.filter(expects_localtime=True)
def brief_day(value: date) -> str:
    """Say a day in few letters, which stay on one line: 20 Aug 1991."""
    return _say(value, "DATE_FORMAT").replace(" ", "\N{NO-BREAK SPACE}")


@register.filter
def moment(value: datetime, zone: str = "") -> str:
    """Say a time in `zone`, or in the one it is given in, and name it: Friday, 20 August 2027, 19:30 IST."""
    if zone:
        value = value.astimezone(ZoneInfo(zone))
    # Translators: a time's format, see Django's template filter `date`.
    return _say(value, _("l, j F Y, H:i T"))


@register.filter
def price(value: Decimal, digits: int = 2) -> str:
    """Say a price in US dollars: $120.00."""
    # Translators: a price in US dollars, on one line.
    return _("$%(amount)s") % {"amount": number_format(value, digits, force_grouping=True)}


def _say(value: date, pattern: str) -> str:
    # An instant is equal to itself by another clock, so that is told, too.
    return _said(value, getattr(value, "tzinfo", None), pattern, get_language())


@lru_cache(1000)  # A mail says eight times when it was and will be: 25 µs each, for many words are looked up.
def _said(value: date, _clock, pattern: str, _language: str) -> str:
    return date_format(value, pattern)
