"""Print a ticket: one A4 page in the shop's look, some 8 KB, drawn in half a millisecond.

The tickets of a gig in a language differ by the owner and the codes alone. So their page is printed once without these,
which takes two milliseconds, and kept; a ticket is this blank with an update behind it, the way a form is filled in:
PDF lets a file go on after its end with new versions of objects.

Text stands in the PDF's own fonts where they have its letters, and in outlines (shaping.py) where they don't; its
characters are in the file either way.
"""

import io
import re
import zlib
from collections.abc import Iterable
from functools import cache, lru_cache
from textwrap import wrap
from typing import NamedTuple

from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _
from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tickets import qr, shaping, terms
from tickets.models import Ticket
from tickets.templatetags.local import day, moment, price

WIDTH, HEIGHT = 595.28, 841.89  # points: A4
LEFT, RIGHT = 48, WIDTH - 48
MEASURE = RIGHT - LEFT
INK, SOFT, LINE, STUB, PAPER = (HexColor(colour) for colour in ("#15171a", "#4b5056", "#cdd1cb", "#ffd02b", "#ffffff"))
DISPLAY, TEXT, BOLD, PRINT = "LeagueGothic", "Helvetica", "Helvetica-Bold", "Courier-Bold"
STUB_Y, STUB_HEIGHT, HOLE = 246, 196, 9
STUB_TOP, STUB_LEFT = STUB_Y + STUB_HEIGHT, LEFT + 20
NAME_LINE = 34  # characters of a name's line: three lines hold the longest
QR_SIDE = 160  # 56 mm: a module of 1.1 mm
STUB_MEASURE = MEASURE - QR_SIDE - 58
COLUMN = MEASURE / 2 - 14  # its width
BLANKS = 100  # kept, 6 KB each
OWNER = "owner"  # the form to fill in


def ticket_pdf(ticket: Ticket) -> bytes:
    """Print a ticket in the language that is active."""
    gig = ticket.gig
    # Found by the very words that stand on it: a gig that was changed has another one.
    blank = _blank(
        get_language(),
        _("Your ticket: %(gig)s") % {"gig": gig},
        gig.artist.upper(),
        f"{gig.venue}, {gig.city}",
        day(gig.original_date),
        moment(gig.departure),
        gig.collection_point,
    )
    sheet = _Sheet()
    _owner(sheet, ticket)
    if sheet.missing and not blank.missing:
        _explain_missing(sheet)
    return blank.filled_in(sheet.canvas.getCurrentPageContent(), ticket.pk.hex)


class _Blank(NamedTuple):
    """Hold a page without an owner, and what an update of it has to know."""

    pdf: bytes
    missing: bool  # whether a letter could not be set
    form: int  # the number of the object that is to be filled in
    dictionary: str  # the form's, with a place for its length
    trailer: str  # what stays of it
    xref: int  # where its table of objects begins

    def filled_in(self, drawing: str, ticket_id: str) -> bytes:
        stream = zlib.compress(drawing.encode("latin-1"))
        form_at = len(self.pdf)
        form = f"{self.form} 0 obj\n{self.dictionary % len(stream)}\nstream\n".encode()
        form += stream + b"\nendstream\nendobj\n"
        update = (
            f"xref\n0 1\n0000000000 65535 f \n{self.form} 1\n{form_at:010} 00000 n \n"
            f"trailer\n<<\n/ID [<{ticket_id}> <{ticket_id}>]\n/Prev {self.xref}\n{self.trailer}>>\n"
            f"startxref\n{form_at + len(form)}\n%%EOF\n"
        )
        return self.pdf + form + update.encode()


@lru_cache(BLANKS)
def _blank(
    language: str, title: str, artist: str, place: str, date: str, departure: str, collection_point: str
) -> _Blank:
    _load_fonts()
    sheet = _Sheet(language)
    canvas = sheet.canvas
    canvas.setTitle(title)
    canvas.setAuthor("TimelessMusic")
    _wordmark(sheet, 770)
    sheet.write(artist, LEFT, 640, DISPLAY, 108)
    sheet.write(place, LEFT, 604, TEXT, 17)
    sheet.write(date, LEFT, 580, TEXT, 17)
    sheet.fact(548, _("The time machine leaves"), departure)
    sheet.fact(498, _("Collection point, be there 30 minutes before"), collection_point)
    _stub(sheet)
    canvas.beginForm(OWNER)
    canvas.endForm()
    canvas.doForm(OWNER)
    sheet.write(_("Show this page at the collection point, on paper or on your phone."), LEFT, 222, TEXT, 11, SOFT)
    sheet.write(_("TimelessMusic is a demo: your card was not charged."), LEFT, 206, TEXT, 11, SOFT)
    sheet.column(LEFT, _("What is included"), [*terms.INCLUDED, terms.NOT_INCLUDED])
    sheet.column(RIGHT - COLUMN, _("If you can't go"), terms.REFUNDS)
    if sheet.missing:
        _explain_missing(sheet)
    pdf = canvas.getpdfdata()
    form = re.search(rb"(\d+) 0 obj\n(<<\n/BBox [^<]*/FormType 1 /Length )\d+(.*?)\nstream\n", pdf, re.DOTALL)
    end = re.search(rb"(/Info \d+ 0 R\n/Root \d+ 0 R\n/Size \d+\n)>>\nstartxref\n(\d+)\n%%EOF\n$", pdf)
    return _Blank(
        pdf, sheet.missing, int(form[1]), f"{form[2].decode()}%d{form[3].decode()}", end[1].decode(), int(end[2])
    )


