"""The pages that everybody sees: look up and render. Buying is in checkout.py, what comes after in bought.py."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import push_url

from tickets import kept
from tickets.models import Gig
from tickets.search import Search

GIGS_A_PAGE = 12


@require_safe
@vary_on_headers("HX-Request")  # else "back" could show the part without its page
def gig_list(request):
    if request.htmx:
        context = _gigs(request)
        return push_url(render(request, "tickets/_gigs.html", context), context["address"])
    return HttpResponse(
        kept.page(request, "list", lambda: render_to_string("tickets/gig_list.html", _gigs(request), request=request))
    )


def _gigs(request) -> dict:
    search = Search(request.GET)
    # All of them by one query, in place of a count and a page: a shop has hundreds of gigs, not millions.
    gigs = list(search.among(Gig.objects.published()))
    page = Paginator(gigs, GIGS_A_PAGE).get_page(request.GET.get("page"))
    return {
        "search": search,
        "page_obj": page,
        "address": search.address(page.number),
        "earlier": search.address(page.previous_page_number()) if page.has_previous() else None,
        "later": search.address(page.next_page_number()) if page.has_next() else None,
    }
