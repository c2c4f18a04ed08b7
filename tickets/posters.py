"""Draw a gig's poster from the gig's own data: the decade sets palettes and patterns, the slug chooses and varies.

The same gig has the same poster for ever, in every language: it is a print of its day.
"""

import functools
from datetime import date
from hashlib import blake2s
from random import Random
from typing import NamedTuple

import resvg_py
from django.template.loader import render_to_string

from tickets import patterns
from tickets.lettering import Line, alphabet, fitted, width
from tickets.models import Gig
from tickets.patterns import WIDTH, Palette

HEIGHT, MARGIN, FOOT = 800, 36, 762  # px
ROOM = WIDTH - 2 * MARGIN
RULE = 660  # px from the top: artist above, place and date below
ARTIST_HEIGHT, LARGEST, LEADING = 256, 196, 16  # px: all the artist's lines; a capital; between two lines
YEAR = 76  # px: the height of the year, and of the two lines beside it
MAX_LINES = 4
MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
THROW = 7134  # With it no two gigs of data/gigs.json look alike; another number is another programme of posters.
PREVIEW_WIDTH, PREVIEW_HEIGHT = 1200, 630  # px: what social networks show a link with


class Picture(NamedTuple):
    svg: str
    version: str  # Another drawing has another one, so an address with it may be kept for ever.

    @classmethod
    def of(cls, svg: str) -> "Picture":
        return cls(svg, blake2s(svg.encode(), digest_size=5).hexdigest())


def poster(gig: Gig) -> Picture:
    """Draw the poster, 3 to 4, as an SVG document that needs nothing from elsewhere."""
    return _drawn("tickets/posters/poster.svg", *_facts(gig))


def preview(gig: Gig) -> Picture:
    """Draw the poster across, as social networks want it: its pattern beside its words."""
    return _drawn("tickets/posters/preview.svg", *_facts(gig))


@functools.lru_cache(maxsize=100)
def png(svg: str, width: int) -> bytes:
    """Render a picture, `width` px wide. Only a text in a script that League Gothic lacks asks for a system's font."""
    return resvg_py.svg_to_bytes(svg_string=svg, width=width, skip_system_fonts="<text" not in svg)


def decade_of(year: int) -> int:
    """Give the decade whose look a year has: what is older or newer takes the nearest."""
    return min(max(year // 10 * 10, min(patterns.DECADES)), max(patterns.DECADES))


def palette(slug: str, year: int) -> Palette:
    return _dice(slug).choice(patterns.DECADES[decade_of(year)][0])


def _facts(gig: Gig) -> tuple[str, str, str, str, date]:
    return gig.slug, gig.artist, gig.venue, gig.city, gig.original_date


@functools.lru_cache(maxsize=1000)
def _drawn(template: str, slug: str, artist: str, venue: str, city: str, day: date) -> Picture:
    dice = _dice(slug)
    palettes, drawings = patterns.DECADES[decade_of(day.year)]
    colours, pattern = dice.choice(palettes), dice.choice(drawings)
    artist_lines = set_artist(artist.upper())
    year = fitted(str(day.year), 0, FOOT, YEAR, ROOM)
    beside = ROOM - year.width - 24
    # %d and %B would be the server's language, date_format() the reader's.
    place = f"{city} · {day.day} {MONTHS[day.month - 1]}".upper()
    lines = [
        *artist_lines,
        Line(year.text, WIDTH - MARGIN - year.width, FOOT, YEAR),
        fitted(venue.upper(), MARGIN, FOOT - YEAR + 30, 30, beside),
        fitted(place, MARGIN, FOOT, 30, beside),
    ]
    top = round(artist_lines[0].baseline - artist_lines[0].capital) - 30
    height = top if template.endswith("poster.svg") else PREVIEW_HEIGHT
    mark = fitted("TIMELESS MUSIC", 0, 0, 22, ROOM)
    svg = render_to_string(
        template,
        {
            "title": f"{artist}, {venue}, {city} {day.year}",
            "lines": lines,
            "mark": mark,
            "letters": alphabet([*lines, mark] if template.endswith("preview.svg") else lines),
            "shapes": pattern(dice, colours, height),
            "top": top,
            **colours._asdict(),
        },
    )
    return Picture.of(svg)


def _dice(slug: str) -> Random:
    return Random(f"{slug}.{THROW}")  # noqa: S311 - a pattern, not a secret


def set_artist(artist: str) -> list[Line]:
    """Set a name in as few lines as give it a good size, the last one standing on the rule."""
    words = artist.split() or [artist]
    best = max(
        (_wrap(words, count) for count in range(1, min(MAX_LINES, len(words)) + 1)),
        key=lambda texts: min(fitted(text, 0, 0, _share(texts), ROOM).capital for text in texts),
    )
    baseline, lines = RULE - 20, []
    for text in reversed(best):
        line = fitted(text, MARGIN, round(baseline), _share(best), ROOM)
        lines.insert(0, line)
        baseline -= line.capital + LEADING
    return lines


def _share(texts: list[str]) -> float:
    return min(LARGEST, (ARTIST_HEIGHT - LEADING * (len(texts) - 1)) / len(texts))


def _wrap(words: list[str], count: int) -> list[str]:
    """Share words out over `count` lines at most, the longest being as short as can be."""
    spans = {width(" ".join(words[i:j])) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    return next(lines for limit in sorted(spans) if len(lines := _fill(words, limit)) <= count)


def _fill(words: list[str], limit: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and width(f"{lines[-1]} {word}") <= limit:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
