"""Draw a text, a ticket's code mostly, as a QR that a scanner reads from a cracked phone."""

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby

import segno
from PIL import Image

# Q: up to a quarter of the code may be scratched, folded or hidden.
ERROR_CORRECTION = "q"
QUIET_ZONE = 4  # modules around it, as ISO/IEC 18004 asks for
# One of the eight ways to sprinkle a code's modules: any can be read, and to look for the evenest takes five times as
# long as all the rest.
MASK = 3
PIXELS = 8  # of a PNG's module: a byte of the bitmap. A ticket's code, 41 modules, has 392 px with its quiet zone.


def svg(text: str) -> str:
    """Draw `text` as an SVG element to stand in a page: dark on white in any theme, as large as its box lets it be."""
    return _qr(text).svg_inline(border=QUIET_ZONE, light="#fff", omitsize=True)


def png(text: str) -> bytes:
    """Draw `text` as a PNG of two colours, about 1 KB for a ticket's code."""
    light = b"\xff" * QUIET_ZONE
    lines = [light + bytes(0 if dark else 0xFF for dark in row) + light for row in rows(text)]
    side = len(lines[0])
    margin = [b"\xff" * side] * QUIET_ZONE
    bitmap = b"".join(line * PIXELS for line in [*margin, *lines, *margin])
    file = io.BytesIO()
    Image.frombytes("1", (side * PIXELS,) * 2, bitmap).save(file, "PNG")
    return file.getvalue()


def rows(text: str) -> Sequence[bytes]:
    """Give the modules of `text`, row by row from the top, each 1 for dark or 0, without the quiet zone."""
    return _qr(text).matrix


def dark(row: bytes) -> Iterator[tuple[int, int]]:
    """Give the dark stretches of a row: where each starts, and how many modules it has."""
    start = 0
    for is_dark, modules in groupby(row):
        length = len(list(modules))
        if is_dark:
            yield start, length
        start += length


@lru_cache(maxsize=16)  # A mail shows the same code in its picture and in its PDF.
def _qr(text: str) -> segno.QRCode:
    return segno.make_qr(text, error=ERROR_CORRECTION, mask=MASK)
