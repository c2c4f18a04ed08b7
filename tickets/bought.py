"""What a buyer sees after buying: the purchase, and each ticket. Whoever has such an address has the page."""

from django.db.models import Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tickets import codes
from tickets.models import Purchase, Ticket


@require_safe
@never_cache
def purchase(request, pk):
    return _private(render(request, "tickets/purchase.html", {"purchase": _purchase(pk)}))


@require_safe
@never_cache
def purchase_status(request, pk):
    return _private(render(request, "tickets/_purchase_status.html", {"purchase": _purchase(pk)}))


@require_safe
@never_cache
def by_token(request, token):
    """Lead to the purchase that a submission of the form has made, or say that there is none."""
    purchase = Purchase.objects.filter(token=token).first()
    return _private(redirect(purchase) if purchase else render(request, "tickets/nothing_bought.html", status=404))


@require_safe
@never_cache
def ticket(request, code):
    found, edition = _ticket(code)
    if found.cancelled_at or edition != found.edition:
        return _private(render(request, "tickets/ticket_void.html", {"ticket": found}, status=410))
    return _private(render(request, "tickets/ticket.html", {"ticket": found, "gig": found.gig}))


def _purchase(pk) -> Purchase:
    tickets = Prefetch("tickets", Ticket.objects.order_by("name", "pk"))
    return get_object_or_404(Purchase.objects.select_related("gig").prefetch_related(tickets), pk=pk)


def _ticket(code: str) -> tuple[Ticket, int]:
    """Find the ticket of a signed code; give it, and the edition that the code was signed for."""
    try:
        ticket_id, edition = codes.read(code)
    except codes.Forged as error:
        raise Http404 from error
    return get_object_or_404(Ticket.objects.select_related("purchase__gig"), pk=ticket_id), edition


def _private(response: HttpResponse) -> HttpResponse:
    # The address must not get about: not to search engines, not as a referrer.
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response
