"""Draw a gig's poster as SVG from the gig's own data: the decade sets palette and pattern, the slug the variation."""

import random
import unicodedata
from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.formats import date_format

from tickets.models import Gig

WIDTH, HEIGHT, MARGIN = 600, 800, 44
TEXT_WIDTH = WIDTH - 2 * MARGIN
LARGEST, SMALLEST = 160, 14  # px of a line
ARTIST_HEIGHT = 340  # px for all the artist's lines, so that the pattern keeps its half of the sheet
# Of the font size, a bold letter's width in the widest font of the stack; a narrower one is stretched to the margins.
GLYPH = 0.72
MAX_LINES = 4

# paper, ink, and the three colours of the pattern; ink on paper has a contrast of 7:1 or better
PALETTES = {
    1960: ("#2b0f3a", "#ffe9c9", ("#ff5d3b", "#ffb52e", "#e0337e")),
    1970: ("#f6e7c8", "#3a1d0d", ("#d9541e", "#eda12b", "#7d3a16")),
    1980: ("#150f3d", "#f7f2ff", ("#ff3d9a", "#27d3f5", "#ffd23f")),
    1990: ("#f0c419", "#141414", ("#141414", "#c3342b", "#fdf6e3")),
    2000: ("#1c2321", "#e9f5db", ("#b5e61d", "#3a6b5c", "#7fae9b")),
    2010: ("#fbeee6", "#1d2445", ("#ff6f59", "#2a9d8f", "#f2c14e")),
}


@dataclass(frozen=True)
class Line:
    text: str
    size: int  # px
    baseline: int  # px from the top
    stretched: bool  # to the full width, as wood type was


def poster(gig: Gig) -> str:
    """Draw the poster, 3 to 4, as an SVG document that needs nothing from elsewhere."""
    decade = decade_of(gig)
    paper, ink, colours = PALETTES[decade]
    lines = artist_lines(gig.artist.upper())
    return render_to_string(
        "tickets/posters/poster.svg",
        {
            "gig": gig,
            "width": WIDTH,
            "height": HEIGHT,
            "margin": MARGIN,
            "text_width": TEXT_WIDTH,
            "paper": paper,
            "ink": ink,
            "colours": colours,
            "shapes": _PATTERNS[decade](random.Random(gig.slug), colours),  # noqa: S311 - a pattern, not a secret
            "lines": lines,
            "top": lines[0].baseline - lines[0].size,
            "venue": fitted(gig.venue, 32, HEIGHT - 78),
            "place": fitted(f"{gig.city} · {date_format(gig.original_date, 'j F Y')}", 27, HEIGHT - 40),
        },
    )


