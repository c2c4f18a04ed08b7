"""What the shop tells search engines and social networks: where a page stands, what a gig is, what there is to read."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from tickets.images import address
from tickets.models import Gig

AVAILABILITY = {
    Gig.Status.ON_SALE: "InStock",
    Gig.Status.NOT_YET: "PreOrder",
    Gig.Status.SOLD_OUT: "SoldOut",
}


def absolute(path: str) -> str:
    """Give the address that a page has for all the world, however this request came here."""
    return settings.SITE_URL + path


def event(gig: Gig) -> dict:
    """Describe a gig's trip as schema.org has it, an Event with its Offer."""
    place = {"@type": "Place", "name": gig.collection_point, "address": f"{gig.collection_point}, {gig.city}"}
    if gig.latitude is not None and gig.longitude is not None:
        place["geo"] = {"@type": "GeoCoordinates", "latitude": str(gig.latitude), "longitude": str(gig.longitude)}
    offer = {
        "@type": "Offer",
        "url": absolute(gig.get_absolute_url()),
        "price": str(gig.price),
        "priceCurrency": "USD",
        # What is over or not sold any more can't be had either.
        "availability": f"https://schema.org/{AVAILABILITY.get(gig.status(), 'SoldOut')}",
    }
    if gig.sales_start:
        offer["validFrom"] = gig.sales_start.isoformat()
    return {
        "@context": "https://schema.org",
        "@type": "Event",
        "name": f"{gig.artist}, {gig.venue}, {gig.city} {gig.year}",
        "description": gig.description,
        "startDate": gig.departure.isoformat(),
        "eventStatus": "https://schema.org/EventScheduled",
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": place,
        "performer": {"@type": "MusicGroup", "name": gig.artist},
        "organizer": {"@type": "Organization", "name": "TimelessMusic", "url": absolute("/")},
        "image": [absolute(address(gig, name)) for name in ("preview", "poster_png")],
        "offers": offer,
    }


class Pages(Sitemap):
    """Name the list and every gig by the addresses they have for all the world."""

    def items(self):
        return [
            reverse("gigs"),
            *(reverse("gig", args=[slug]) for slug in Gig.objects.published().values_list("slug", flat=True)),
        ]

    def location(self, item):
        return item

    def get_protocol(self, protocol=None):
        return urlsplit(settings.SITE_URL).scheme

    def get_domain(self, site=None):
        return urlsplit(settings.SITE_URL).netloc


@require_safe
@cache_control(public=True, max_age=3600)
def robots(request):
    # Purchases and tickets aren't listed here: nobody links to them, and they say noindex to whoever finds one.
    lines = ("User-agent: *", "Disallow: /admin/", "", f"Sitemap: {absolute(reverse('sitemap'))}", "")
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")
