import pytest
from django.core import mail

from tests.smtp import SmtpServer
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
    assert [part.get_content_type() for part in received.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    for part in received.iter_parts():
        assert "Zoë 🎸 von Ötzi, Jr." in part.get_content()
        assert "Nirvana" in part.get_content()


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
