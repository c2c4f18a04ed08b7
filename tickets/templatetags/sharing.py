"""Tell machines about a page."""

import json

from django import template
from django.utils.safestring import SafeString, mark_safe

from tickets import sharing

register = template.Library()

# So that no text ends the element it stands in.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


@register.filter
def absolute(path: str) -> str:
    return sharing.absolute(path)


@register.simple_tag
def event(gig) -> SafeString:
    """Describe a gig in JSON-LD: a block of data, which no browser runs and no Content-Security-Policy forbids."""
    data = json.dumps(sharing.event(gig), ensure_ascii=False).translate(_ESCAPES)
    return mark_safe(f'<script type="application/ld+json">{data}</script>')  # noqa: S308 - escaped above
