"""Set a text of any script as outlines: for names that the fonts of a PDF don't have.

HarfBuzz shapes it (Arabic letters join, Devanagari's syllables form), glyph by glyph in the first of our fonts that
has it. What none has (Bengali, Tamil, Telugu, Khmer, Ethiopic and others) becomes a sign that says so.
"""

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate, chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import uharfbuzz

FOLDER = Path(__file__).parent / "fonts"
# Latin, Greek, Cyrillic, Hebrew, Arabic, Armenian, Georgian, Lao and signs; Chinese, Japanese, Korean; as they say.
FONTS = (
    "DejaVuSans.ttf",
    "DroidSansFallback.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoEmoji-Regular.ttf",
)
MISSING = "\N{REPLACEMENT CHARACTER}"
_ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)


class Glyph(NamedTuple):
    draw: Callable[[object], None]  # with a pen as fontTools has them, around (0, 0), in ems
    x: float  # ems
    y: float
    size: float  # ems of a unit of the font


class Setting(NamedTuple):
    glyphs: list[Glyph]
    width: float  # ems
    complete: bool  # False where a character is in none of our fonts


class _Run(NamedTuple):
    text: str
    font: str
    rightwards: bool


def setting(text: str) -> Setting:
    """Set `text` in one line, in the order in which it is seen."""
    glyphs, x = [], 0.0
    runs = _runs(text)
    for run in runs:
        font = _font(run.font)
        buffer = uharfbuzz.Buffer()
        buffer.add_str(run.text)
        buffer.guess_segment_properties()
        buffer.direction = "ltr" if run.rightwards else "rtl"
        uharfbuzz.shape(font, buffer)
        unit = 1 / font.face.upem
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
            draw = _drawn(font, info.codepoint)
            glyphs.append(Glyph(draw, x + position.x_offset * unit, position.y_offset * unit, unit))
            x += position.x_advance * unit
    return Setting(glyphs, x, MISSING not in "".join(run.text for run in runs))


def _drawn(font: uharfbuzz.Font, glyph: int) -> Callable[[object], None]:
    return lambda pen: font.draw_glyph_with_pen(glyph, pen)


@cache
def _font(name: str) -> uharfbuzz.Font:
    # Mapped, not read: what no name needs takes no memory.
    return uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(FOLDER / name))))


def _runs(text: str) -> list[_Run]:
    """Part a text where its font or its direction changes, and order the parts as they are seen.

    Nearly the Unicode Bidirectional Algorithm: a name has no quotation within another.
    """
    clusters = list(_clusters(text))
    strong = [_strong_direction(cluster[0]) for cluster in clusters]
    base = next((direction for direction in strong if direction is not None), True)
    ordered = []
    parts = zip(_directions(strong, base), clusters, strict=True)
    for rightwards, part in groupby(parts, key=itemgetter(0)):
        runs = [
            _Run("".join(shown for shown, _ in same), font, rightwards)
            for font, same in groupby((_font_for(cluster) for _, cluster in part), key=itemgetter(1))
        ]
        ordered.append(runs if rightwards else runs[::-1])
    return list(chain(*(ordered if base else reversed(ordered))))


def _clusters(text: str) -> Iterator[str]:
    """Part a text into characters as people count them, nearly: a letter with its marks, an emoji with its parts."""
    cluster = ""
    for char in text:
        joins = unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf") or ord(char) in _SKIN_TONES
        if cluster and not joins and not cluster.endswith(_ZERO_WIDTH_JOINER):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def _font_for(cluster: str) -> tuple[str, str]:
    """Give what is shown of a cluster, and the font that has it."""
    needed = [char for char in cluster if not _ignorable(char)]
    for name in FONTS:
        if all(_font(name).get_nominal_glyph(ord(char)) for char in needed):
            return cluster, name
    return MISSING, FONTS[0]


def _ignorable(char: str) -> bool:
    return unicodedata.category(char) in ("Cf", "Cc") or "\ufe00" <= char <= "\ufe0f"


def _directions(strong: list[bool | None], base: bool) -> list[bool]:
    """Give each cluster a direction: a space or the like has that of its two neighbours, or else `base`."""
    before = accumulate(strong, lambda last, own: last if own is None else own, initial=base)
    after = accumulate(reversed(strong), lambda last, own: last if own is None else own, initial=base)
    pairs = zip(list(before)[1:], list(after)[:0:-1], strict=True)
    return [left if left == right else base for left, right in pairs]


def _strong_direction(char: str) -> bool | None:
    match unicodedata.bidirectional(char):
        case "L" | "EN" | "AN":
            return True
        case "R" | "AL":
            return False
        case _:
            return None
