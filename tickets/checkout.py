"""Buying: a gig's page with its form, and the checks beside the fields."""

import re
import uuid

from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from tickets import kept, limits, purchases
from tickets.forms import MAX_TICKETS, OwnerForm, OwnerFormSet, PurchaseForm
from tickets.models import Gig, Purchase, Ticket
from tickets.payment import CARD_FIELDS

# They stand in the kept page where each reader's own come: no text of ours, or an organiser's, is one by chance.
TOKENS = {name: f"{uuid.uuid4()}" for name in ("csrf", "form")}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache  # A copy from a cache, or from the browser's history, would carry a token that has been used.
@sensitive_post_parameters(*CARD_FIELDS)
@sensitive_variables("form")
def gig(request, slug):
    gig = kept.gig(slug)
    if gig is None or not gig.is_published:
        raise Http404
    if request.method != "POST":
        return _page_for_all(request, gig)
    if gig.status() != Gig.Status.ON_SALE and not _has_bought(request):  # Nobody needs to put a form right for that.
        return _not_on_sale(request, gig)
    form, owners = PurchaseForm(request.POST), OwnerFormSet(request.POST)
    if request.POST.keys() & {"add", "remove", "keep", "language"}:
        return _page(request, gig, *_unchecked(request, form, owners))
    if not all([owners.is_valid(), form.is_valid()]):  # Both are asked, so that all errors are shown at once.
        return _page(request, gig, form, owners, status=422)
    token, buyers = str(form.cleaned_data["token"]), owners.owners()
    if wait := limits.purchase_wait(request, token):
        page = _page(request, gig, form, owners, status=429, wait=wait)
        page["Retry-After"] = wait
        return page
    lately = Ticket.objects.bought_lately(gig, [owner.email for owner in buyers], token).values_list("email", flat=True)
    if "again" not in request.POST and (lately := lately.first()):
        return _page(request, gig, form, owners, status=409, lately=lately)
    try:
        sale = purchases.buy(gig, buyers, token, form.cleaned_data["price"])
    except purchases.NotOnSale as refused:
        if refused.gig is None:
            raise Http404 from refused
        return _page(request, refused.gig, form, owners, status=409, refused=refused)
    except purchases.TokenReused:
        return render(request, "tickets/token_reused.html", {"gig": gig, "token": token}, status=422)
    except purchases.Busy:
        return render(request, "tickets/busy.html", {"gig": gig, "token": token}, status=409)
    purchases.publish(sale.tickets)
    address = sale.purchase.get_absolute_url()
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _page_for_all(request, gig: Gig) -> HttpResponse:
    """Show the gig and an empty form: rendered once a second, for all that differs are two tokens, put in here."""
    if request.htmx:
        return _page(request, gig, PurchaseForm(), OwnerFormSet())

    def render_page() -> str:
        form = PurchaseForm(initial={"token": TOKENS["form"]})
        return _page(request, gig, form, OwnerFormSet(), csrf_token=TOKENS["csrf"]).content.decode()

    html = kept.page(request, gig.pk, render_page)
    if TOKENS["csrf"] in html:  # Else there is no form, and whoever looks needs no cookie.
        html = html.replace(TOKENS["csrf"], get_token(request)).replace(TOKENS["form"], str(uuid.uuid4()))
    return HttpResponse(html)


@sensitive_variables("form")
def _page(request, gig: Gig, form: PurchaseForm, owners, status: int = 200, **why) -> HttpResponse:
    """Show the gig, and what was typed but for card number and security code; `why` says why it isn't bought yet."""
    state = gig.status()
    if state != Gig.Status.ON_SALE:
        if request.method == "POST":
            return _not_on_sale(request, gig)
        form = None
    elif form.is_bound and status == 422:
        wrong = [field for each in (*owners, form) for field in each.visible_fields() if field.errors]
        if wrong:
            _focus(wrong[0])
    if form and not request.htmx:  # With htmx the card never leaves the browser's page.
        form.ask_for_unprinted()
    page = {
        "gig": gig,
        "status": state,
        "form": form,
        "owners": owners,
        "total": gig.price * len(owners.forms),
        "most": min(MAX_TICKETS, gig.available),
    }
    return render(request, "tickets/gig_detail.html", page | why, status=status)


def _not_on_sale(request, gig: Gig) -> HttpResponse:
    """Say why a form can't buy any more: most of a crowd comes too late, and all of it within a minute."""
    status = gig.status()
    page = {"gig": gig, "status": status}
    html = kept.page(
        request, (gig.pk, status), lambda: render_to_string("tickets/not_on_sale.html", page, request=request)
    )
    return HttpResponse(html, status=409)


def _has_bought(request) -> bool:
    """Tell whether this very form has bought: it leads to its purchase, whatever became of the gig since."""
    try:
        token = PurchaseForm.base_fields["token"].clean(request.POST.get("token"))
    except ValidationError:
        return False
    return Purchase.objects.filter(token=token).exists()


@sensitive_variables("form")
def _unchecked(request, form: PurchaseForm, owners) -> tuple[PurchaseForm, OwnerFormSet]:
    """Give the forms as they were typed, or with owners' rows more or less, and nothing checked yet."""
    rows = owners.typed()
    if "add" in request.POST:
        rows = [*rows, {}][:MAX_TICKETS]
    elif request.POST.get("remove") in map(str, range(len(rows))):
        del rows[int(request.POST["remove"])]
    elif request.POST.get("keep") in map(str, range(1, len(rows))):
        del rows[int(request.POST["keep"]) :]
    owners = OwnerFormSet(initial=rows)
    if "language" not in request.POST:
        _focus(owners.forms[-1]["name"])
    return PurchaseForm(initial={field.name: field.value() for field in form}), owners


def _focus(field) -> None:
    field.field.widget.attrs["autofocus"] = True


@require_POST
@sensitive_post_parameters(*CARD_FIELDS)
def check(request):
    """Say what is wrong with the one field that was sent: never card number or security code."""
    name = " ".join(request.POST.keys() - {"csrfmiddlewaretoken"})
    if row := re.fullmatch("(owners-[0-9])-(name|email)", name):
        field = OwnerForm(request.POST, prefix=row[1])[row[2]]
    elif name in ("name_on_card", "card_expiry"):
        field = PurchaseForm(request.POST)[name]
    else:
        raise Http404("no field that is checked by itself")
    return render(request, "tickets/_errors.html", {"field": field})