def decade_of(gig: Gig) -> int:
    """Give the decade whose look the gig has: what is older or newer takes the nearest."""
    return min(max(gig.year // 10 * 10, min(PALETTES)), max(PALETTES))


def artist_lines(artist: str) -> list[Line]:
    """Set a name in as few lines as give it a good size, the last one standing on the foot of the poster."""
    words = artist.split() or [artist]
    best = max(
        (_wrap(words, count) for count in range(1, min(MAX_LINES, len(words)) + 1)),
        key=lambda lines: min(_size(line, ARTIST_HEIGHT // len(lines)) for line in lines),
    )
    baseline, set_lines = HEIGHT - 142, []
    for text in reversed(best):
        line = fitted(text, ARTIST_HEIGHT // len(best), baseline)
        set_lines.insert(0, line)
        baseline -= line.size
    return set_lines


def fitted(text: str, largest: int, baseline: int) -> Line:
    """Set a line of text as large as the sheet's width and `largest` (px) let it be."""
    size = _size(text, largest)
    return Line(text, size, baseline, stretched=_width(text) * size * GLYPH > TEXT_WIDTH * 0.85)


def _wrap(words: list[str], count: int) -> list[str]:
    """Share words out over `count` lines, as even as a greedy filling makes them."""
    limit = max(max(map(_width, words)), -(-_width(" ".join(words)) // count))
    lines: list[str] = []
    for word in words:
        if lines and _width(f"{lines[-1]} {word}") <= limit:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def _size(text: str, largest: int) -> int:
    return max(SMALLEST, min(LARGEST, largest, int(TEXT_WIDTH / (GLYPH * max(1, _width(text))))))


# --- A pattern a decade: lists of (element, attributes) in the upper part of the sheet -----------------


def _waves(draw: random.Random, colours) -> list:
    """Psychedelia: rings that breathe around a sun off the centre."""
    x, y = draw.randint(180, 420), draw.randint(200, 320)
    return [
        (
            "ellipse",
            {
                "cx": x,
                "cy": y,
                "rx": radius,
                "ry": round(radius * 0.92 + 18 * (i % 2)),
                "fill": colours[i % 3],
                "transform": f"rotate({i * draw.choice([7, 11, 13])} {x} {y})",
            },
        )
        for i, radius in enumerate(range(560, 30, -42))
    ]


def _arcs(draw: random.Random, colours) -> list:
    """The seventies' stripes: rainbows that rise from one side and leave by the other."""
    x = draw.choice([110, 300, 490])
    return [
        ("circle", {"cx": x, "cy": 470, "r": radius, "fill": "none", "stroke": colours[i % 3], "stroke-width": 40})
        for i, radius in enumerate(range(430, 60, -56))
    ]


def _sunset(draw: random.Random, colours) -> list:
    """A striped sun over a grid that runs to the horizon."""
    x = draw.choice([220, 300, 380])
    sun = [("circle", {"cx": x, "cy": 250, "r": 190, "fill": colours[draw.choice([0, 2])]})]
    stripes = [
        ("rect", {"x": 0, "y": 240 + 34 * i, "width": WIDTH, "height": 5 + 4 * i, "fill": "#150f3d"}) for i in range(7)
    ]
    floor = [
        ("path", {"d": f"M0 {440 + 5 * i * i}H{WIDTH}", "stroke": colours[1], "stroke-width": 2}) for i in range(8)
    ]
    rays = [
        (
            "path",
            {"d": f"M{x} 380L{x + 150 * i} 800", "stroke": colours[1], "stroke-width": 2, "clip-path": "url(#floor)"},
        )
        for i in range(-6, 7)
    ]
    return [*sun, *stripes, *floor, *rays]


def _photocopy(draw: random.Random, colours) -> list:
    """Torn strips, put on the copier a little askew."""
    return [
        (
            "rect",
            {
                "x": draw.randint(-80, 320),
                "y": 30 + 44 * i,
                "width": draw.randint(180, 520),
                "height": draw.randint(14, 64),
                "fill": colours[draw.choice([0, 0, 1, 2])],
                "transform": f"rotate({draw.randint(-9, 9)} 300 {60 + 44 * i})",
            },
        )
        for i in range(10)
    ]


def _halftone(draw: random.Random, colours) -> list:
    """Dots that swell towards a point, as a screen printer's."""
    x, y = draw.randint(120, 480), draw.randint(120, 380)
    dots = []
    for row in range(11):
        for column in range(13):
            cx, cy = 24 + column * 46, 24 + row * 46
            radius = round(max(2, 23 - ((cx - x) ** 2 + (cy - y) ** 2) ** 0.5 / 15))
            dots.append(("circle", {"cx": cx, "cy": cy, "r": radius, "fill": colours[(row + column) % 7 == 0]}))
    return dots


def _discs(draw: random.Random, colours) -> list:
    """Three plain discs that lie over one another."""
    return [
        (
            "circle",
            {
                "cx": draw.randint(150, 450),
                "cy": draw.randint(170, 360),
                "r": radius,
                "fill": colour,
                "fill-opacity": 0.86,
            },
        )
        for radius, colour in zip((230, 150, 90), colours, strict=True)
    ]


_PATTERNS = {1960: _waves, 1970: _arcs, 1980: _sunset, 1990: _photocopy, 2000: _halftone, 2010: _discs}
