import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickets import shaping
from tickets.shaping import MISSING, _runs, setting


def seen(text):
    return [(run.text, run.font.split("-")[0].removesuffix(".ttf"), run.rightwards) for run in _runs(text)]


DEJAVU, CHINESE = "DejaVuSans", "DroidSansFallback"


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("Łukasz Žižek", [("Łukasz Žižek", DEJAVU, True)]),
        ("Ελένη, Дмитрий", [("Ελένη, Дмитрий", DEJAVU, True)]),
        ("山田 太郎", [("山田", CHINESE, True), (" ", DEJAVU, True), ("太郎", CHINESE, True)]),
        ("김민준", [("김민준", CHINESE, True)]),
        ("محمد علي", [("محمد علي", DEJAVU, False)]),
        ("שלום Cohen", [("Cohen", DEJAVU, True), ("שלום ", DEJAVU, False)]),
        ("Ada עדה Lovelace", [("Ada ", DEJAVU, True), ("עדה", DEJAVU, False), (" Lovelace", DEJAVU, True)]),
        ("Zoë 👩‍🎤", [("Zoë ", DEJAVU, True), ("👩‍🎤", "NotoEmoji", True)]),
        ("क्षत्रिय", [("क्षत्रिय", "NotoSansDevanagari", True)]),
        ("ปู่ย่ำ", [("ปู่ย่ำ", "NotoSansThai", True)]),
    ],
)
def test_a_text_is_set_run_by_run_as_it_is_seen(text, runs):
    assert seen(text) == runs
    assert setting(text).complete


@pytest.mark.parametrize("text", ["محمد", "क्षि"])
def test_letters_are_shaped(text):
    apart = sum(setting(letter).width for letter in text)
    assert setting(text).width != pytest.approx(apart)  # Joined letters aren't as wide as each alone.


def test_what_no_font_has_is_shown_as_missing():
    assert seen("Ada ঋ") == [(f"Ada {MISSING}", "DejaVuSans", True)]
    assert not setting("Ada ঋ").complete


def test_nothing_is_nothing():
    assert setting("") == shaping.Setting([], 0, True)


class Pen:
    def __getattr__(self, _name):
        return lambda *_points: None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100))
def test_any_text_can_be_set(text):
    result = setting(text)
    for glyph in result.glyphs:
        glyph.draw(Pen())
    assert result.width >= 0
