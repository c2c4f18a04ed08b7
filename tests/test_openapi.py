"""The specification and the shop say the same: schemathesis makes requests of it and holds the answers against it."""

from datetime import UTC, datetime

import pytest
import schemathesis
import yaml
from django.conf import settings as django_settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from schemathesis.core.failures import FailureGroup

from tickets.api import cursor_after
from tickets.models import Gig, Ticket
from tickets.payment import luhn
from timelessmusic.wsgi import application

THIS_YEAR = datetime.now(UTC).year
PLAIN = {"Accept-Encoding": "identity"}  # By WSGI nobody would unpack what schemathesis asks to have compressed.


def _with_check_digit(digits):
    return digits + str(-luhn(f"{digits}0") % 10)


# What a JSON Schema has no words for, in the values that the shop takes.
words = st.text("abcdefghijklmnopqrstuvwxyzäøŁ山'-.", min_size=1, max_size=20)
schemathesis.openapi.format("name", st.lists(words, min_size=1, max_size=4).map(" ".join))
schemathesis.openapi.format(
    "email", st.from_regex(r"[a-z0-9]{1,20}(\.[a-z0-9]{1,20})?@[a-z]{1,20}\.(com|org)", fullmatch=True)
)
schemathesis.openapi.format("card-number", st.from_regex("[0-9]{11,18}", fullmatch=True).map(_with_check_digit))
schemathesis.openapi.format("card-expiry-year", st.integers(THIS_YEAR + 1, THIS_YEAR + 20).map(str))
schemathesis.openapi.format(
    "cursor",
    st.builds(cursor_after, st.builds(Gig, departs_at=st.datetimes(timezones=st.just(UTC)), slug=st.just("x"))),
)
schema = schemathesis.openapi.from_wsgi("/api/openapi.yml", application)


@pytest.fixture
def shop(make_gig, sqs, settings):
    """Give a gig that never sells out, and let requests by WSGI see it: they would end this test's transaction."""
    make_gig(slug="nirvana-cork-1991", capacity=1_000_000)
    settings.PURCHASE_LIMITS = []
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_shop_keeps_to_its_specification(case, shop):
    # A year that is a number is taken, too, but which ones are right depends on the day, and no schema can say that.
    assume(not isinstance(case.body, dict) or not isinstance(case.body.get("cardExpiryYear"), int))
    case.call_and_validate(headers=PLAIN)


def test_its_example_buys_a_ticket(client, shop):
    content = _specification()["paths"]["/api/purchase"]["post"]["requestBody"]["content"]["application/json"]
    answer = client.post("/api/purchase", content["examples"]["purchase"]["value"], content_type="application/json")
    assert (answer.status_code, answer.json()) == (202, {"ticketId": str(Ticket.objects.get().pk)})


def _price_is_a_number(specification):
    specification["components"]["schemas"]["Gig"]["properties"]["price"] = {"type": "number"}


def _gigs_have_a_genre(specification):
    specification["components"]["schemas"]["Gig"]["required"].append("genre")


def _a_gig_is_created(specification):
    answers = specification["paths"]["/api/gigs/{gigId}"]["get"]["responses"]
    answers["201"] = answers.pop("200")


@pytest.mark.parametrize("drift", [_price_is_a_number, _gigs_have_a_genre, _a_gig_is_created])
def test_a_specification_that_drifts_is_found_out(shop, drift):
    """The negative control: one word that is not true any more, and the test above would fail."""
    specification = _specification()
    _look_the_gig_up(specification)
    drift(specification)
    with pytest.raises(FailureGroup):
        _look_the_gig_up(specification)


def _specification():
    return yaml.safe_load((django_settings.BASE_DIR / "openapi.yml").read_text())


def _look_the_gig_up(specification):
    described = schemathesis.openapi.from_dict(specification)
    described.app = application
    look_up = described["/api/gigs/{gigId}"]["GET"]
    look_up.Case(path_parameters={"gigId": "nirvana-cork-1991"}).call_and_validate(headers=PLAIN)
