"""Draw a text, a ticket's code mostly, as a QR that a scanner reads from a cracked phone."""

import io

import segno

# Q: up to a quarter of the code may be scratched, folded or hidden.
ERROR_CORRECTION = "q"
QUIET_ZONE = 4  # modules around it, as ISO/IEC 18004 asks for
PIXELS = 8  # of a PNG's module; a ticket's code has 41 modules, and so 392 px with its quiet zone


def svg(text: str) -> str:
    """Draw `text` as an SVG element to stand in a page: dark on white in any theme, as large as its box lets it be."""
    return _qr(text).svg_inline(border=QUIET_ZONE, light="#fff", omitsize=True)


def png(text: str) -> bytes:
    """Draw `text` as a PNG of two colours, about 1 KB for a ticket's code."""
    picture = io.BytesIO()
    _qr(text).save(picture, kind="png", scale=PIXELS, border=QUIET_ZONE, light="#fff")
    return picture.getvalue()


def _qr(text: str) -> segno.QRCode:
    return segno.make_qr(text, error=ERROR_CORRECTION)
