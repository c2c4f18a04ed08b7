"""The shop in JSON, for front ends on other origins: look up, validate, call one function, answer.

openapi.yml describes it. No cookie is read or set here, so there is no session to protect with a CSRF token.
"""

import json
import re
from datetime import datetime
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.conf import settings
from django.core import signing
from django.core.exceptions import RequestDataTooBig
from django.db.models import Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import conditional_page, require_POST, require_safe

from tickets import api_input, kept, limits, purchases, strict_json
from tickets.models import Gig

MAX_LIMIT = 100  # gigs in an answer to ?limit=
RETRY_AFTER = 1  # seconds


def _read(max_age: int):
    """Take GET and HEAD alone; let the answer be kept for `max_age` seconds, then be compared by its ETag."""

    def decorate(view):
        view = cache_control(public=True, max_age=max_age)(conditional_page(view))
        return csrf_exempt(require_safe(view))  # exempt, so that POST is told what is wrong: the method

    return decorate


# --- Gigs -----------------------------------------------------------------------------------------


@_read(max_age=10)
def gigs(request):
    limit, cursor = request.GET.get("limit"), request.GET.get("cursor")
    found = Gig.objects.published()
    if cursor is not None:
        try:
            departs_at, slug = signing.loads(cursor, salt="cursor")
        except signing.BadSignature:
            return _bad_parameter("cursor")
        departs_at = datetime.fromisoformat(departs_at)
        found = found.filter(Q(departs_at__gt=departs_at) | Q(departs_at=departs_at, slug__gt=slug))
    if limit is None:
        return JsonResponse([_gig(gig) for gig in found], safe=False)
    if not re.fullmatch("[0-9]{1,3}", limit) or not 1 <= int(limit) <= MAX_LIMIT:
        return _bad_parameter("limit")
    limit = int(limit)
    page = list(found[: limit + 1])  # one beyond, to know whether there is a next page
    response = JsonResponse([_gig(gig) for gig in page[:limit]], safe=False)
    if len(page) > limit:
        query = urlencode({"limit": limit, "cursor": cursor_after(page[limit - 1])})
        response["Link"] = f'<{reverse("api_gigs")}?{query}>; rel="next"'
    return response


def cursor_after(gig: Gig) -> str:
    """Give the cursor that goes on behind a gig: its place in the order, signed, so that nobody has to check it."""
    return signing.dumps([gig.departs_at.isoformat(), gig.slug], salt="cursor")


@_read(max_age=10)
def gig(request, gig_id):
    found = kept.gig(gig_id)
    return JsonResponse(_gig(found)) if found and found.is_published else _no_gig(gig_id)


def _gig(gig: Gig) -> dict[str, str | int | bool]:
    return {
        "id": gig.slug,
        "bandName": gig.artist,
        "city": gig.city,
        "year": str(gig.year),
        "date": f"{gig.departure:%Y-%m-%d}",
        "venue": gig.venue,
        "collectionPointMap": f"{gig.slug}.map.svg",
        "collectionPoint": gig.collection_point,
        "collectionTime": f"{gig.departure:%H:%M}",
        "originalDate": gig.original_date.isoformat(),
        "capacity": gig.capacity,
        "description": gig.description,
        "image": f"{gig.slug}.svg",
        "price": f"{gig.price:.2f}",
        "available": gig.available,
        "soldOut": gig.available <= 0,
        "currency": "USD",
    }


# --- Buying ---------------------------------------------------------------------------------------


@csrf_exempt
@require_POST
@never_cache
@sensitive_variables()
def purchase(request):
    if not api_input.is_json(request):
        return _error(415, "Unsupported media type, expected application/json")
    if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
        return _error(411, "Length required, expected a Content-Length")  # WSGI gives no body without
    try:
        data = strict_json.loads(request.body.decode("utf-8-sig"))
    except RequestDataTooBig:
        return _error(413, f"Content too large, expected {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes at most")
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return _error(400, "Invalid content, expected valid JSON")
    owners, fields = api_input.check(data)
    if fields:
        return _error(400, f"Invalid request: missing or invalid field {_quoted(fields)}", fields=fields)
    try:
        token = api_input.token(request)
    except ValueError:
        return _error(400, 'Invalid request: invalid header "Idempotency-Key"')
    if wait := limits.purchase_wait(request, token):
        return _error(
            429, f"Too many purchases from your address, try again in {wait} s", headers={"Retry-After": wait}
        )
    # Not the published ones alone: a sale that is asked for again is found, whatever became of its gig. buy() decides.
    gig = kept.gig(data["gigId"])
    if gig is None:
        return _no_gig(data["gigId"])
    try:
        sale = purchases.buy(gig, owners, token)
    except purchases.NotOnSale as error:
        return _not_on_sale(gig, error.status)
    except purchases.TokenReused:
        return _error(422, "This Idempotency-Key was used with another gig, name or e-mail")
    except purchases.Busy:
        text = "An earlier purchase is still running, send the same request again"
        return _error(409, text, headers={"Retry-After": RETRY_AFTER})
    purchases.publish(sale.tickets)
    ticket = sale.tickets[0] if sale.tickets else sale.purchase.tickets.get()
    return JsonResponse({"ticketId": ticket.pk}, status=202, headers={"Location": sale.purchase.get_absolute_url()})


# --- Refusing -------------------------------------------------------------------------------------


def _error(status: int, error: str, headers: dict | None = None, **more) -> JsonResponse:
    return JsonResponse({"error": error, **more}, status=status, headers=headers)


def _bad_parameter(name: str) -> JsonResponse:
    return _error(400, f"Invalid request: invalid parameter {_quoted([name])}")


def _no_gig(gig_id: str) -> JsonResponse:
    return _error(404, f'Gig "{gig_id}" not found!')


def _not_on_sale(gig: Gig, status: Gig.Status) -> JsonResponse:
    if status == Gig.Status.UNPUBLISHED:
        return _no_gig(gig.slug)
    # On sale, and yet not sold: buy() found another price than the one that was shown.
    why = "its price has just changed" if status == Gig.Status.ON_SALE else status
    return _error(409, f'Gig "{gig.slug}" can\'t be bought: {why}')


def _quoted(names) -> str:
    return ", ".join(f'"{name}"' for name in names)


def always_json(get_response):
    """Say in JSON, too, what goes wrong before or after the views above, where Django has a page for people.

    With DEBUG on that page is a stack trace. Headers stay: Allow, Retry-After and the like.
    """

    def middleware(request):
        response = get_response(request)
        is_json = response.get("Content-Type") == "application/json"
        if request.path.startswith("/api/") and response.status_code >= 400 and not is_json:
            response.content = json.dumps({"error": response.reason_phrase})
            response["Content-Type"] = "application/json"
            del response["Content-Encoding"]  # The page's.
            response["Content-Length"] = len(response.content)
        return response

    return middleware


# --- Describing -----------------------------------------------------------------------------------


@_read(max_age=60)
def specification(request):
    return HttpResponse((settings.BASE_DIR / "openapi.yml").read_bytes(), content_type="application/yaml")


@csrf_exempt
@require_safe
@csp_update({"img-src": "data:"})  # Swagger UI's arrows are pictures in its style sheet; nothing else of it is inline.
def viewer(request):
    return render(request, "tickets/api.html")
