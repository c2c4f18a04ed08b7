import io
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pypdfium2
import pytest
import zxingcpp
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from tickets import pdf as printing
from tickets.pdf import ticket_pdf
from tickets.purchases import Owner, buy

NAMES = [
    "Ada Lovelace",
    "Łukasz Žižek",
    "Zoë 🎸 von Ötzi, Jr.",
    "محمد علي",
    "山田太郎",
    "김민준",
    "สมชาย ใจดี",
    "आदित्य",
    "W" * 100,
    "鬱" * 100,
]


@pytest.fixture
def ticket(make_gig):
    gig = make_gig(slug="nirvana-cork-1991", departs_at=datetime(2031, 8, 20, 18, 30, tzinfo=UTC))
    return buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets[0]


def operations(pdf):
    """Give what the page and the owner's part of it draw, in PDF's own words."""
    page = PdfReader(io.BytesIO(pdf)).pages[0]
    [form] = page["/Resources"]["/XObject"].values()
    return (page.get_contents().get_data() + form.get_object().get_data()).decode("latin-1")


def test_it_works(ticket):
    pdf = PdfReader(io.BytesIO(ticket_pdf(ticket)))
    assert pdf.pages[0].extract_text().splitlines() == [
        "TIMELESS",
        "MUSIC",
        "NIRVANA",
        "Sir Henry's, Cork",
        "Tuesday, 20 August 1991",
        "The time machine leaves",
        "Wednesday, 20 August 2031, 19:30 IST",
        "Collection point, be there 30 minutes before",
        "South Main Street",
        "ADMIT ONE",
        "Ada Lovelace",
        ticket.short_code,
        "$120.00",
        "Show this page at the collection point, on paper or on your phone.",
        "TimelessMusic is a demo: your card was not charged.",
        "WHAT IS INCLUDED",
        "A seat of your own in the time machine, there and back.",
        "Admission: you are inside before the doors open, and stay",
        "to the last song.",
        "A guide who knows the way, the year and what a drink",
        "costs in it.",
        "Home the same night.",
        "Not included: food and drink, money of the time, and",
        "anything to wear. Keep your phone in your pocket once",
        "you are there.",
        "IF YOU CAN'T GO",
        "Until 24 hours before departure: answer the mail that",
        "brought the ticket. We cancel it and give back the full price.",
        "Until it leaves: somebody else can go. Answer the mail",
        "with their name and e-mail address; they get a ticket, and",
        "yours is void.",
        "After that the seat has gone, and so has the money.",
        "If we can't leave, everybody gets everything back, without",
        "asking.",
    ]
    assert (pdf.metadata.title, pdf.metadata.author) == ("Your ticket: Nirvana, Cork 1991", "TimelessMusic")
    assert pdf.trailer["/Root"]["/Lang"] == "en"
    assert [round(side) for side in pdf.pages[0].mediabox[2:]] == [595, 842]


def test_a_scanner_reads_its_code(ticket):
    page = pypdfium2.PdfDocument(ticket_pdf(ticket))[0].render(scale=2).to_pil()
    assert [found.text for found in zxingcpp.read_barcodes(page.convert("L"))] == [ticket.code]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_is_on_one_small_page(ticket, name):
    ticket.name = name
    pdf = ticket_pdf(ticket)
    assert len(pdf) < 60_000
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 1
    text = PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    outlined = "".join(
        bytes.fromhex(found).decode("utf-16-be") for found in re.findall("ActualText <FEFF(.+?)>", operations(pdf))
    )
    assert name.replace(" ", "") in (outlined or text).replace("\n", "").replace(" ", "")
    assert "can't print" not in text


