from datetime import date
from xml.etree import ElementTree

import pytest

from tickets.models import Gig
from tickets.posters import TEXT_WIDTH, artist_lines, poster

SVG = "{http://www.w3.org/2000/svg}"


def _gig(**changes):
    values = {
        "slug": "nirvana-cork-1991",
        "artist": "Nirvana",
        "city": "Cork",
        "venue": "Sir Henry's",
        "original_date": date(1991, 8, 20),
    }
    return Gig(**values | changes)


def _texts(svg):
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - our own


def test_it_works():
    assert _texts(poster(_gig())) == ["NIRVANA", "Sir Henry's", "Cork · 20 August 1991"]


def test_the_same_gig_has_the_same_poster_and_another_has_another():
    assert poster(_gig()) == poster(_gig())
    assert poster(_gig()) != poster(_gig(slug="nirvana-cork-1991-2"))


@pytest.mark.parametrize("year", [1899, 1961, 1977, 1985, 1991, 2006, 2017, 2100])
def test_every_decade_has_a_poster_of_a_few_kilobytes(year):
    assert len(poster(_gig(original_date=date(year, 1, 1)))) < 16_000


@pytest.mark.parametrize("artist", ["<script>alert('x')</script>", "Simon & Garfunkel", '"Weird Al"', "山下", "فيروز"])
def test_any_name_is_text_and_nothing_else(artist):
    svg = poster(_gig(artist=artist))
    assert "".join(_texts(svg)[:-2]).replace(" ", "") == artist.upper().replace(" ", "")


@pytest.mark.parametrize("artist", ["U2", "SONNY & CHER", "CROSBY STILLS NASH & YOUNG", "W" * 60, "山" * 20])
def test_a_line_that_could_pass_the_margin_is_fitted_to_it(artist):
    for line in artist_lines(artist):
        assert line.stretched or len(line.text) * line.size < TEXT_WIDTH