def _explain_missing(sheet: "_Sheet") -> None:
    note = _("%(sign)s stands for letters that this page can't print. Your ticket is valid all the same.")
    sheet.write(note % {"sign": shaping.MISSING}, LEFT, 190, TEXT, 11, SOFT)


@cache
def _load_fonts() -> None:
    rl_config.useA85 = 0  # A PDF need not be ASCII: that is a fourth more bytes, and slow.
    # Embedded with the letters that are set, not with all of ASCII: 4 KB less in each mail.
    file = shaping.FOLDER / "LeagueGothic-Regular.ttf"
    pdfmetrics.registerFont(TTFont(DISPLAY, file, shapable=False, asciiReadable=False))


class _Sheet:
    """Be a page to write on."""

    def __init__(self, language: str | None = None):
        self.canvas = Canvas(io.BytesIO(), pagesize=(WIDTH, HEIGHT), pageCompression=1, lang=language)
        self.missing = False  # whether a letter could not be set
        # A font is named by when it came: so it has the same name on the blank and in what fills it in.
        for font in (TEXT, BOLD, PRINT):
            self.canvas.setFont(font, 1)

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

    def column(self, x: float, heading: str, points: Iterable[str]) -> None:
        """Write small print at the foot of the page."""
        y = 162
        self.write(heading.upper(), x, y, DISPLAY, 18)
        for point in points:
            y -= 4
            for line in simpleSplit(str(point), TEXT, 9, COLUMN):
                y -= 11.5
                self.write(line, x, y, TEXT, 9, SOFT)


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


def _stub(sheet: _Sheet) -> None:
    """Draw what is torn off at the collection point."""
    canvas = sheet.canvas
    canvas.setFillColor(STUB)
    canvas.rect(LEFT, STUB_Y, MEASURE, STUB_HEIGHT, stroke=0, fill=1)
    canvas.setFillColor(PAPER)
    for x in (LEFT, RIGHT):
        canvas.circle(x, STUB_TOP, HOLE, stroke=0, fill=1)
    _dashed(canvas, LEFT + HOLE + 4, STUB_TOP, RIGHT - HOLE - 4, STUB_TOP)
    admit = pgettext("ticket", "Admit one").upper()
    sheet.write(admit, STUB_LEFT, STUB_TOP - 54, DISPLAY, 40, measure=STUB_MEASURE)


def _owner(sheet: _Sheet, ticket: Ticket) -> None:
    """Fill in whom the ticket lets in, and its codes."""
    _code(sheet.canvas, ticket.code, RIGHT - 18 - QR_SIDE, STUB_Y + (STUB_HEIGHT - QR_SIDE) / 2)
    y = STUB_TOP - 92
    lines = wrap(ticket.name, NAME_LINE)
    for line in lines:
        sheet.write(line, STUB_LEFT, y, BOLD, 17 if len(lines) == 1 else 12, measure=STUB_MEASURE)
        y -= 15
    sheet.write(ticket.short_code, STUB_LEFT, y - 15, PRINT, 15, measure=STUB_MEASURE)
    sheet.write(price(ticket.price), STUB_LEFT, y - 37, PRINT, 12, measure=STUB_MEASURE)


def _code(canvas: Canvas, code: str, x: float, y: float) -> None:
    side = len(qr.rows(code))
    canvas.saveState()
    canvas.translate(x, y + QR_SIDE)
    canvas.scale(QR_SIDE / side, -QR_SIDE / side)  # from the top, as its rows are
    canvas.setFillColor(PAPER)
    canvas.rect(0, 0, side, side, stroke=0, fill=1)
    canvas.setFillColor(INK)
    # Written as it is, and all at once: a path object would format each number of a few hundred rectangles.
    places = [number for stretch in qr.dark(code) for number in stretch]
    canvas.addLiteral("%d %d %d 1 re " * (len(places) // 3) % tuple(places) + "f")
    canvas.restoreState()
