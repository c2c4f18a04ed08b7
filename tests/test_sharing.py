import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from django.utils import timezone

from tickets import images
from tickets.models import Gig

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_home(settings):
    settings.SITE_URL = "https://shop.example.com"


def _event(client, gig):
    page = client.get(gig.get_absolute_url()).content.decode()
    return json.loads(re.search(r'<script type="application/ld\+json">(.+?)</script>', page)[1])


def test_a_gig_is_described_as_an_event_with_its_offer(client, make_gig):
    gig = make_gig(
        slug="nirvana-cork-1991",
        departs_at=datetime(2099, 8, 20, 18, 0, tzinfo=UTC),
        latitude=Decimal("51.89700"),
        longitude=Decimal("-8.47480"),
    )
    assert _event(client, gig) == {
        "@context": "https://schema.org",
        "@type": "Event",
        "name": "Nirvana, Sir Henry's, Cork 1991",
        "description": "Three weeks before the world knew.",
        "startDate": "2099-08-20T19:00:00+01:00",
        "eventStatus": "https://schema.org/EventScheduled",
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": {
            "@type": "Place",
            "name": "South Main Street",
            "address": "South Main Street, Cork",
            "geo": {"@type": "GeoCoordinates", "latitude": "51.89700", "longitude": "-8.47480"},
        },
        "performer": {"@type": "MusicGroup", "name": "Nirvana"},
        "organizer": {"@type": "Organization", "name": "TimelessMusic", "url": "https://shop.example.com/"},
        "image": [f"https://shop.example.com{images.address(gig, name)}" for name in ("preview", "poster_png")],
        "offers": {
            "@type": "Offer",
            "url": "https://shop.example.com/gigs/nirvana-cork-1991/",
            "price": "120.00",
            "priceCurrency": "USD",
            "availability": "https://schema.org/InStock",
        },
    }


@pytest.mark.parametrize(
    ("changes", "availability"),
    [
        ({"sold": 10}, "SoldOut"),
        ({"sales_start": datetime(2098, 1, 1, tzinfo=UTC), "departs_at": datetime(2099, 1, 1, tzinfo=UTC)}, "PreOrder"),
        ({"sales_end": timezone.now()}, "SoldOut"),
        ({"departs_at": timezone.now()}, "SoldOut"),
    ],
)
def test_what_cant_be_bought_is_offered_as_such(client, make_gig, changes, availability):
    offer = _event(client, make_gig(**changes))["offers"]
    assert offer["availability"] == f"https://schema.org/{availability}"
    assert offer.get("validFrom") == (changes["sales_start"].isoformat() if "sales_start" in changes else None)


def test_no_text_ends_the_block_it_stands_in(client, make_gig):
    text = "</script><script>alert('x')</script> & <!--"
    gig = make_gig(description=text)
    assert _event(client, gig)["description"] == text
    assert "<script>alert" not in client.get(gig.get_absolute_url()).content.decode()


def _said(page, pattern):
    return re.findall(pattern, page.content.decode())


def test_a_gig_has_one_address_and_a_picture_wherever_it_was_asked_for(client, gig):
    page = client.get(gig.get_absolute_url() + "?utm_source=elsewhere")
    assert _said(page, r'rel="canonical" href="([^"]+)"') == ["https://shop.example.com/gigs/nirvana-cork-1991/"]
    assert _said(page, r'property="og:url" content="([^"]+)"') == ["https://shop.example.com/gigs/nirvana-cork-1991/"]
    assert _said(page, r'property="og:title" content="([^"]+)"') == ["Nirvana, Sir Henry&#x27;s, Cork"]
    [image] = _said(page, r'property="og:image" content="([^"]+)"')
    assert image == f"https://shop.example.com{images.address(gig, 'preview')}"


@pytest.mark.parametrize(
    ("address", "canonical"),
    [("/", ["https://shop.example.com/"]), ("/?page=2", ["https://shop.example.com/?page=2"]), ("/?q=nirvana", [])],
)
def test_a_page_of_the_list_has_one_address_and_a_search_has_none(client, make_gig, address, canonical):
    for _ in range(13):
        make_gig()
    assert _said(client.get(address), r'rel="canonical" href="([^"]+)"') == canonical


def test_the_sitemap_has_every_published_gig(client, make_gig, django_assert_num_queries):
    make_gig(slug="one")
    make_gig(slug="hidden", is_published=False)
    with django_assert_num_queries(1):
        answer = client.get("/sitemap.xml", headers={"host": "localhost"})
    places = [element.text for element in ElementTree.fromstring(answer.content).iter() if element.tag.endswith("loc")]  # noqa: S314
    assert places == ["https://shop.example.com/", "https://shop.example.com/gigs/one/"]


def test_robots_are_told_of_the_sitemap(client):
    answer = client.get("/robots.txt")
    assert (answer["Content-Type"], answer.content.decode()) == (
        "text/plain; charset=utf-8",
        "User-agent: *\nDisallow: /admin/\n\nSitemap: https://shop.example.com/sitemap.xml\n",
    )


def test_an_empty_shop_has_no_picture_to_show(client):
    assert Gig.objects.count() == 0
    assert _said(client.get("/"), "og:image") == []
