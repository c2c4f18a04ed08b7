"""What a buyer sees after buying: the purchase, and each ticket. Whoever has such an address has the page."""

from datetime import timedelta
from functools import wraps

from django.db.models import Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import http_date
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tickets import aftersales, calendars, codes, qr
from tickets.forms import AddressForm
from tickets.models import Purchase, Ticket

KEPT_AFTER_DEPARTURE = timedelta(days=1)  # on its owner's device; some enter late


def _private(view):
    """Keep the answer to whoever has the address: from caches and search engines.

    Other sites get no referrer from any of our pages. "no-referrer" would go too far: with it a browser hides even from
    us where a form here comes from, and the form is refused as a forged one.
    """

    @never_cache
    @wraps(view)
    def wrapped(request, *args, **kwargs):
        response = view(request, *args, **kwargs)
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return wrapped


# --- The purchase ---------------------------------------------------------------------------------


@require_safe
@_private
def purchase(request, pk):
    return _page(request, _purchase(pk))


@require_safe
@_private
def purchase_status(request, pk):
    """Give the part of the page that changes; nothing where the page has it already, so that nothing is read aloud."""
    found = _purchase(pk)
    if request.GET.get("seen") == found.progress:
        return HttpResponse(status=204)
    return render(request, "tickets/_purchase_status.html", {"purchase": found})


@require_safe
@_private
def by_token(request, token):
    """Lead to the purchase that a submission of the form has made, or say that there is none."""
    found = Purchase.objects.filter(token=token).first()
    return redirect(found) if found else render(request, "tickets/nothing_bought.html", status=404)


@require_safe
@_private
def calendar(request, pk):
    tickets = [ticket for ticket in _purchase(pk).tickets.all() if not (ticket.moved_at or ticket.cancelled_at)]
    return _calendar(tickets)


@require_http_methods(["GET", "HEAD", "POST"])
@_private
def mail_again(request, pk, ticket_id):
    if request.method != "POST":  # By the language's switch on the page below, say.
        return redirect("purchase", pk)
    ticket = _ticket_of(pk, ticket_id)
    if ticket.mailed_at or ticket.parked_at:  # Else the mail is still to come.
        if wait := aftersales.own_mail_wait(ticket):
            page = _page(request, _purchase(pk), status=429, wait=wait, waits=ticket)
            page["Retry-After"] = wait
            return page
        aftersales.mail_own_again(ticket)  # No? Then it is on its way already.
    return redirect(ticket.purchase)


@require_http_methods(["GET", "HEAD", "POST"])
@_private
def correct_address(request, pk, ticket_id):
    ticket = _ticket_of(pk, ticket_id)
    form = AddressForm(request.POST or None, ticket=ticket)
    if not ticket.may_be_readdressed:
        return render(request, "tickets/correct_address.html", {"ticket": ticket, "form": None}, status=409)
    if form.is_valid() and "language" not in request.POST:  # Then it was the switch that sent it.
        aftersales.correct_own_address(ticket, form.cleaned_data["email"])  # No? Then it has just been corrected.
        return redirect(ticket.purchase)
    if form.errors:
        form.fields["email"].widget.attrs["autofocus"] = True
    page = {"ticket": ticket, "form": form}
    return render(request, "tickets/correct_address.html", page, status=422 if form.errors else 200)


def _page(request, purchase: Purchase, status: int = 200, **more) -> HttpResponse:
    return render(request, "tickets/purchase.html", {"purchase": purchase} | more, status=status)


def _purchase(pk) -> Purchase:
    tickets = Prefetch("tickets", Ticket.objects.order_by("pk"))
    return get_object_or_404(Purchase.objects.select_related("gig").prefetch_related(tickets), pk=pk)


def _ticket_of(pk, ticket_id) -> Ticket:
    """Find a ticket that is the buyer's to ask for; one that was moved is another owner's."""
    tickets = Ticket.objects.select_related("purchase__gig")
    return get_object_or_404(tickets, pk=ticket_id, purchase=pk, moved_at=None)


# --- The ticket -----------------------------------------------------------------------------------


@require_safe
@_private
def ticket(request, code):
    found, edition = _ticket(code)
    if found.cancelled_at or edition != found.edition:
        # Whoever has the code of an earlier edition may not learn whose the ticket is now.
        page = {"ticket": found, "gig": found.gig, "is_owners": edition == found.edition}
        return render(request, "tickets/ticket_void.html", page, status=410)
    until = found.gig.departs_at + KEPT_AFTER_DEPARTURE
    page = {"ticket": found, "gig": found.gig, "qr": qr.svg(found.code), "keep": until > timezone.now()}
    response = render(request, "tickets/ticket.html", page)
    response["Kept-Until"] = http_date(until.timestamp())  # for the service worker
    return response


@require_safe
@_private
def ticket_calendar(request, code):
    found, edition = _ticket(code)
    if found.cancelled_at or edition != found.edition:
        raise Http404("void")
    return _calendar([found])


@require_safe
def ticket_worker(request):
    """Give the service worker that keeps tickets at hand without a network. Its address says what it may serve."""
    response = render(request, "tickets/ticket_worker.js", content_type="text/javascript")
    response["Cache-Control"] = "no-cache"  # A browser asks for a newer one each time.
    return response


def _ticket(code: str) -> tuple[Ticket, int]:
    """Find the ticket of a signed code; give it, and the edition that the code was signed for."""
    try:
        ticket_id, edition = codes.read(code)
    except codes.Forged as error:
        raise Http404 from error
    return get_object_or_404(Ticket.objects.select_related("purchase__gig"), pk=ticket_id), edition


def _calendar(tickets: list[Ticket]) -> HttpResponse:
    if not tickets:
        raise Http404("nothing to put into a calendar")
    file = HttpResponse(calendars.ics(tickets), content_type=calendars.CONTENT_TYPE)
    file["Content-Disposition"] = 'attachment; filename="tickets.ics"'
    return file
