import json
import struct
from datetime import date
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.utils import translation

from tickets.lettering import alphabet, fitted
from tickets.models import Gig
from tickets.patterns import DECADES
from tickets.posters import ARTIST_HEIGHT, LEADING, ROOM, png, poster, preview, set_artist

SVG = "{http://www.w3.org/2000/svg}"
OUR_OWN = json.loads((Path(__file__).parent.parent / "data/gigs.json").read_text())


def _gig(**changes):
    values = {
        "slug": "nirvana-cork-1991",
        "artist": "Nirvana",
        "city": "Cork",
        "venue": "Sir Henry's",
        "original_date": date(1991, 8, 20),
    }
    return Gig(**values | changes)


def _read(picture):
    return ElementTree.fromstring(picture.svg)  # noqa: S314 - our own


def _words(picture):
    """Read the lines back from their letters: each stands by its code point."""
    lines = [[use.get("href") for use in group.findall(f"{SVG}use")] for group in _read(picture).iter(f"{SVG}g")]
    return ["".join(chr(int(name[2:], 16)) for name in line) for line in lines if line]


@pytest.mark.parametrize("draw", [poster, preview])
def test_it_works(draw):
    words = ["NIRVANA", "1991", "SIRHENRY'S", "CORK·20AUGUST"]
    assert _words(draw(_gig())) == words if draw is poster else [*words, "TIMELESSMUSIC"]
    assert _read(draw(_gig())).findtext(f"{SVG}title") == "Nirvana, Sir Henry's, Cork 1991"


@pytest.mark.parametrize("draw", [poster, preview])
def test_the_same_gig_has_the_same_picture_and_another_has_another(draw):
    first = draw(_gig())
    draw.__globals__["_drawn"].cache_clear()
    assert draw(_gig()) == first
    assert draw(_gig(slug="nirvana-cork-1991-2")).version != first.version


def test_it_is_the_same_in_every_language():
    first = poster(_gig())
    poster.__globals__["_drawn"].cache_clear()
    with translation.override("it"):
        assert poster(_gig()) == first


@pytest.mark.parametrize("slug", ["a", "b", "c", "d", "e", "f"])
@pytest.mark.parametrize("year", [1899, 1961, 1977, 1985, 1991, 2006, 2017, 2100])
def test_every_decade_has_posters_of_a_few_kilobytes(year, slug):
    assert len(poster(_gig(slug=slug, original_date=date(year, 1, 1))).svg) < 16_000


def test_no_two_of_our_own_gigs_look_alike():
    def look(gig):
        found = _read(poster(Gig(**{key: gig[key] for key in ("slug", "artist", "city", "venue")}, original_date=day)))
        shapes = [child.tag for child in found if child.tag != f"{SVG}g"]
        return found.find(f"{SVG}path").get("fill"), tuple(shapes)

    looks = []
    for gig in OUR_OWN:
        day = date.fromisoformat(gig["original_date"])
        looks.append(look(gig))
    assert len(set(looks)) == len(OUR_OWN)


@pytest.mark.parametrize("palette", [palette for palettes, _ in DECADES.values() for palette in palettes])
def test_what_is_written_can_be_read(palette):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, bright = sorted([light(palette.paper), light(palette.ink)])
    assert (bright + 0.05) / (dark + 0.05) >= 7


@pytest.mark.parametrize("artist", ["<script>alert('x')</script>", "山下 & 達郎", '"فيروز"'])
@pytest.mark.parametrize("draw", [poster, preview])
def test_any_name_is_text_and_nothing_else(draw, artist):
    picture = draw(_gig(artist=artist))
    assert _read(picture).findtext(f"{SVG}title") == f"{artist}, Sir Henry's, Cork 1991"
    assert list(_read(picture).iter(f"{SVG}script")) == []


def test_a_script_that_the_font_lacks_is_set_as_text():
    assert [text.text for text in _read(poster(_gig(artist="山下 達郎"))).iter(f"{SVG}text")] == ["山下", "達郎"]


def test_a_name_is_broken_where_its_lines_are_even():
    lines = [line.text for line in set_artist("BOB MARLEY & THE WAILERS")]
    assert lines == ["BOB MARLEY &", "THE WAILERS"]


@pytest.mark.parametrize(
    "artist", ["U2", "SONNY & CHER", "CROSBY STILLS NASH & YOUNG", "W" * 60, "山" * 20, "", "A " * 50]
)
def test_a_name_keeps_to_its_part_of_the_sheet(artist):
    lines = set_artist(artist)
    assert all(line.width <= ROOM + 1 for line in lines)
    assert sum(line.capital + LEADING for line in lines) - LEADING <= ARTIST_HEIGHT + 0.1
    assert all(above.baseline < below.baseline for above, below in pairwise(lines))


def test_the_letters_of_all_lines_are_in_the_picture():
    lines = [fitted(text, 0, 0, 10, 100) for text in ("NIRVANA", "1991", "SIR HENRY'S", "CORK · 20 AUGUST")]
    names = [path.get("id") for path in _read(poster(_gig())).iter(f"{SVG}path") if path.get("id")]
    assert names == [letter.name for letter in alphabet(lines)]


@pytest.mark.parametrize(("draw", "width", "height"), [(poster, 900, 1200), (preview, 1200, 630)])
def test_it_is_a_png_of_the_right_size_and_always_the_same(draw, width, height):
    picture = draw(_gig()).svg
    first = png(picture, width)
    png.cache_clear()
    assert png(picture, width) == first
    assert first.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", first[16:24]) == (width, height)
    assert len(first) < 200_000
