"""Print a ticket: one A4 page in the shop's look, some 20 KB, drawn in about two milliseconds.

Text stands in the PDF's own fonts where they have its letters, and in outlines (shaping.py) where they don't; its
characters are in the file either way.
"""

import io
from functools import cache
from textwrap import wrap

from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _
from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tickets import qr, shaping
from tickets.models import Ticket
from tickets.templatetags.local import day, moment, price

WIDTH, HEIGHT = 595.28, 841.89  # points: A4
LEFT, RIGHT = 48, WIDTH - 48
MEASURE = RIGHT - LEFT
INK, SOFT, LINE, STUB, PAPER = (HexColor(colour) for colour in ("#15171a", "#4b5056", "#cdd1cb", "#ffd02b", "#ffffff"))
DISPLAY, TEXT, BOLD, PRINT = "LeagueGothic", "Helvetica", "Helvetica-Bold", "Courier-Bold"
STUB_HEIGHT, HOLE = 196, 9
NAME_LINE = 34  # characters of a name's line: three lines hold the longest
QR_SIDE = 160  # 56 mm: a module of 1.1 mm


def ticket_pdf(ticket: Ticket) -> bytes:
    """Print a ticket in the language that is active."""
    _load_fonts()
    gig, file = ticket.gig, io.BytesIO()
    sheet = _Sheet(Canvas(file, pagesize=(WIDTH, HEIGHT), pageCompression=1, lang=get_language()))
    sheet.canvas.setTitle(_("Your ticket: %(gig)s") % {"gig": gig})
    sheet.canvas.setAuthor("TimelessMusic")
    _wordmark(sheet, 770)
    sheet.write(gig.artist.upper(), LEFT, 640, DISPLAY, 108)
    sheet.write(f"{gig.venue}, {gig.city}", LEFT, 604, TEXT, 17)
    sheet.write(day(gig.original_date), LEFT, 580, TEXT, 17)
    sheet.fact(548, _("The time machine leaves"), moment(gig.departure))
    sheet.fact(498, _("Collection point, be there 30 minutes before"), gig.collection_point)
    _stub(sheet, ticket, 246)
    sheet.write(_("Show this page at the collection point, on paper or on your phone."), LEFT, 210, TEXT, 11, SOFT)
    sheet.write(_("TimelessMusic is a demo: your card was not charged."), LEFT, 192, TEXT, 11, SOFT)
    if sheet.missing:
        note = _("%(sign)s stands for letters that this page can't print. Your ticket is valid all the same.")
        sheet.write(note % {"sign": shaping.MISSING}, LEFT, 174, TEXT, 11, SOFT)
    sheet.canvas.save()
    return file.getvalue()


@cache
def _load_fonts() -> None:
    rl_config.useA85 = 0  # A PDF need not be ASCII: that is a fourth more bytes, and slow.
    pdfmetrics.registerFont(TTFont(DISPLAY, shaping.FOLDER / "LeagueGothic-Regular.ttf", shapable=False))


class _Sheet:
    """Be a page to write on."""

    def __init__(self, canvas: Canvas):
        self.canvas = canvas
        self.missing = False  # whether a letter could not be set

    def write(self, text: str, x: float, y: float, font: str, size: float, colour=INK, measure: float = MEASURE):
        """Write one line from (x, y), smaller where it would be longer than `measure`."""
        self.canvas.setFillColor(colour)
        if _has(font, text):
            size = min(size, size * measure / max(1, pdfmetrics.stringWidth(text, font, size)))
            self.canvas.setFont(font, size)
            self.canvas.drawString(x, y, text)
        else:
            self._outline(text, x, y, size, measure)

    def _outline(self, text: str, x: float, y: float, size: float, measure: float) -> None:
        setting = shaping.setting(text)
        self.missing |= not setting.complete
        size = min(size * 0.85, measure / max(1, setting.width))  # DejaVu is wide.
        pen = _Pen()
        for glyph in setting.glyphs:
            scale = f"{size * glyph.size:.6f}"
            pen.operations.append(f"q {scale} 0 0 {scale} {x + glyph.x * size:.2f} {y + glyph.y * size:.2f} cm")
            glyph.draw(pen)
            pen.operations.append("f Q")
        # What is read aloud, found and copied.
        self.canvas.addLiteral(f"/Span <</ActualText <FEFF{text.encode('utf-16-be').hex()}>>> BDC")
        self.canvas.addLiteral(" ".join(pen.operations))
        self.canvas.addLiteral("EMC")

    def fact(self, y: float, name: str, value: str) -> None:
        self.canvas.setStrokeColor(LINE)
        self.canvas.line(LEFT, y, RIGHT, y)
        self.write(name, LEFT, y - 17, TEXT, 10, SOFT)
        self.write(value, LEFT, y - 35, BOLD, 14)


