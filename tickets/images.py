"""A gig's pictures at their addresses: drawn when asked for, kept by whoever asked."""

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.http import require_safe

from tickets import kept, maps, posters
from tickets.models import Gig

YEAR, HOUR = 31_536_000, 3_600  # seconds
POSTER_PNG_WIDTH = 900  # px


def address(gig: Gig, name: str) -> str:
    """Give a picture's address with its version: another drawing is at another one, so this may be kept for ever."""
    return f"{reverse(name, args=[gig.slug])}?v={_DRAWN[name](gig).version}"


@require_safe
def poster(request, slug):
    return _svg(request, slug, "poster")


@require_safe
def collection_point_map(request, slug):
    return _svg(request, slug, "map")


@require_safe
def poster_png(request, slug):
    return _png(request, slug, "poster_png", POSTER_PNG_WIDTH)


@require_safe
def preview_png(request, slug):
    return _png(request, slug, "preview", posters.PREVIEW_WIDTH)


def _svg(request, slug, name):
    picture = _draw(slug, name)
    return _kept(request, picture, lambda: HttpResponse(picture.svg, content_type="image/svg+xml"))


def _png(request, slug, name, width):
    picture = _draw(slug, name)
    return _kept(request, picture, lambda: HttpResponse(posters.png(picture.svg, width), content_type="image/png"))


def _draw(slug, name) -> posters.Picture:
    gig = kept.gig(slug)
    if gig is None or not gig.is_published:
        raise Http404
    return _DRAWN[name](gig)


def _kept(request, picture, answer):
    """Answer with the picture, or that it is still the one the browser has."""
    etag = f'"{picture.version}"'
    response = get_conditional_response(request, etag=etag) or answer()
    response["ETag"] = etag
    if request.GET.get("v") == picture.version:
        patch_cache_control(response, public=True, max_age=YEAR, immutable=True)
    else:
        patch_cache_control(response, public=True, max_age=HOUR)
    return response


_DRAWN = {
    "poster": posters.poster,
    "poster_png": posters.poster,
    "preview": posters.preview,
    "map": maps.collection_point,
}
