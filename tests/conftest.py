"""Fixtures for all: a gig on sale, a buyer's payload, and SQS in the process."""

import json
import logging
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import hypothesis
import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone, translation
from moto import mock_aws

from rehearsal.smtp import SmtpServer
from tickets import kept, limits, provisioning, purchases, queue, takings
from tickets.logs import formatter
from tickets.models import Gig

# Not by the clock: a busy machine is slow to think of examples, and slow to run them.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")


@pytest.fixture
def impatient(transactional_db, monkeypatch):
    """Let this test's connections to PostgreSQL wait for a lock for 0.2 s, not for 5."""

    def connect_anew():
        connection.close()
        connection.close_pool()

    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict["OPTIONS"], "options", "-c lock_timeout=200")
        connect_anew()
        yield
    connect_anew()


@pytest.fixture
def sign_in_as(client, db):
    """Sign one of the staff in who has this role; give the client."""

    def sign_in_as(role):
        user = User.objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return client

    return sign_in_as


@pytest.fixture
def make_gig(db):
    def make(**changes):
        values = {
            "slug": f"nirvana-cork-1991-{uuid.uuid4().hex[:6]}",
            "artist": "Nirvana",
            "city": "Cork",
            "venue": "Sir Henry's",
            "original_date": date(1991, 8, 20),
            "description": "Three weeks before the world knew.",
            "departs_at": timezone.now() + timedelta(days=100),
            "time_zone": "Europe/Dublin",
            "collection_point": "South Main Street",
            "price": Decimal("120.00"),
            "capacity": 10,
        }
        return Gig.objects.create(**values | changes)

    return make


@pytest.fixture
def gig(make_gig):
    return make_gig(slug="nirvana-cork-1991")


@pytest.fixture
def payload():
    """Build what the purchase form sends; name what deviates."""

    def build(**changes):
        values = {
            "owners-TOTAL_FORMS": "1",
            "owners-INITIAL_FORMS": "0",
            "owners-0-name": "Ada Lovelace",
            "owners-0-email": "ada@example.com",
            "name_on_card": "A Lovelace",
            "card_number": "4242 4242 4242 4242",
            "card_expiry": f"12/{datetime.now(UTC).year + 2}",
            "card_cvc": "123",
            "disclaimer_accepted": "on",
            "token": str(uuid.uuid4()),
            "price": "120.00",
        }
        # The first owner is spoken of without a number.
        return values | {f"owners-0-{name}" if name in ("name", "email") else name: changes[name] for name in changes}

    return build


@pytest.fixture
def sqs(monkeypatch):
    """Give a boto3 client of an SQS in this process, with the queue as `queue create` makes it."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        queue.forget()
        provisioning.create()
        yield queue.consumer()
    queue.forget()


@pytest.fixture
def smtp(settings):
    """Give a mail server that listens, and that the settings name."""
    server = SmtpServer()
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_TIMEOUT = 2
    yield server
    server.stop()


class Lines(logging.Handler):
    """Keep the log's lines as production writes them."""

    def __init__(self):
        super().__init__()
        self.setFormatter(formatter("json"))
        self.text = ""

    def emit(self, record):
        self.text += self.format(record) + "\n"

    def __call__(self, *keys: str, **wanted) -> list:
        """Give `keys` of each line whose other keys are as `wanted`: one key's value, or a tuple of several's."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        found = [line for line in lines if {key: line.get(key) for key in wanted} == wanted]
        return [line[keys[0]] if len(keys) == 1 else tuple(line.get(key) for key in keys) for line in found]


@pytest.fixture
def logs():
    lines = Lines()
    loggers = [logging.getLogger(name) for name in ("", "django")]  # Django's own doesn't hand its lines on.
    for logger in loggers:
        logger.addHandler(lines)
    yield lines
    for logger in loggers:
        logger.removeHandler(lines)


@pytest.fixture(autouse=True)
def _english():
    """Undo what a request of Django's test client leaves behind: the language it was answered in."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _closed_breaker(monkeypatch):
    monkeypatch.setattr(purchases, "breaker", purchases.Breaker(failure=queue.QueueError))


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(kept, "SECONDS", 0)


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch):
    limits.forget()
    takings.forget()
    monkeypatch.setattr(limits, "breaker", limits.Breaker(failure=limits.StorageError))
