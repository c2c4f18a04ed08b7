"""Whoever reads Italian meets no English: each page is compared with itself in English, text by text."""

import html
import io
import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.utils import timezone, translation
from icalendar import Calendar
from pypdf import PdfReader

from tickets import aftersales
from tickets.emails import ticket_email
from tickets.models import Gig, Ticket
from tickets.purchases import Owner, buy

# What is the same in both: names, content, codes, words that Italian took over.
SAME = {
    "English",
    "Italiano",
    "Timeless",
    "Music",
    "openapi.yml",
    "E-mail",
}
NAMES = [
    "TimelessMusic",
    "Nirvana",
    "Cork",
    "Sir Henry's",
    "South Main Street",
    "Three weeks before the world knew.",
    "Ada Lovelace",
]
SPOKEN = {
    "aria-label",
    "alt",
    "title",
    "placeholder",
    "content",
    "data-working",
    "data-lost",
    "data-found",
    "data-nothing",
}


class Texts(HTMLParser):
    """Collect what a page says: its texts and the attributes that are shown or read aloud."""

    def __init__(self, html):
        super().__init__()
        self.found, self._silent = [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self._silent = tag in ("script", "style")
        named = dict(attributes)
        if (
            tag == "meta"
            and named.get("name") != "description"
            and not named.get("property", "").endswith(("title", "description"))
        ):
            return
        self.found += [value for name, value in attributes if name in SPOKEN and value]

    def handle_endtag(self, tag):
        self._silent = False

    def handle_data(self, data):
        if not self._silent:
            self.found.append(data)


def texts(html):
    """Give each text as one line, without names, numbers and signs."""
    for text in Texts(html).found:
        for name in NAMES:
            text = text.replace(name, "")
        text = re.sub("[0-9a-fA-F]{4,8}(-[0-9a-fA-F]{4,12}){2,4}", "", text)
        if re.search(r"[^\W\d_]{2}", text):
            yield " ".join(text.split())


@pytest.fixture
def ticket(gig):
    return buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets[0]


@pytest.fixture
def left_in_english(client, gig, ticket):
    """Give what a page says in both languages alike, but for names."""

    def left(address, method="get", **data):
        answers = [
            getattr(client, method)(address, data, headers={"Accept-Language": language}).content.decode()
            for language in ("en", "it")
        ]
        english, italian = (set(texts(answer)) for answer in answers)
        assert italian
        return (english & italian) - SAME

    return left


@pytest.mark.parametrize("address", ["/", "/?q=nobody", "/?q=Nirvana", "/api/", "/nowhere/"])
def test_pages_for_all(left_in_english, address):
    assert left_in_english(address) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sold": 10},
        {"capacity": 400},
        {"sales_start": timedelta(days=2)},
        {"sales_end": timedelta(days=-2)},
        {"departs_at": timedelta(days=-2)},
    ],
)
def test_a_gig(left_in_english, gig, changes):
    for name, value in changes.items():
        setattr(gig, name, timezone.now() + value if isinstance(value, timedelta) else value)
    gig.save()
    assert left_in_english(gig.get_absolute_url()) == set()
    assert left_in_english("/") == set()


@pytest.mark.parametrize("changes", [{"name": "", "email": "x", "card_number": "4"}, {"price": "1.00"}, {"add": "1"}])
def test_a_form_that_is_sent_back(left_in_english, gig, payload, changes):
    assert left_in_english(gig.get_absolute_url(), "post", **payload(**changes)) == set()


def test_the_pages_after_a_purchase(left_in_english, ticket):
    purchase = ticket.purchase.get_absolute_url()
    for state in ({}, {"mailed_at": timezone.now()}, {"mailed_at": None, "parked_at": timezone.now()}):
        Ticket.objects.filter(pk=ticket.pk).update(**state)
        assert left_in_english(purchase) == set()
    assert left_in_english(f"{purchase}{ticket.pk}/address/") == set()
    assert left_in_english(ticket.get_absolute_url()) == set()
    aftersales.cancel(ticket)
    assert left_in_english(ticket.get_absolute_url()) == set()


