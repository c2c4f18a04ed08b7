"""A provider's HTTP API in place of a mail server: the same three answers, by configuration alone."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tests.test_settings import run
from tickets import emails
from tickets.purchases import Owner, buy

pytestmark = pytest.mark.django_db
PROVIDER = "EMAIL_PROVIDER must be one of django-anymail's, like amazon_ses or postmark"
INACTIVE = (
    "You tried to send to recipient(s) that have been marked as inactive.\nFound inactive addresses: ada@example.com.\n"
    "Inactive recipients are ones that have generated a hard bounce or a spam complaint."
)
PROVIDER_SETTINGS = 'EMAIL_PROVIDER_SETTINGS must be like {"POSTMARK_SERVER_TOKEN": "…"}'


@pytest.fixture
def provider(settings):
    """Answer as Postmark does, with `answer`; keep the mails that it is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            server.mails.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, answer = server.answer
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.mails = []
    server.answer = (200, [{"ErrorCode": 0, "Message": "OK", "MessageID": "1", "To": "ada@example.com"}])
    Thread(target=server.serve_forever, daemon=True).start()
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {
        "POSTMARK_SERVER_TOKEN": "token",
        "POSTMARK_API_URL": f"http://127.0.0.1:{server.server_port}/",
        "REQUESTS_TIMEOUT": 2,
    }
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def mail(gig):
    [ticket] = buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").tickets
    return emails.ticket_email(ticket)


def test_it_sends(provider, mail):
    emails.Mailer().send(mail)
    [sent] = provider.mails
    assert (sent["To"], sent["Subject"], sent["TextBody"]) == (mail.to[0], mail.subject, mail.body)
    headers = {header["Name"]: header["Value"] for header in sent["Headers"]}
    assert headers == {name: mail.extra_headers[name] for name in ("Message-ID", "Auto-Submitted", "X-Trace-Id")}
    files = [(file["Name"], file["ContentType"], file.get("ContentID")) for file in sent["Attachments"]]
    picture, calendar, pdf = files
    assert picture[:2] == ("qr.png", "image/png")
    assert picture[2] in sent["HtmlBody"]
    assert calendar == ("nirvana-cork-1991.ics", 'text/calendar; charset="utf-8"', None)
    assert pdf == ("nirvana-cork-1991.pdf", "application/pdf", None)


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (
            422,
            {
                "ErrorCode": 406,
                "Message": INACTIVE,
            },
            emails.Refused,
        ),
        (422, {"ErrorCode": 300, "Message": "Error parsing 'From'"}, emails.Deferred),
        (401, {"ErrorCode": 10, "Message": "No Account or Server API tokens were supplied"}, emails.MailServerDown),
        (429, {"ErrorCode": 429, "Message": "Rate limit exceeded"}, emails.MailServerDown),
        (503, {"ErrorCode": 0, "Message": "maintenance"}, emails.HungUp),
    ],
)
def test_its_answers_are_a_mail_servers(provider, mail, status, answer, error):
    provider.answer = (status, answer)
    with pytest.raises(emails.MailError) as raised:
        emails.Mailer().send(mail)
    assert (type(raised.value), "ada@example.com" in str(raised.value)) == (error, False)


def test_one_that_cannot_be_reached_is_down(provider, mail, settings):
    settings.ANYMAIL = settings.ANYMAIL | {"POSTMARK_API_URL": "http://127.0.0.1:1/"}
    with pytest.raises(emails.MailServerDown):
        emails.Mailer().send(mail)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"EMAIL_PROVIDER": "carrier_pigeon"}, PROVIDER),
        ({"EMAIL_PROVIDER": "os.path"}, PROVIDER),
        ({"EMAIL_PROVIDER": "postmark", "EMAIL_PROVIDER_SETTINGS": "token"}, PROVIDER_SETTINGS),
        ({"EMAIL_PROVIDER": "postmark", "EMAIL_PROVIDER_SETTINGS": "1"}, PROVIDER_SETTINGS),
    ],
)
def test_a_wrong_setting_is_one_line(settings, words):
    assert run("manage.py", "check", **settings) == (1, f"manage.py: {words}\n")


@pytest.mark.parametrize("provider", ["amazon_ses", "postmark", "sendgrid"])
def test_a_provider_is_a_matter_of_configuration(provider):
    assert run("manage.py", "check", EMAIL_PROVIDER=provider) == (0, "")
