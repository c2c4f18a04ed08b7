"""Set lines in League Gothic as outlines: the same letters in every browser and in a PNG, with no font at hand.

A picture may load nothing, so a text in it would be set in whatever the reader's system has. That is what is left for
scripts that League Gothic doesn't have.
"""

import functools
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fontTools.pens.basePen import BasePen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

FONT = Path(__file__).parent / "static/tickets/fonts/league-gothic.woff2"
UNITS, CAPITAL = 1000, 735  # units in an em, half of the font's own to save digits; the height of a capital
GUESS = 700  # units: a letter of another script, in the widest font of the stack; a narrower one is stretched


class Letter(NamedTuple):
    name: str  # its id in the picture
    advance: int  # units
    outline: str


@dataclass(frozen=True)
class Line:
    text: str
    x: int  # px
    baseline: int  # px from the top
    capital: float  # px: the height of a capital

    @property
    def size(self) -> float:
        return round(self.capital * UNITS / CAPITAL, 1)

    @property
    def scale(self) -> float:
        return round(self.size / UNITS, 4)

    @property
    def width(self) -> int:
        """Give the line's width in px; of another script what it is stretched to."""
        return round(width(self.text) * self.size / UNITS)

    @property
    def letters(self) -> list[tuple[int, Letter]]:
        """Give each letter that leaves ink, with its place in units; nothing if the font lacks any of them."""
        if not _has(self.text):
            return []
        placed, at = [], 0
        for char in self.text:
            letter = _letters()[char]
            if letter.outline:
                placed.append((at, letter))
            at += letter.advance
        return placed


def fitted(text: str, x: int, baseline: int, capital: float, room: int) -> Line:
    """Set a line with capitals as high as `capital` (px), or as the `room` (px) lets them be."""
    text = unicodedata.normalize("NFC", text)  # The font has é, but no accent to put on an e.
    return Line(text, x, baseline, min(capital, round(room * CAPITAL / max(1, width(text)), 1)))


def alphabet(lines: list[Line]) -> list[Letter]:
    """Give every letter of the lines once, in an order that doesn't change."""
    return sorted({letter for line in lines for _, letter in line.letters})


def width(text: str) -> int:
    """Give a text's width in units."""
    if _has(text):
        return sum(_letters()[char].advance for char in text)
    # Combining marks stand on their letter; what is wide stands on a square.
    return sum(
        0 if unicodedata.combining(char) else UNITS if unicodedata.east_asian_width(char) in "WF" else GUESS
        for char in text
    )


def _has(text: str) -> bool:
    return all(char in _letters() for char in text)


class _StepPen(BasePen):
    """Write an outline as an SVG path in steps of whole units: compressed a fifth less than what places take."""

    def __init__(self, glyphs):
        super().__init__(glyphs)
        self.path, self.last, self.at = "", "", (0, 0)

    def _step(self, command, *points):
        points = [(round(x), round(y)) for x, y in points]
        steps = " ".join(f"{x - self.at[0]} {y - self.at[1]}" for x, y in points)
        self.path += f"{' ' if command == self.last else command}{steps}".replace(" -", "-")
        self.last, self.at = command, points[-1]

    def _moveTo(self, point):
        self._step("m", point)
        self.start = self.at

    def _lineTo(self, point):
        self._step("l", point)

    def _qCurveToOne(self, control, point):
        self._step("q", control, point)

    def _closePath(self):
        self.path += "z"
        self.last, self.at = "z", self.start


@functools.cache
def _letters() -> dict[str, Letter]:
    """Read the whole font at once: fontTools reads on demand, and two threads that ask it together break it."""
    font = TTFont(FONT)
    glyphs, letters = font.getGlyphSet(), {}
    for code, name in font.getBestCmap().items():
        pen = _StepPen(glyphs)
        glyphs[name].draw(TransformPen(pen, (0.5, 0, 0, 0.5, 0, 0)))
        letters[chr(code)] = Letter(f"u{code:x}", glyphs[name].width // 2, pen.path)
    return letters
