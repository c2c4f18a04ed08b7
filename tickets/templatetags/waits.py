"""Say how long to wait."""

import math

from django import template
from django.utils.formats import get_format
from django.utils.translation import ngettext

register = template.Library()


@register.filter
def spoken(seconds: int) -> str:
    """Say a time in seconds as people do: never less than it is."""
    if seconds < 90:
        return ngettext("%(number)s second", "%(number)s seconds", seconds) % {"number": seconds}
    minutes = math.ceil(seconds / 60)
    return ngettext("%(number)s minute", "%(number)s minutes", minutes) % {"number": minutes}


@register.filter
def brief(seconds: float) -> str:
    """Say a time in seconds in as few letters as tell it: 0.84 s, 12 s, 3 min, 5 h, 2 d."""
    if seconds < 10:
        return f"{seconds:.2g} s".replace(".", get_format("DECIMAL_SEPARATOR"))
    for unit, length, end in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < end:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"
