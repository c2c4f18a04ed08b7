"""The ticket e-mail, and the mail server's answers in three words: Refused, Deferred, MailServerDown."""

import smtplib
import time
from email.headerregistry import Address
from email.mime.image import MIMEImage
from email.policy import Compat32
from email.utils import parseaddr
from functools import cache
from secrets import token_hex
from urllib.parse import urlsplit

from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused
from css_inline import CSSInliner
from django.conf import settings
from django.core.mail import BadHeaderError, EmailMultiAlternatives, SafeMIMEMultipart, get_connection
from django.template import engines
from django.template.backends.django import Template
from django.template.loader import get_template, render_to_string
from django.utils import translation
from django.utils.functional import cached_property

from tickets import calendars, pdf, privacy, qr, trace
from tickets.models import Ticket

PROVIDER_WORDS = 500  # characters kept of a provider's answer
IDLE_SECONDS = 5  # A kept connection that has been idle for longer is tried with a NOOP: servers hang up.


class MailError(Exception):
    """Say why a mail was not sent. Its text holds the server's words, never the recipient's address."""


class Refused(MailError):
    """Say that this mail can never succeed: park it."""


class Deferred(MailError):
    """Say that this mail may succeed later: back off."""


class MailServerDown(MailError):
    """Say that no mail can succeed now: stop until the server is back."""


class HungUp(MailServerDown):
    """Say that the server greeted us and failed during this mail: whose trouble it is, only a repetition tells."""


class _Unfolded(Compat32):
    """Write the headers that fit into a line, all but two or three of a mail's 32, as they are.

    What looks for a place to fold them takes a third of the time that a mail takes to be written.
    """

    def fold_binary(self, name, value):
        line = f"{name}: {value}"
        if isinstance(value, str) and line.isascii() and line.isprintable() and len(line) < self.max_line_length:
            return f"{line}{self.linesep}".encode()
        return super().fold_binary(name, value)


class TicketEmail(EmailMultiAlternatives):
    """Be a mail whose first attachment is the picture in its HTML.

    Its message is built once, though the Mailer asks for it, to see whether it can be built, and Django's backend.
    """

    def message(self):
        return self._message

    @cached_property
    def _message(self):
        message = super().message()
        text, picture, *files = message.get_payload()
        related = SafeMIMEMultipart("related", type=text.get_content_type(), encoding=self.encoding)
        related.attach(text)
        related.attach(picture)
        message.set_payload([related, *files])
        message.policy = _Unfolded()
        for part in message.walk():
            if part.is_multipart():
                # Or the generator compiles a pattern for each one, to look for a boundary that is free.
                part.set_boundary(token_hex(16))
        return message


def ticket_email(ticket: Ticket) -> TicketEmail:
    """Render the mail of a ticket in its buyer's language; raise Refused where its address can't stand in a header.

    Its Message-ID is the ticket's and the mailing's: a second copy can be recognised, a mail that was asked for once
    more isn't taken for one.
    """
    with translation.override(ticket.purchase.language):
        return _ticket_email(ticket)


def _ticket_email(ticket: Ticket) -> TicketEmail:
    qr_id = f"qr.{ticket.pk}@{_domain()}"
    context = {
        "ticket": ticket,
        "gig": ticket.gig,
        "language": translation.get_language(),
        "qr_id": qr_id,
        "site_url": settings.SITE_URL,
        # Whom the ticket is for needn't be who bought it: the purchase's page is none of theirs.
        "ticket_url": settings.SITE_URL + ticket.get_absolute_url(),
    }
    mail = TicketEmail(
        subject=" ".join(render_to_string("tickets/emails/ticket_subject.txt", context).split()),
        body=render_to_string("tickets/emails/ticket.txt", context),
        to=[_address(ticket.name, ticket.email)],
        reply_to=[settings.REPLY_TO_EMAIL] if settings.REPLY_TO_EMAIL else None,
        headers={
            "Message-ID": f"<{ticket.pk}.{ticket.mailing}@{_domain()}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834: no "I am on holiday" comes back.
            trace.HEADER: ticket.purchase.trace,
        },
    )
    mail.attach_alternative(_html().render(context), "text/html")
    mail.attach(_picture(qr.png(ticket.code), qr_id))
    mail.attach(f"{ticket.gig.slug}.ics", calendars.ics([ticket]).decode(), "text/calendar")
    mail.attach(f"{ticket.gig.slug}.pdf", pdf.ticket_pdf(ticket), "application/pdf")
    return mail


