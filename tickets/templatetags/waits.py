"""Say how long to wait."""

import math

from django import template

register = template.Library()


@register.filter
def spoken(seconds: int) -> str:
    """Say a time in seconds as people do: never less than it is."""
    if seconds < 90:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{math.ceil(seconds / 60)} minutes"
