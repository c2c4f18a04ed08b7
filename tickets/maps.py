"""Draw the sheet of a gig's collection point as SVG: its place in degrees, and how far around it a walk leads.

There are no streets on it: a street map would come from somebody else's server, or be made up.
"""

import functools
import math
from collections.abc import Iterable
from decimal import Decimal

from django.template.loader import render_to_string

from tickets.lettering import alphabet, fitted
from tickets.models import Gig
from tickets.posters import MARGIN, ROOM, WIDTH, Picture, palette

HEIGHT, FOOT = 400, 296  # px; the text stands from FOOT on
LABEL = 24  # px that a label takes at the edge
LETTERS, LETTER, BESIDE = 18, 11, 5  # px: the degrees' letters, the room of one, and that between a line and its label
X, Y = WIDTH // 2, FOOT // 2  # px; where the collection point is
SCALE = 0.25  # px a metre: the sheet shows 2.4 km by 1.2 km
DEGREE = 111_320  # metres: of latitude everywhere, of longitude on the equator
STEP = 5  # thousandths of a degree between two lines of the grid
RINGS = (250, 500)  # metres around the collection point
FARTHEST = 70  # degrees from the equator; beyond, the meridians run into one another


def collection_point(gig: Gig) -> Picture:
    """Draw the sheet, 3 to 2, as an SVG document that needs nothing from elsewhere; without coordinates a pin alone."""
    return _drawn(gig.slug, gig.year, gig.collection_point, gig.latitude, gig.longitude)


@functools.lru_cache(maxsize=1000)
def _drawn(slug: str, year: int, name: str, latitude: Decimal | None, longitude: Decimal | None) -> Picture:
    paper, ink, colours = palette(slug, year)
    known = latitude is not None and longitude is not None and abs(latitude) <= FARTHEST
    position = f"{_degrees(latitude, 'NS', 5)} · {_degrees(longitude, 'EW', 5)}" if known else ""
    lines = [fitted(name, MARGIN, FOOT + 46, 24, ROOM)]
    if known:
        lines.append(fitted(position, MARGIN, HEIGHT - 18, 20, ROOM))
    svg = render_to_string(
        "tickets/maps/collection_point.svg",
        {
            "title": f"{name}: {position}" if known else name,
            "width": WIDTH,
            "height": HEIGHT,
            "foot": FOOT,
            "paper": paper,
            "ink": ink,
            "colour": colours[0],
            "x": X,
            "y": Y,
            "letter_size": LETTERS,
            "beside": BESIDE,
            "rings": [(f"{metres} m", metres * SCALE, Y + metres * SCALE) for metres in RINGS],
            "grid": _grid(float(latitude), float(longitude)) if known else None,
            "lines": lines,
            "letters": alphabet(lines),
        },
    )
    return Picture.of(svg)


def _grid(latitude: float, longitude: float) -> dict[str, list[tuple[float, str]]]:
    """Place the parallels (px from the top) and the meridians (px from the left), with the degrees that have room."""
    east = DEGREE * math.cos(math.radians(latitude))
    return {
        "parallels": [
            (round(Y - (degrees - latitude) * DEGREE * SCALE, 1), _degrees(degrees, "NS", 3))
            for degrees in _steps(latitude, (Y - LABEL) / SCALE / DEGREE)
        ],
        "meridians": _where_they_fit(
            (round(X + (degrees - longitude) * east * SCALE, 1), _degrees((degrees + 180) % 360 - 180, "EW", 3))
            for degrees in _steps(longitude, X / SCALE / east)
        ),
    }


def _where_they_fit(meridians: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out degrees that would run into those before them, or over the edge."""
    fitting, free = [], 0.0
    for at, degrees in meridians:
        end = at + BESIDE + len(degrees) * LETTER
        if fits := free <= at and end <= WIDTH:
            free = end + LETTER
        fitting.append((at, degrees if fits else ""))
    return fitting


def _steps(centre: float, reach: float) -> list[float]:
    """Give the degrees of the grid's lines from `centre - reach` to `centre + reach`."""
    first, last = math.ceil((centre - reach) * 1000 / STEP), math.floor((centre + reach) * 1000 / STEP)
    return [number * STEP / 1000 for number in range(first, last + 1)]


def _degrees(value, signs: str, places: int) -> str:
    return f"{abs(value):.{places}f}° {signs[value < 0]}"
