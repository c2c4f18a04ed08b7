from concurrent.futures import ThreadPoolExecutor

import pytest
from fontTools.pens.recordingPen import RecordingPen
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.svgLib.path import parse_path
from fontTools.ttLib import TTFont

from tickets import lettering
from tickets.lettering import UNITS, alphabet, fitted, width


def test_it_works():
    line = fitted("ABBA", x=10, baseline=100, capital=50, room=1000)
    assert [(at, letter.name) for at, letter in line.letters] == [
        (0, "u41"),
        (width("A"), "u42"),
        (width("AB"), "u42"),
        (width("ABB"), "u41"),
    ]
    assert line.width == round(width("ABBA") * line.size / UNITS)


def test_a_line_without_the_room_is_set_smaller_and_fills_it():
    line = fitted("GLASTONBURY FESTIVAL", x=0, baseline=0, capital=200, room=300)
    assert line.capital < 200
    assert line.width == pytest.approx(300, abs=1)


def test_a_blank_takes_room_and_leaves_no_ink():
    assert [at for at, _ in fitted("A B", 0, 0, 10, 100).letters] == [0, width("A ")]


def test_every_letter_is_drawn_once():
    lines = [fitted(text, 0, 0, 10, 100) for text in ("ABBA", "BAB")]
    assert [letter.name for letter in alphabet(lines)] == ["u41", "u42"]


def _drawn(path):
    pen = RecordingPen()
    parse_path(path, pen)
    return pen.value


def test_the_steps_of_every_outline_lead_where_the_font_says():
    font = TTFont(lettering.FONT)
    glyphs = font.getGlyphSet()
    for code, name in font.getBestCmap().items():
        places = SVGPathPen(glyphs, ntos=lambda number: str(round(number)))
        glyphs[name].draw(TransformPen(places, (0.5, 0, 0, 0.5, 0, 0)))
        assert _drawn(lettering._letters()[chr(code)].outline) == _drawn(places.getCommands())


def test_an_accent_is_part_of_its_letter():
    assert [letter.name for _, letter in fitted("E\u0301", 0, 0, 10, 100).letters] == ["uc9"]


@pytest.mark.parametrize(("text", "units"), [("山下", 2000), ("فيروز", 3500), ("ᄀ\u0301", 1000)])
def test_a_script_that_the_font_lacks_is_measured_by_guess(text, units):
    line = fitted(text, 0, 0, 10, 1000)
    assert (width(text), line.letters) == (units, [])


def test_threads_may_ask_for_the_first_letters_together():
    lettering._letters.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        lines = list(threads.map(lambda _: fitted("ABBA", 0, 0, 10, 100).letters, range(16)))
    assert lines == [fitted("ABBA", 0, 0, 10, 100).letters] * 16
