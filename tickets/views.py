"""The pages: look up, validate, call one function, redirect or render."""

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import push_url

from tickets import kept, limits, purchases
from tickets.forms import PurchaseForm
from tickets.models import Gig
from tickets.payment import CARD_FIELDS
from tickets.search import Search

GIGS_A_PAGE = 12


@require_safe
@vary_on_headers("HX-Request")  # else "back" could show the part without its page
def gig_list(request):
    search = Search(request.GET)
    page = Paginator(search.among(Gig.objects.published()), GIGS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "search": search,
        "page_obj": page,
        "earlier": search.address(page.previous_page_number()) if page.has_previous() else None,
        "later": search.address(page.next_page_number()) if page.has_next() else None,
    }
    if request.htmx:
        return push_url(render(request, "tickets/_gigs.html", context), search.address(page.number))
    return render(request, "tickets/gig_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache  # A copy from a cache, or from the browser's history, would carry a token that has been used.
@sensitive_post_parameters(*CARD_FIELDS)
@sensitive_variables("form")
def gig(request, slug):
    gig = kept.gig(slug)
    if gig is None or not gig.is_published:
        raise Http404
    form = PurchaseForm(request.POST if request.method == "POST" else None)
    valid = request.method == "POST" and form.is_valid()
    wait = limits.purchase_wait(request, str(form.cleaned_data["token"])) if valid else 0
    if valid and not wait:
        try:
            sale = purchases.buy(gig, form.owners(), str(form.cleaned_data["token"]))
        except purchases.NotOnSale as error:
            return render(request, "tickets/not_on_sale.html", {"gig": gig, "status": error.status}, status=409)
        except purchases.TokenReused:
            return render(request, "tickets/token_reused.html", {"gig": gig}, status=422)
        except purchases.Busy:
            return render(request, "tickets/busy.html", status=409)
        purchases.publish(sale.tickets)
        return redirect(sale.purchase)
    if gig.status() != Gig.Status.ON_SALE:
        if request.method == "POST":
            return render(request, "tickets/not_on_sale.html", {"gig": gig, "status": gig.status()}, status=409)
        form = wait = None
    page = {"gig": gig, "form": form, "wait": wait}
    if wait:
        return _later(render(request, "tickets/gig_detail.html", page, status=429), wait)
    return render(request, "tickets/gig_detail.html", page, status=422 if form and form.errors else 200)


def sign_in_locked(request, _response, _credentials):
    """Answer instead of the sign-in page, as django-axes asks for, and say when to try again."""
    wait = limits.sign_in_wait(request)
    return _later(render(request, "tickets/sign_in_locked.html", {"wait": wait}, status=429), wait)


def _later(response: HttpResponse, seconds: int) -> HttpResponse:
    response["Retry-After"] = seconds
    return response
