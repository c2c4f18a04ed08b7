from datetime import date
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from tickets.maps import SCALE, collection_point
from tickets.models import Gig

SVG = "{http://www.w3.org/2000/svg}"


def _gig(**changes):
    values = {
        "slug": "nirvana-cork-1991",
        "artist": "Nirvana",
        "original_date": date(1991, 8, 20),
        "collection_point": "Bishop Lucey Park",
        "latitude": Decimal("51.89700"),
        "longitude": Decimal("-8.47480"),
    }
    return Gig(**values | changes)


def _drawn(gig):
    return ElementTree.fromstring(collection_point(gig).svg)  # noqa: S314 - our own


def _texts(gig):
    return [text.text for text in _drawn(gig).iter(f"{SVG}text")]


def _title(gig):
    return _drawn(gig).findtext(f"{SVG}title")


def test_it_works():
    parallels, meridians = (
        ["51.895° N", "51.900° N"],
        ["8.490° W", "8.480° W", "8.470° W"],  # Every second one has room.
    )
    assert _texts(_gig()) == [
        *parallels,
        *meridians,
        "250 m",
        "500 m",
        "N",
    ]
    assert _title(_gig()) == "Bishop Lucey Park: 51.89700° N · 8.47480° W"


def test_the_grid_is_drawn_to_scale():
    """0.005 degrees are 556.6 m, on the same scale as the rings."""
    at = {text.text: float(text.get("y")) for text in _drawn(_gig()).iter(f"{SVG}text")}
    assert at["51.895° N"] - at["51.900° N"] == pytest.approx(556.6 * SCALE, abs=0.1)
    rings = [float(circle.get("r")) for circle in _drawn(_gig()).iter(f"{SVG}circle")]
    assert rings[:2] == [250 * SCALE, 500 * SCALE]


@pytest.mark.parametrize(
    ("latitude", "longitude", "position"),
    [
        ("-33.85680", "151.21530", "33.85680° S · 151.21530° E"),
        ("-16.80000", "179.99900", "16.80000° S · 179.99900° E"),
        ("0.00000", "0.00000", "0.00000° N · 0.00000° E"),
        ("69.99000", "10.00000", "69.99000° N · 10.00000° E"),
    ],
)
def test_it_works_all_over_the_world(latitude, longitude, position):
    gig = _gig(latitude=Decimal(latitude), longitude=Decimal(longitude))
    *degrees, _, _, _ = _texts(gig)
    assert (_title(gig), len(collection_point(gig).svg) < 24_000) == (f"Bishop Lucey Park: {position}", True)
    assert all(float(text.split("°")[0]) <= 180 for text in degrees)


@pytest.mark.parametrize("latitude", ["0.00000", "-33.85680", "51.89700", "69.99000"])
@pytest.mark.parametrize("longitude", ["-8.47480", "151.21530", "179.99900", "0.00000"])
def test_no_degrees_run_into_others_or_over_the_edge(latitude, longitude):
    gig = _gig(latitude=Decimal(latitude), longitude=Decimal(longitude))
    labels = [text for text in _drawn(gig).iter(f"{SVG}text") if text.get("dx") == "5"]
    places = [(float(text.get("x")) + 5, float(text.get("x")) + 5 + 11 * len(text.text)) for text in labels]
    assert len(places) >= 2
    assert all(end < start for (_, end), (start, _) in pairwise([*places, (600, 600)]))


@pytest.mark.parametrize("changes", [{"latitude": None}, {"longitude": None}, {"latitude": Decimal(90)}])
def test_without_coordinates_it_names_the_place(changes):
    assert (_texts(_gig(**changes)), _title(_gig(**changes))) == ([], "Bishop Lucey Park")


@pytest.mark.parametrize("place", ["<script>alert('x')</script>", "Bob & Co", "山下公園", "x" * 200])
def test_any_name_is_text_and_nothing_else(place):
    assert _title(_gig(collection_point=place)).split(":")[0] == place.split(":")[0]
    assert list(_drawn(_gig(collection_point=place)).iter(f"{SVG}script")) == []