def test_letters_it_cannot_print_are_shown_and_explained(ticket):
    ticket.name = "Ada ঋত্বিক"
    words = bytes.fromhex(re.findall("ActualText <FEFF(.+?)>", operations(ticket_pdf(ticket)))[-1]).decode("utf-16-be")
    assert (
        words
        == "\N{REPLACEMENT CHARACTER} stands for letters that this page can't print. Your ticket is valid all the same."
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(min_size=1, max_size=100), artist=st.text(min_size=1, max_size=100))
def test_any_text_makes_a_page(ticket, name, artist):
    ticket.name, ticket.gig.artist = name, artist
    assert ticket_pdf(ticket).startswith(b"%PDF")


def test_a_line_that_is_too_long_gets_smaller(ticket):
    ticket.gig.artist = "And You Will Know Us by the Trail of Dead and Their Friends"
    sizes = re.findall(r"/F[\d+]+ ([\d.]+) Tf", operations(ticket_pdf(ticket)))
    assert 20 < max(map(float, sizes)) < 60


# --- The blank that is kept ---------------------------------------------------------------------------


def words(pdf):
    return PdfReader(io.BytesIO(pdf), strict=True).pages[0].extract_text().splitlines()


def code(pdf):
    page = pypdfium2.PdfDocument(pdf)[0].render(scale=2).to_pil()
    [found] = zxingcpp.read_barcodes(page.convert("L"))
    return found.text


def test_a_ticket_has_nothing_of_the_one_before(gig):
    first, second = buy(gig, [Owner("Ada Lovelace", "ada@example.com"), Owner("Łukasz", "l@example.com")], "t").tickets
    printed = [ticket_pdf(ticket) for ticket in (first, second, first)]
    assert printed[0] == printed[2]
    assert [code(pdf) for pdf in printed] == [first.code, second.code, first.code]
    assert b"Ada" not in printed[1]
    assert not {"Ada Lovelace", first.short_code} & set(words(printed[1]))
    assert {"Ada Lovelace", first.short_code} <= set(words(printed[0]))
    ids = [PdfReader(io.BytesIO(pdf)).trailer["/ID"] for pdf in printed]
    assert (ids[0] == ids[2], ids[0] == ids[1]) == (True, False)


@pytest.mark.parametrize(
    ("field", "value", "seen"),
    [
        ("artist", "Pixies", "PIXIES"),
        ("venue", "De Lacy House", "De Lacy House, Cork"),
        ("city", "Dublin", "Sir Henry's, Dublin"),
        ("original_date", date(1991, 8, 21), "Wednesday, 21 August 1991"),
        ("departs_at", datetime(2031, 8, 21, 18, 30, tzinfo=UTC), "Thursday, 21 August 2031, 19:30 IST"),
        ("time_zone", "Europe/Rome", "Wednesday, 20 August 2031, 20:30 CEST"),
        ("collection_point", "Grand Parade", "Grand Parade"),
    ],
)
def test_a_gig_that_was_changed_is_printed_anew(ticket, field, value, seen):
    assert seen not in words(ticket_pdf(ticket))
    setattr(ticket.gig, field, value)
    assert seen in words(ticket_pdf(ticket))


def test_each_language_has_its_own(ticket):
    for language, admit in (("en", "ADMIT ONE"), ("it", "INGRESSO SINGOLO"), ("en", "ADMIT ONE")):
        with translation.override(language):
            pdf = ticket_pdf(ticket)
        assert admit in words(pdf)
        assert PdfReader(io.BytesIO(pdf)).trailer["/Root"]["/Lang"] == language


def test_threads_that_print_at_once_print_each_its_own(make_gig):
    artists = ["Nirvana", "Pixies", "Кино", "Daft Punk"]
    tickets = [
        buy(make_gig(artist=artist), [Owner(name, "ada@example.com")], f"{artist} {name}").tickets[0]
        for artist in artists
        for name in ("Ada Lovelace", "山田太郎", "Grace Hopper")
    ]
    printing._blank.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        printed = list(pool.map(ticket_pdf, tickets * 3))
    assert [code(page) for page in printed] == [ticket.code for ticket in tickets] * 3
    alone = [ticket_pdf(ticket) for ticket in tickets]
    assert [operations(page) for page in printed] == [operations(page) for page in alone] * 3