def _has(font: str, text: str) -> bool:
    if font == DISPLAY:
        return all(ord(char) in pdfmetrics.getFont(font).face.charToGlyph for char in text)
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


class _Pen:
    """Write a glyph's outline down as a PDF has it: in cubic curves; in the font's units, which are whole numbers."""

    def __init__(self):
        self.operations = []

    def moveTo(self, point):
        self._write("m", point)

    def lineTo(self, point):
        self._write("l", point)

    def curveTo(self, first, second, point):
        self._write("c", first, second, point)

    def qCurveTo(self, control, point):
        (x0, y0), (xc, yc), (x, y) = self._last, control, point
        self.curveTo(((x0 + 2 * xc) / 3, (y0 + 2 * yc) / 3), ((x + 2 * xc) / 3, (y + 2 * yc) / 3), point)

    def closePath(self):
        self.operations.append("h")

    def endPath(self):
        pass

    def _write(self, operator, *points):
        self._last = points[-1]
        self.operations += [f"{x:.0f} {y:.0f}" for x, y in points]
        self.operations.append(operator)


def _wordmark(sheet: _Sheet, y: float) -> None:
    canvas, size, gap = sheet.canvas, 24, 7
    middle = LEFT + 14 + pdfmetrics.stringWidth("TIMELESS", DISPLAY, size) + gap
    right = middle + gap + pdfmetrics.stringWidth("MUSIC", DISPLAY, size) + 14
    canvas.setFillColor(STUB)
    canvas.rect(LEFT, y - 10, right - LEFT, 37, stroke=0, fill=1)
    canvas.setFillColor(PAPER)
    for x in (LEFT, right):
        canvas.circle(x, y + 8.5, 5, stroke=0, fill=1)
    sheet.write("TIMELESS", LEFT + 14, y, DISPLAY, size)
    _dashed(canvas, middle, y - 3, middle, y + 20)
    sheet.write("MUSIC", middle + gap, y, DISPLAY, size)


def _dashed(canvas: Canvas, *ends: float) -> None:
    canvas.setStrokeColor(INK)
    canvas.setDash(4, 3)
    canvas.line(*ends)
    canvas.setDash()


def _stub(sheet: _Sheet, ticket: Ticket, y: float) -> None:
    """Draw what is torn off at the collection point: the code, and whom it lets in."""
    canvas, top = sheet.canvas, y + STUB_HEIGHT
    canvas.setFillColor(STUB)
    canvas.rect(LEFT, y, MEASURE, STUB_HEIGHT, stroke=0, fill=1)
    canvas.setFillColor(PAPER)
    for x in (LEFT, RIGHT):
        canvas.circle(x, top, HOLE, stroke=0, fill=1)
    _dashed(canvas, LEFT + HOLE + 4, top, RIGHT - HOLE - 4, top)
    _code(canvas, ticket.code, RIGHT - 18 - QR_SIDE, y + (STUB_HEIGHT - QR_SIDE) / 2)
    x, measure = LEFT + 20, MEASURE - QR_SIDE - 58
    sheet.write(pgettext("ticket", "Admit one").upper(), x, top - 54, DISPLAY, 40, measure=measure)
    y = top - 92
    lines = wrap(ticket.name, NAME_LINE)
    for line in lines:
        sheet.write(line, x, y, BOLD, 17 if len(lines) == 1 else 12, measure=measure)
        y -= 15
    sheet.write(ticket.short_code, x, y - 15, PRINT, 15, measure=measure)
    sheet.write(price(ticket.price), x, y - 37, PRINT, 12, measure=measure)


def _code(canvas: Canvas, code: str, x: float, y: float) -> None:
    side = len(qr.rows(code))
    canvas.saveState()
    canvas.translate(x, y)
    canvas.scale(QR_SIDE / side, QR_SIDE / side)
    canvas.setFillColor(PAPER)
    canvas.rect(0, 0, side, side, stroke=0, fill=1)
    canvas.setFillColor(INK)
    # Written as it is: a path object would format each number of a few hundred rectangles.
    places = (f"{left} {side - top - 1} {length} 1 re" for left, top, length in qr.dark(code))
    canvas.addLiteral(" ".join([*places, "f"]))
    canvas.restoreState()
