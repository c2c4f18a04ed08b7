import io
import re
from email.policy import compat32

import pytest
import zxingcpp
from django.core import mail
from icalendar import Calendar
from PIL import Image
from pypdf import PdfReader

from rehearsal.smtp import SmtpServer
from tickets import emails
from tickets.emails import Deferred, HungUp, Mailer, MailServerDown, Refused, ticket_email
from tickets.purchases import Owner, buy


@pytest.fixture
def ticket(gig):
    return buy(gig, [Owner("Zoë 🎸 von Ötzi, Jr.", "zoe@example.com")], "token").tickets[0]


def test_the_mail_arrives_with_its_names_intact(ticket, smtp):
    mailer = Mailer()
    mailer.send(ticket_email(ticket))
    mailer.drop()
    [received] = smtp.sink.mails
    assert received["To"].addresses[0].display_name == "Zoë 🎸 von Ötzi, Jr."
    assert received["To"].addresses[0].addr_spec == "zoe@example.com"
    assert received["Message-ID"] == f"<{ticket.pk}.1@localhost>"
    for kind in ("plain", "html"):
        text = received.get_body([kind]).get_content()
        assert "Zoë 🎸 von Ötzi, Jr." in text
        assert "Nirvana" in text


@pytest.fixture
def received(ticket, smtp):
    """Give the mail as a mail server gets it."""
    mailer = Mailer()
    mailer.send(ticket_email(ticket))
    mailer.drop()
    return smtp.sink.mails[0]


def test_its_parts_are_where_mail_programs_look_for_them(received):
    assert [(part.get_content_type(), part.get_filename()) for part in received.walk()] == [
        ("multipart/mixed", None),
        ("multipart/related", None),
        ("multipart/alternative", None),
        ("text/plain", None),
        ("text/html", None),
        ("image/png", "qr.png"),
        ("text/calendar", "nirvana-cork-1991.ics"),
        ("application/pdf", "nirvana-cork-1991.pdf"),
    ]
    assert [part.get_content_disposition() for part in received.walk()][5:] == ["inline", "attachment", "attachment"]
    assert len(received.as_bytes()) < 50_000


def test_its_headers_are_those_of_a_mail_somebody_waits_for(received, settings):
    assert received["Auto-Submitted"] == "auto-generated"
    assert [name for name in received if name.startswith("List-") or name == "Precedence"] == []
    assert received["Reply-To"] is None


def test_answers_go_where_they_are_read(ticket, settings):
    settings.REPLY_TO_EMAIL = "Box office <help@example.com>"
    assert ticket_email(ticket).message()["Reply-To"] == "Box office <help@example.com>"


def test_the_picture_in_the_mail_is_the_tickets_code(received, ticket):
    html = received.get_body(["html"]).get_content()
    [picture] = [part for part in received.walk() if part.get_content_type() == "image/png"]
    assert re.findall(r'<img[^>]* src="([^"]+)"', html) == [f"cid:{picture['Content-ID'].strip('<>')}"]
    codes = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture.get_content())).convert("L"))
    assert [code.text for code in codes] == [ticket.code]


def test_the_attached_files_are_the_tickets(received, ticket):
    calendar, pdf = list(received.iter_attachments())[-2:]
    [event] = Calendar.from_ical(calendar.get_content()).events
    assert event["UID"] == str(ticket.pk)
    assert ticket.short_code in PdfReader(io.BytesIO(pdf.get_content())).pages[0].extract_text()


def test_whom_the_ticket_is_for_sees_the_ticket_and_not_the_purchase(received, ticket):
    for kind in ("plain", "html"):
        text = received.get_body([kind]).get_content()
        assert f"http://localhost:8000{ticket.get_absolute_url()}" in text
        assert str(ticket.purchase.pk) not in text


def test_its_styles_are_in_its_elements_and_those_for_the_dark_stay(received):
    html = received.get_body(["html"]).get_content()
    [style] = re.findall("<style>(.*?)</style>", html, re.S)
    assert style.startswith("@media (prefers-color-scheme: dark)")
    assert '<meta name="color-scheme" content="light dark">' in html
    texts = re.findall(r"<(?:p|h1|td|a)\b[^>]*>", html)
    assert [text for text in texts if 'style="' not in text] == []
    assert set(re.findall(r'(?:src|href)="(?!cid:|http://localhost:8000)([^"]+)', html)) == set()