@cache
def _html() -> Template:
    """Compile the mail's template with its styles written into its elements, once for all mails."""
    source = get_template("tickets/emails/ticket.html").template.source
    inliner = CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
    return engines["django"].from_string(inliner.inline(source))


def _picture(png: bytes, content_id: str) -> MIMEImage:
    picture = MIMEImage(png, "png")
    picture.add_header("Content-ID", f"<{content_id}>")
    picture.add_header("Content-Disposition", "inline", filename="qr.png")
    return picture


def _address(name: str, email: str) -> str:
    user, _, domain = email.rpartition("@")
    try:
        return str(Address(name, user, domain))
    except ValueError as error:  # Its text would quote the address.
        raise Refused("the name and the address don't make an e-mail header") from error


def _domain() -> str:
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or urlsplit(settings.SITE_URL).hostname


class Mailer:
    """Keep one connection to the mail server; used by one thread at a time."""

    def __init__(self):
        self._connection = get_connection()
        self._used_at = 0.0

    def send(self, mail: EmailMultiAlternatives) -> None:
        """Send a mail; raise Refused, Deferred or MailServerDown."""
        try:
            mail.message()
        except (BadHeaderError, UnicodeError, ValueError) as error:
            raise Refused(f"the mail can't be built: {type(error).__name__}") from error
        self.probe()
        try:
            self._connection.send_messages([mail])
        except AnymailError as error:
            raise _translate_provider(error) from error
        except (smtplib.SMTPException, OSError) as error:
            self.drop()
            raise _translate(error) from error
        self._used_at = time.monotonic()

    def probe(self) -> None:
        """See to it that the connection is open, and alive where it has been idle; raise MailServerDown."""
        smtp = getattr(self._connection, "connection", None)
        if smtp is not None and time.monotonic() - self._used_at > IDLE_SECONDS:
            try:
                alive = smtp.noop()[0] == 250
            except (smtplib.SMTPException, OSError):
                alive = False
            if not alive:
                self.drop()
        try:
            self._connection.open()
        except (smtplib.SMTPException, OSError) as error:
            # Even a "550" said here is the server's trouble or ours (a password), not the recipient's.
            self.drop()
            raise MailServerDown(_words(error)) from error
        self._used_at = time.monotonic()

    def drop(self) -> None:
        """Close without a QUIT, for which a hung server would make us wait."""
        smtp = getattr(self._connection, "connection", None)
        if smtp is not None:
            smtp.close()
        self._connection = get_connection()


def _translate_provider(error: AnymailError) -> MailError:
    """Sort what a provider's HTTP API has answered."""
    words = privacy.mask(str(error))[:PROVIDER_WORDS]
    if isinstance(error, AnymailRecipientsRefused):
        return Refused(words)
    if not isinstance(error, AnymailAPIError):  # What the mail asks for, this provider can't do.
        return Refused(words)
    # Of a request, or of boto3's ClientError.
    boto3_response = getattr(error.__cause__, "response", None) or {"ResponseMetadata": {}}
    status = error.status_code or boto3_response["ResponseMetadata"].get("HTTPStatusCode")
    match status:
        case 400 | 422:  # This mail's fault, or a setting's: parked with its cause if it stays so.
            return Deferred(words)
        case int() if status >= 500:
            return HungUp(words)
        case _:  # No answer, a wrong key, too many mails in too short a time: no other mail would fare better.
            return MailServerDown(words)


def _translate(error: Exception) -> MailError:
    words = _words(error)
    match error:
        case smtplib.SMTPRecipientsRefused():
            codes = [code for code, _ in error.recipients.values()]
        case smtplib.SMTPDataError():
            codes = [error.smtp_code]
        case smtplib.SMTPNotSupportedError():  # The address needs what the server can't do.
            return Refused(words)
        case _:  # Refused connections, timeouts, hang-ups, a sender that isn't allowed: no mail would fare better.
            return HungUp(words)
    if 421 in codes:
        return HungUp(words)
    return Refused(words) if all(code >= 500 for code in codes) else Deferred(words)


def _words(error: Exception) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused():
            answers = list(error.recipients.values())
        case smtplib.SMTPResponseException():
            answers = [(error.smtp_code, error.smtp_error)]
        case _:
            return f"{type(error).__name__}: {error}"
    texts = (f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}" for code, text in answers)
    # Servers like to repeat the address, and these words go to the row and to the DLQ.
    return privacy.mask("; ".join(texts))
