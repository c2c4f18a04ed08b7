"""Say about a gig what only pages need to know."""

from django import template

from tickets import images
from tickets import terms as ticket_terms

register = template.Library()

FEW_SEATS = 20
FEW_PERCENT = 10


@register.filter
def few_left(gig) -> bool:
    """Tell whether so few seats are left that a buyer should hear of it."""
    return 0 < gig.available <= max(FEW_SEATS, gig.capacity * FEW_PERCENT // 100)


@register.filter
def picture(gig, name: str) -> str:
    """Give the address of one of a gig's pictures: poster, poster_png, preview or map."""
    return images.address(gig, name) if gig else ""


@register.inclusion_tag("tickets/_terms.html")
def terms(status) -> dict:
    """Say what a ticket includes, and what becomes of one whose owner can't go, while the gig's status lets it."""
    return {"terms": ticket_terms, "status": status}