def test_a_name_with_markup_is_text(ticket):
    ticket.name = "<b>Ada</b> & {{ gig }}"
    html = ticket_email(ticket).alternatives[0].content
    assert html.count("&lt;b&gt;Ada&lt;/b&gt; &amp; {{ gig }}") == 2


def test_a_second_mail_of_a_ticket_has_the_same_message_id(ticket):
    assert ticket_email(ticket).extra_headers == ticket_email(ticket).extra_headers


def test_rendering_touches_no_database(ticket, django_assert_num_queries):
    with django_assert_num_queries(0):
        ticket_email(ticket).message()


def test_one_connection_serves_many_mails(ticket, smtp):
    mailer = Mailer()
    mailer.send(ticket_email(ticket))
    port = mailer._connection.connection.sock.getsockname()
    mailer.send(ticket_email(ticket))
    assert mailer._connection.connection.sock.getsockname() == port
    mailer.drop()


@pytest.mark.parametrize(
    ("stage", "answer", "error", "words"),
    [
        ("rcpt", "550 5.1.1 no such user", Refused, "550 5.1.1 no such user"),
        ("rcpt", "450 4.2.1 greylisted", Deferred, "450 4.2.1 greylisted"),
        ("rcpt", "421 4.3.2 closing", HungUp, "421 4.3.2 closing"),
        ("data", "554 5.7.1 spam", Refused, "554 5.7.1 spam"),
        ("data", "451 4.3.0 try later", Deferred, "451 4.3.0 try later"),
    ],
)
def test_the_servers_answer_in_our_words(ticket, smtp, stage, answer, error, words):
    getattr(smtp.sink, f"{stage}_answers")["zoe@example.com"] = answer
    mailer = Mailer()
    with pytest.raises(error) as failed:
        mailer.send(ticket_email(ticket))
    assert (type(failed.value), str(failed.value)) == (error, words)


def test_an_address_that_the_server_repeats_is_masked(ticket, smtp):
    smtp.sink.rcpt_answers["zoe@example.com"] = "550 5.1.1 <zoe@example.com>: no such user zoe@example.com"
    with pytest.raises(Refused) as refused:
        Mailer().send(ticket_email(ticket))
    assert str(refused.value) == "550 5.1.1 <z…@example.com>: no such user z…@example.com"


def test_after_a_refusal_the_next_mail_goes(ticket, gig, smtp):
    other = buy(gig, [Owner("Bob", "bob@example.com")], "other").tickets[0]
    smtp.sink.rcpt_answers["zoe@example.com"] = "550 no"
    mailer = Mailer()
    with pytest.raises(Refused):
        mailer.send(ticket_email(ticket))
    mailer.send(ticket_email(other))
    mailer.drop()
    assert [received["To"] for received in smtp.sink.mails] == ["Bob <bob@example.com>"]


def test_a_server_that_is_not_there_is_down(ticket, smtp):
    smtp.stop()
    with pytest.raises(MailServerDown, match="ConnectionRefusedError") as failed:
        Mailer().send(ticket_email(ticket))
    assert type(failed.value) is MailServerDown


def test_a_connection_the_server_closed_meanwhile_is_opened_anew(ticket, smtp, monkeypatch):
    monkeypatch.setattr(emails, "IDLE_SECONDS", 0)
    mailer = Mailer()
    mailer.send(ticket_email(ticket))
    smtp.stop()
    again = SmtpServer(port=smtp.port)
    again.start()
    mailer.send(ticket_email(ticket))
    mailer.drop()
    again.stop()
    assert len(again.sink.mails) == 1


@pytest.mark.parametrize("name", ["Ada Lovelace", "Zoë 🎸 von Ötzi, Jr.", "W" * 100, "山田 太郎 " * 9, "Ada " * 25])
def test_its_headers_are_written_as_python_writes_them(ticket, name):
    ticket.name, ticket.purchase.gig.artist = name, name
    message = ticket_email(ticket).message()
    ours = message.as_bytes()
    message.policy = compat32
    assert ours == message.as_bytes()


def test_line_breaks_forge_no_header(ticket):
    ticket.name = "Eve\r\nBcc: all@example.com"
    with pytest.raises(Refused, match="the name and the address don't make an e-mail header"):
        ticket_email(ticket)


def test_a_subject_with_a_line_break_is_not_sent(ticket):
    forged = ticket_email(ticket)
    forged.subject = "Ticket\r\nBcc: all@example.com"
    with pytest.raises(Refused, match="the mail can't be built"):
        Mailer().send(forged)
    assert mail.outbox == []
