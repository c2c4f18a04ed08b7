"""Draw a text, a ticket's code mostly, as a QR that a scanner reads from a cracked phone."""

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

import zxingcpp

# Q: up to a quarter of the code may be scratched, folded or hidden.
ERROR_CORRECTION = "Q"
# One of the eight ways to sprinkle a code's modules: any can be read, and to look for the evenest takes seven times as
# long as all the rest.
MASK = 3
DARK, LIGHT = b"\x00", b"\xff"
_STRETCH = re.compile(DARK + b"+")
PIXELS = 8  # of a PNG's module: a byte of the bitmap. A ticket's code, 41 modules, has 392 px with its quiet zone.


def svg(text: str) -> str:
    """Draw `text` as an SVG element to stand in a page: dark on white in any theme, as large as its box lets it be."""
    side = len(rows(text))
    strokes = "".join(_strokes(text))
    return (
        f'<svg viewBox="0 0 {side} {side}">'
        f'<path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/><path stroke="#000" d="{strokes}"/></svg>'
    )


def _strokes(text: str) -> Iterator[str]:
    row = end = -1
    for x, y, length in dark(text):
        yield f"m{x - end} 0h{length}" if y == row else f"M{x} {y}.5h{length}"
        row, end = y, x + length


def png(text: str) -> bytes:
    """Draw `text` as a PNG of two colours, about 1 KB for a ticket's code."""
    # Not by Pillow, which takes ten times as long: 0.34 ms, of which a mail that takes 2 would notice.
    side = len(rows(text))
    as_above = b"\x02" + bytes(side)
    bitmap = b"".join(b"\x00" + row + as_above * (PIXELS - 1) for row in rows(text))
    bits, grey = 1, 0
    head = struct.pack(">IIBBxxx", side * PIXELS, side * PIXELS, bits, grey)
    chunks = _chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(bitmap, 3)), _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def dark(text: str) -> Iterator[tuple[int, int, int]]:
    """Give the dark stretches: where each starts, from the left and from the top, and how many modules it has."""
    for y, row in enumerate(rows(text)):
        for stretch in _STRETCH.finditer(row):
            start, end = stretch.span()
            yield start, y, end - start


@lru_cache(maxsize=16)  # A mail shows the same code in its picture and in its PDF.
def rows(text: str) -> Sequence[bytes]:
    """Give the modules of `text`, row by row from the top, each DARK or LIGHT, within a quiet zone of four."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level=ERROR_CORRECTION, data_mask=MASK)
    picture = memoryview(code.to_image())
    modules, side = bytes(picture), len(picture)
    return [modules[start : start + side] for start in range(0, side * side, side)]