@pytest.mark.parametrize(
    ("name", "context"),
    [
        *((f"{status}.html", {}) for status in ("400", "403", "403_csrf", "404", "405", "413", "500", "503")),
        ("tickets/sign_in_locked.html", {"wait": 30}),
        ("tickets/sign_in_locked.html", {"wait": 900}),
        ("tickets/token_reused.html", {"token": "8e03978e-40d5-43dd-bc93-6894a57f9324"}),
        ("tickets/busy.html", {"token": "8e03978e-40d5-43dd-bc93-6894a57f9324"}),
        ("tickets/nothing_bought.html", {}),
        *(("tickets/not_on_sale.html", {"status": status}) for status in Gig.Status),
    ],
)
def test_refusals(gig, name, context):
    gig.sales_start = timezone.now()
    pages = []
    for language in ("en", "it"):
        with translation.override(language):
            pages.append(set(texts(render_to_string(name, {"gig": gig, "ticket": None} | context))))
    assert (pages[0] & pages[1]) - SAME == set()


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_the_mail_and_what_is_attached(ticket, kind):
    parts = []
    for language in ("en", "it"):
        ticket.purchase.language = language
        mail = ticket_email(ticket)
        printed = PdfReader(io.BytesIO(mail.attachments[-1].content)).pages[0].extract_text()
        calendar = Calendar.from_ical(mail.attachments[-2].content).events[0]["DESCRIPTION"]
        html = mail.alternatives[0].content
        plain = [mail.subject, *mail.body.splitlines(), *printed.splitlines(), *calendar.splitlines()]
        parts.append(set(texts(html if kind == "html" else "".join(f"<p>{line}</p>" for line in plain))))
    ours = {"MUSIC", "TIMELESS", "TIMELESSMUSIC", "NIRVANA"}
    codes = {text for text in parts[0] & parts[1] if ticket.short_code in text or "localhost" in text}
    assert (parts[0] & parts[1]) - SAME - ours - codes == set()


def test_the_comparison_finds_what_is_left(left_in_english, gig):
    gig.venue = "Nobody translated this"
    gig.save()
    assert any("Nobody translated this" in text for text in left_in_english(gig.get_absolute_url()))


# --- The box office -------------------------------------------------------------------------------


# Words that Italian took over, formats, what Django's own catalog leaves, and what a part answers, as the log has it.
SAME_TO_STAFF = {
    *("admin", "Id", "Id:", "Slug:", "No", "File:", "Worker", "Database", "CSV", "XLSX"),
    *("Breadcrumbs", "True", "no answer within 1 s"),
}


@pytest.mark.parametrize(
    "page",
    [
        *("", "parked/", "tickets/gig/", "tickets/gig/import/", "tickets/gig/{gig}/change/"),
        *("tickets/purchase/", "tickets/purchase/{purchase}/change/"),
        *("tickets/ticket/", "tickets/ticket/{ticket}/change/"),
    ],
)
def test_the_box_office(client, admin_user, left_in_english, ticket, sqs, page):
    client.force_login(admin_user)
    Ticket.objects.update(mailed_at=timezone.now())
    purchase = ticket.purchase
    page = page.format(gig=purchase.gig_id, purchase=purchase.pk, ticket=ticket.pk)
    left = left_in_english(f"/admin/{page}") - SAME_TO_STAFF - {ticket.email, purchase.trace, purchase.gig.slug}
    assert left == set()


def test_after_signing_out(client, admin_user):
    said = []
    for language, words in (("en", "Signed out"), ("it", "Sessione chiusa")):
        client.force_login(admin_user)
        answer = client.post("/admin/logout/", headers={"Accept-Language": language})
        said.append(set(texts(answer.content.decode())))
        assert words in said[-1]
    assert (said[0] & said[1]) - SAME == set()


def test_what_an_import_would_change(client, admin_user, gig):
    """Field by field, with days and times as Italians write them, and as the gig's form has them."""
    client.force_login(admin_user)
    row = {"slug": gig.slug, "original_date": "1991-05-02", "departs_at": "2031-07-02T19:30", "is_published": False}
    file = SimpleUploadedFile("gigs.json", json.dumps([row]).encode())
    answer = client.post("/admin/tickets/gig/import/", {"file": file}, headers={"Accept-Language": "it"})
    [(_, fields)] = answer.context["changes"]
    assert [(label, after) for label, _, after in fields] == [
        ("Data storica", "2 mag 1991"),
        ("Partenza", "2 lug 2031, 19:30"),
        ("Pubblicato", "No"),
    ]
    file = SimpleUploadedFile("gigs.json", json.dumps([{"slug": gig.slug, "time_zone": "Cork"}]).encode())
    answer = client.post("/admin/tickets/gig/import/", {"file": file}, headers={"Accept-Language": "it"})
    assert "concerto 1, time_zone: Cork non è un fuso orario: usa un nome come Europe/London." in html.unescape(
        answer.content.decode()
    )
