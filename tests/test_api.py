import json
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.signals import got_request_exception
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone
from django.views.debug import get_exception_reporter_class
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from limits import parse_many
from moto import mock_aws
from moto.sqs import sqs_backends

from tickets import provisioning, queue
from tickets.models import Gig, Purchase, Ticket

pytestmark = pytest.mark.django_db
JSON = "application/json"
HERE, THERE = "https://www.example.com", "https://elsewhere.example.com"
YEAR = str(datetime.now(UTC).year + 2)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def order(**changes):
    """Build what a front end sends; name what deviates, None leaves a field out."""
    values = {
        "gigId": "nirvana-cork-1991",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "nameOnCard": "A Lovelace",
        "cardNumber": "4242 4242 4242 4242",
        "cardExpiryMonth": "12",
        "cardExpiryYear": YEAR,
        "cardCVC": "123",
        "disclaimerAccepted": True,
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


@pytest.fixture(autouse=True)
def _no_limits(settings):
    settings.PURCHASE_LIMITS = []  # Hypothesis buys more in a minute than a person does.


@pytest.fixture(scope="module")
def clients():
    """Keep the clients of SQS for all these tests: to make them takes ten times as long as one of these."""
    with mock_aws():
        queue.forget()
        yield
    queue.forget()


@pytest.fixture
def sqs(clients, settings):
    sqs_backends.reset()
    queue.consumer().create_queue(QueueName=settings.SQS_QUEUE_NAME)


@pytest.fixture
def post(client, sqs):
    """Post a body, JSON unless it is bytes; tell the status and the JSON that came back."""
    client.raise_request_exception = False

    def post(body, content_type=JSON, **options):
        data = body if isinstance(body, bytes) else json.dumps(body)
        # Said twice, as the client leaves the type of an empty body out.
        answer = client.post("/api/purchase", data, content_type=content_type, CONTENT_TYPE=content_type, **options)
        assert answer["Content-Type"] == JSON
        return answer

    return post


@pytest.fixture
def buy(post, gig):
    def buy(key=None, **changes):
        return post(order(**changes), headers={"Idempotency-Key": key} if key is not None else {})

    return buy


def said(answer):
    """Give an answer's status and JSON."""
    return answer.status_code, answer.json()


def sold():
    """Count purchases, tickets, seats and messages."""
    seats = sum(gig.sold for gig in Gig.objects.all())
    return Purchase.objects.count(), Ticket.objects.count(), seats, provisioning.describe().depth


NOTHING, ONE = (0, 0, 0, 0), (1, 1, 1, 1)


# --- Gigs -----------------------------------------------------------------------------------------


def test_a_gig_has_the_keys_that_front_ends_read(client, make_gig):
    make_gig(
        slug="nirvana-cork-1991",
        departs_at=datetime(2027, 8, 20, 23, 30, tzinfo=UTC),  # past midnight where it leaves
        collection_point="Bishop Lucey Park",
        price=Decimal("120"),
        sold=3,
    )
    assert client.get("/api/gigs/nirvana-cork-1991").json() == {
        "id": "nirvana-cork-1991",
        "bandName": "Nirvana",
        "city": "Cork",
        "year": "1991",
        "date": "2027-08-21",
        "venue": "Sir Henry's",
        "collectionPointMap": "nirvana-cork-1991.map.svg",
        "collectionPoint": "Bishop Lucey Park",
        "collectionTime": "00:30",
        "originalDate": "1991-08-20",
        "capacity": 10,
        "description": "Three weeks before the world knew.",
        "image": "nirvana-cork-1991.svg",
        "price": "120.00",
        "available": 7,
        "soldOut": False,
        "currency": "USD",
    }


def test_the_list_is_a_bare_array_of_what_is_published_by_departure(client, make_gig):
    late, early = make_gig(), make_gig(departs_at=timezone.now() + timedelta(days=3), capacity=1, sold=1)
    make_gig(is_published=False)
    answer = client.get("/api/gigs")
    assert (answer.status_code, answer["Content-Type"]) == (200, JSON)
    assert [(gig["id"], gig["soldOut"]) for gig in answer.json()] == [(early.slug, True), (late.slug, False)]
    assert answer.json()[1] == client.get(f"/api/gigs/{late.slug}").json()


def test_an_empty_list_is_an_empty_array(client):
    assert client.get("/api/gigs").json() == []


@pytest.mark.parametrize("key", ["image", "collectionPointMap"])
def test_what_a_gig_names_is_served_under_images(client, gig, django_assert_num_queries, key):
    name = client.get("/api/gigs/nirvana-cork-1991").json()[key]
    with django_assert_num_queries(1):
        answer = client.get(f"/images/{name}")
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (
        200,
        "image/svg+xml",
        "public, max-age=3600",
    )
    assert answer.content.startswith(b"<svg ")
    Gig.objects.update(is_published=False)
    assert client.get(f"/images/{name}").status_code == 404


@pytest.mark.parametrize("gigs", [1, 3])
def test_the_list_takes_one_query_however_many_gigs_and_no_cookie(
    admin_client, make_gig, django_assert_num_queries, gigs
):
    made = [make_gig() for _ in range(gigs)]
    for address in ("/api/gigs", "/api/gigs?limit=2", f"/api/gigs/{made[0].slug}"):
        with django_assert_num_queries(1):
            answer = admin_client.get(address)
        assert (answer.status_code, answer.cookies) == (200, {})


def test_what_has_not_changed_is_not_sent_again(client, gig):
    for address in ("/api/gigs", "/api/gigs/nirvana-cork-1991"):
        first = client.get(address)
        assert first["Cache-Control"] == "public, max-age=10"
        assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304
        Gig.objects.update(sold=Gig.objects.get().sold + 1)
        assert client.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 200


def _next(answer):
    return answer["Link"].removeprefix("<").removesuffix('>; rel="next"') if "Link" in answer else None


def test_the_pages_have_every_gig_once(client, make_gig):
    departure = timezone.now() + timedelta(days=9)  # the same for some, so that the slug decides
    for _ in range(3):
        make_gig(departs_at=departure)
    for days in (3, 30):
        make_gig(departs_at=timezone.now() + timedelta(days=days))
    everything = [gig["id"] for gig in client.get("/api/gigs").json()]
    address, pages = "/api/gigs?limit=2", []
    while address:
        answer = client.get(address)
        pages.append([gig["id"] for gig in answer.json()])
        address = _next(answer)
        make_gig(departs_at=timezone.now() + timedelta(days=1))  # What comes in before doesn't shift what comes after.
    assert pages == [everything[:2], everything[2:4], everything[4:]]


def test_a_cursor_works_without_a_limit(client, make_gig):
    gigs = sorted(make_gig().slug for _ in range(3))
    Gig.objects.update(departs_at=timezone.now() + timedelta(days=9))
    address = _next(client.get("/api/gigs?limit=1")).replace("limit=1&", "")
    assert [gig["id"] for gig in client.get(address).json()] == gigs[1:]


@pytest.mark.parametrize("query", ["", "-1", "0", "101", "1.0", "ten", "\uff11", "1e2", " 5", "9" * 5000])
def test_a_limit_that_makes_no_sense_says_so(client, query):
    answer = client.get("/api/gigs", {"limit": query})
    assert said(answer) == (400, {"error": 'Invalid request: invalid parameter "limit"'})


@pytest.mark.parametrize("cursor", ["", "x", "a:b:c", "WyJ4Il0:1xVi:x", "\0", "é" * 500])
def test_a_cursor_of_somebody_elses_making_says_so(client, cursor):
    answer = client.get("/api/gigs", {"cursor": cursor})
    assert said(answer) == (400, {"error": 'Invalid request: invalid parameter "cursor"'})


@pytest.mark.parametrize("gig_id", ["beethoven-vienna-1824", "unpublished", "a b", "é", "x" * 5000, "a\0b", '"'])
def test_an_unknown_gig_is_not_found(client, make_gig, gig_id):
    make_gig(slug="unpublished", is_published=False)
    assert said(client.get(f"/api/gigs/{gig_id}")) == (404, {"error": f'Gig "{gig_id}" not found!'})


# --- Buying ---------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_buying_works(buy):
    answer = buy()
    purchase, ticket = Purchase.objects.get(), Ticket.objects.get()
    assert said(answer) == (202, {"ticketId": str(ticket.pk)})
    assert (answer["Location"], answer.cookies) == (f"/purchases/{purchase.pk}/", {})
    assert "no-store" in answer["Cache-Control"]
    [message] = queue.receive(wait_seconds=0)
    assert json.loads(message.body) == {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "gigId": "nirvana-cork-1991",
        "ticketId": str(ticket.pk),
    }
    assert (ticket.state, sold()) == (Ticket.State.ON_THE_WAY, ONE)


def test_buying_needs_no_csrf_token_and_heeds_no_session(gig, sqs, admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post("/api/purchase", json.dumps(order()), content_type=JSON).status_code == 202


def test_while_sqs_is_away_the_purchase_stands(buy, monkeypatch):
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
        queue.forget()
        answer = buy()
    queue.forget()
    [ticket] = Ticket.objects.unpublished()
    assert said(answer) == (202, {"ticketId": str(ticket.pk)})


@pytest.mark.parametrize(
    "changes",
    [
        {"cardNumber": 4242424242424242, "cardExpiryMonth": 12, "cardExpiryYear": int(YEAR), "cardCVC": 123},
        {"cardExpiryMonth": 12.0, "cardExpiryYear": YEAR[2:]},
        {"disclaimerAccepted": "true"},
        {"disclaimerAccepted": "on"},
        {"gig": "x", "token": "y", "__proto__": {"admin": True}},
    ],
    ids=["numbers", "whole numbers", "true", "on", "unknown keys"],
)
def test_what_front_ends_make_of_a_form_is_taken(buy, changes):
    assert (buy(**changes).status_code, sold()) == (202, ONE)


def test_a_byte_order_mark_is_no_obstacle(post, gig):
    assert post(b"\xef\xbb\xbf" + json.dumps(order()).encode()).status_code == 202


NAME, CARD_NAME = "Enter the name that shall stand on the ticket.", "Enter the name as it stands on the card."
CONTROL = "Leave out line breaks and control characters."
EMAIL = "Enter the e-mail address that the ticket shall be sent to."
NO_EMAIL = "Enter an e-mail address like name@example.com."
NUMBER, CVC = "Enter the card number.", "Enter the 3 or 4 digits of the security code."
MONTH, YEARS, TICK = "Enter a month, 1 to 12.", "Enter a year, like 2031.", "Tick this box to go on."
GIG_ID = "Enter the id of a gig, as /api/gigs has it."


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("gigId", None, GIG_ID),
        ("gigId", "", GIG_ID),
        ("gigId", 1991, GIG_ID),
        ("gigId", ["nirvana-cork-1991"], GIG_ID),
        ("name", None, NAME),
        ("name", "  ", NAME),
        ("name", 7, NAME),
        ("name", {"first": "Ada"}, NAME),
        ("name", "Eve\r\nBcc: all@example.com", CONTROL),
        ("name", "Ada\0", "Null characters are not allowed."),
        ("name", "Ada \ud800", CONTROL),
        ("name", "x" * 101, "Ensure this value has at most 100 characters (it has 101)."),
        ("email", None, EMAIL),
        ("email", "ada@", NO_EMAIL),
        ("email", "ada\ud800@example.com", NO_EMAIL),
        ("email", ["ada@example.com"], EMAIL),
        ("nameOnCard", None, CARD_NAME),
        ("nameOnCard", True, CARD_NAME),
        ("cardNumber", None, NUMBER),
        ("cardNumber", 4242.5, NUMBER),
        ("cardNumber", "4242 4242 4242 4241", "This is not a card number: check it for a mistyped digit."),
        ("cardExpiryMonth", None, MONTH),
        ("cardExpiryMonth", 13, MONTH),
        ("cardExpiryMonth", True, MONTH),
        ("cardExpiryMonth", {"month": 12}, MONTH),
        ("cardExpiryYear", "later", YEARS),
        ("cardExpiryYear", [2030], YEARS),
        ("cardCVC", "12", CVC),
        ("cardCVC", 12345, "Ensure this value has at most 4 characters (it has 5)."),
        ("disclaimerAccepted", None, TICK),
        ("disclaimerAccepted", False, TICK),
        ("disclaimerAccepted", "false", TICK),
        ("disclaimerAccepted", 1, TICK),
        ("disclaimerAccepted", [True], TICK),
    ],
)
def test_a_wrong_field_is_named_and_sells_nothing(buy, field, value, words):
    status, answer = said(buy(**{field: value}))
    assert (status, answer["error"]) == (400, f'Invalid request: missing or invalid field "{field}"')
    assert (words in answer["fields"].pop(field), answer["fields"]) == (True, {})
    assert sold() == NOTHING


def test_all_wrong_fields_are_named_in_order(post):
    status, answer = said(post({}))
    names = [*order()]
    assert (status, answer["error"]) == (
        400,
        "Invalid request: missing or invalid field " + ", ".join(f'"{name}"' for name in names),
    )
    assert list(answer["fields"]) == names


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b"name=Ada&email=ada@example.com",
        b"\xff\xfe{}",
        b'{"name": "\xe9"}',
        json.dumps({}).encode("utf-16"),
        b'{"name": NaN}',
        b'{"name": "Ada", "name": "Eve"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"9" * 60_000,
    ],
)
def test_what_is_no_json_object_sells_nothing(post, body):
    assert said(post(body)) == (400, {"error": "Invalid content, expected valid JSON"})
    assert sold() == NOTHING


@given(
    body=st.dictionaries(st.sampled_from([*order(), "other"]), json_values)
    | st.tuples(st.sampled_from([*order()]), json_values).map(lambda change: order() | dict([change]))
)
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_it_answers_to_anything(post, body):
    assert post(body).status_code in (400, 404)


@pytest.mark.parametrize("gig_id", ["beethoven-vienna-1824", "a\0b", "\ud800", "é", "x" * 60_000])
def test_an_unknown_gig_sells_nothing(buy, gig_id):
    assert said(buy(gigId=gig_id)) == (404, {"error": f'Gig "{gig_id}" not found!'})
    assert sold() == NOTHING


def test_an_unpublished_gig_sells_nothing(buy):
    Gig.objects.update(is_published=False)
    assert said(buy()) == (404, {"error": 'Gig "nirvana-cork-1991" not found!'})
    assert sold() == NOTHING


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sold": 10}, "sold out"),
        ({"departs_at": timezone.now()}, "departed"),
        ({"sales_end": timezone.now()}, "sale closed"),
        ({"sales_start": timezone.now() + timedelta(days=1)}, "not on sale yet"),
    ],
)
def test_a_gig_that_cant_be_bought_sells_nothing(buy, changes, why):
    Gig.objects.update(**changes)
    before = sold()
    assert said(buy()) == (409, {"error": f'Gig "nirvana-cork-1991" can\'t be bought: {why}'})
    assert sold() == before


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_another_media_type_sells_nothing(post, gig, content_type):
    assert said(post(order(), content_type=content_type)) == (
        415,
        {"error": "Unsupported media type, expected application/json"},
    )
    assert sold() == NOTHING


@pytest.mark.parametrize(("origin", "status"), [(HERE, 202), (THERE, 415), ("null", 415), (None, 415)])
def test_text_is_taken_for_json_from_the_allowed_origins_alone(post, gig, settings, origin, status):
    settings.CORS_ALLOWED_ORIGINS = [HERE]
    answer = post(order(), content_type="text/plain;charset=UTF-8", headers={"Origin": origin} if origin else {})
    assert (answer.status_code, sold()) == (status, ONE if status == 202 else NOTHING)


def test_a_body_over_64_kb_sells_nothing(buy):
    assert said(buy(name="x" * 70_000)) == (413, {"error": "Content too large, expected 65536 bytes at most"})
    assert sold() == NOTHING


def test_a_body_in_chunks_sells_nothing(client, gig, sqs):
    answer = client.post("/api/purchase", CONTENT_TYPE=JSON, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    assert said(answer) == (411, {"error": "Length required, expected a Content-Length"})
    assert sold() == NOTHING


@pytest.mark.parametrize("length", ["abc", "1", "5"])
def test_a_length_that_lies_sells_nothing(client, gig, sqs, length):
    answer = client.post("/api/purchase", json.dumps(order()), content_type=JSON, CONTENT_LENGTH=length)
    assert said(answer) == (400, {"error": "Invalid content, expected valid JSON"})
    assert sold() == NOTHING


# --- The same again -------------------------------------------------------------------------------

KEY = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'


def test_the_same_key_and_body_get_the_same_answer_and_ticket(buy):
    first, second = buy(KEY), buy(KEY)
    assert (said(first), first["Location"]) == (said(second), second["Location"])
    assert (first.status_code, sold()) == (202, ONE)


def test_without_a_key_every_request_buys(buy):
    assert buy().json() != buy().json()
    assert sold() == (2, 2, 2, 2)


@pytest.mark.parametrize(("one", "other"), [(KEY, KEY.strip('"')), (r'"a\"b\\c"', r'"a\"b\\c"'), ("k", '"k"')])
def test_a_key_is_the_same_with_and_without_its_quotes(buy, one, other):
    assert (said(buy(one)), sold()) == (said(buy(other)), ONE)


@pytest.mark.parametrize("changes", [{"name": "Eve"}, {"email": "eve@example.com"}, {"gigId": "another"}])
def test_the_same_key_with_another_body_sells_nothing(buy, make_gig, changes):
    make_gig(slug="another")
    buy(KEY)
    assert said(buy(KEY, **changes)) == (
        422,
        {"error": "This Idempotency-Key was used with another gig, name or e-mail"},
    )
    assert sold() == ONE


def test_the_same_key_with_another_card_is_the_same_purchase(buy):
    """Nothing of a card is kept, not even a hash, so there is nothing to compare."""
    assert (said(buy(KEY)), sold()) == (said(buy(KEY, cardNumber="5454545454545454")), ONE)


@pytest.mark.parametrize("changes", [{"sold": 10}, {"departs_at": timezone.now()}, {"is_published": False}])
def test_the_same_key_finds_its_ticket_whatever_became_of_the_gig(buy, changes):
    first = buy(KEY)
    Gig.objects.update(**changes)
    assert said(buy(KEY)) == said(first)


def test_a_key_whose_request_was_refused_can_be_used_again(buy):
    assert [buy(KEY, email="nonsense").status_code, buy(KEY).status_code] == [400, 202]
    assert sold() == ONE


@pytest.mark.parametrize(
    "key", ["", '""', '"', '"a', 'a"b', '"a"b"', '"a", "b"', "a, b", '"\\a"', "é", "x" * 256, "\t"]
)
def test_a_key_that_is_none_sells_nothing(buy, key):
    assert said(buy(key)) == (400, {"error": 'Invalid request: invalid header "Idempotency-Key"'})
    assert sold() == NOTHING


def test_a_key_never_finds_what_a_page_has_sold_nor_the_other_way_round(buy, gig, client, payload):
    token = str(uuid.uuid4())
    on_the_page = client.post(gig.get_absolute_url(), payload(token=token))
    by_the_api = buy(token)
    assert (on_the_page.status_code, by_the_api.status_code) == (302, 202)
    assert on_the_page.url != by_the_api["Location"]
    assert sold() == (2, 2, 2, 2)
    assert token not in Purchase.objects.get(pk=by_the_api["Location"].split("/")[2]).token


# --- At the same time -----------------------------------------------------------------------------


@pytest.fixture
def together():
    """Run deeds in threads with connections of their own."""

    def closing(deed):
        try:
            return deed()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        yield lambda deed: pool.submit(closing, deed)


postgresql = pytest.mark.skipif(
    "connection.vendor == 'sqlite'", reason="threads of one process share SQLite's memory database"
)


def _until_somebody_waits():
    """Come back when a connection waits for another's lock."""
    with connection.cursor() as cursor:
        for _ in range(100_000):
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waited")


@postgresql
@pytest.mark.django_db(transaction=True)
def test_the_same_request_twice_at_once_is_one_purchase(buy, together):
    one, other = [together(lambda: said(buy(KEY))) for _ in range(2)]
    assert one.result() == other.result() == (202, {"ticketId": str(Ticket.objects.get().pk)})
    assert sold() == ONE


@postgresql
@pytest.mark.django_db(transaction=True)
def test_while_the_first_request_still_runs_its_twin_is_told_so(impatient, buy, together):
    with transaction.atomic():
        first = buy(KEY)  # It has all but committed.
        twin = together(lambda: buy(KEY)).result(timeout=30)
    assert said(twin) == (409, {"error": "An earlier purchase is still running, send the same request again"})
    assert twin["Retry-After"] == "1"
    assert (said(buy(KEY)), sold()) == (said(first), ONE)


@postgresql
@pytest.mark.django_db(transaction=True)
def test_on_the_page_too(impatient, client, gig, sqs, payload, together):
    form = payload()
    with transaction.atomic():
        first = client.post(gig.get_absolute_url(), form)
        twin = together(lambda: Client().post(gig.get_absolute_url(), form)).result(timeout=30)
    assert (twin.status_code, twin.templates[0].name) == (409, "tickets/busy.html")
    assert (client.post(gig.get_absolute_url(), form).url, sold()) == (first.url, ONE)


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_price_that_has_just_changed_sells_nothing(buy, together):
    with transaction.atomic():
        Gig.objects.update(price=99)
        sale = together(buy)  # reads the old price, then waits for the seats
        _until_somebody_waits()
    assert said(sale.result()) == (
        409,
        {"error": 'Gig "nirvana-cork-1991" can\'t be bought: its price has just changed'},
    )
    assert sold() == NOTHING


# --- Refusing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/api/purchase", "POST"),
        ("PUT", "/api/purchase", "POST"),
        ("OPTIONS", "/api/purchase", "POST"),
        ("POST", "/api/gigs", "GET, HEAD"),
        ("DELETE", "/api/gigs/nirvana-cork-1991", "GET, HEAD"),
        ("POST", "/api/openapi.yml", "GET, HEAD"),
        ("POST", "/api/", "GET, HEAD"),
    ],
)
def test_another_method_is_told_which_there_are(gig, sqs, method, path, allow):
    answer = Client(enforce_csrf_checks=True).generic(method, path, json.dumps(order()), content_type=JSON)
    assert (*said(answer), answer["Allow"]) == (405, {"error": "Method Not Allowed"}, allow)
    assert sold() == NOTHING


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("path", ["/api/nothing", "/api/gigs/", "/api/gigs/a/b", "/api/purchase/", "/api/x" * 50])
def test_an_unknown_address_is_not_found_in_json(post, client, settings, debug, path):
    settings.DEBUG = debug
    for answer in (client.get(path), client.post(path, json.dumps(order()), content_type=JSON)):
        assert (*said(answer), answer["Content-Type"]) == (404, {"error": "Not Found"}, JSON)
        assert int(answer["Content-Length"]) == len(answer.content)
    assert sold() == NOTHING


def test_a_page_is_still_not_found_in_html(client):
    assert client.get("/nothing")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("debug", [True, False])
def test_a_host_that_is_not_ours_is_refused_in_json(client, settings, debug):
    settings.DEBUG = debug
    answer = client.get("/api/gigs", headers={"Host": "evil.example.com"})
    assert (*said(answer), answer["Content-Type"]) == (400, {"error": "Bad Request"}, JSON)


@pytest.mark.parametrize("debug", [True, False])
def test_a_bug_is_told_in_json_and_tells_no_card(buy, rf, monkeypatch, settings, debug):
    def fail(*_):
        raise RuntimeError("a bug")

    reports = []

    def report(request, **_):
        reporter = get_exception_reporter_class(request)(request, *sys.exc_info())
        reports.append(reporter.get_traceback_html() + reporter.get_traceback_text())

    settings.DEBUG = debug
    monkeypatch.setattr("tickets.purchases.buy", fail)
    got_request_exception.connect(report)
    try:
        answer = buy(cardCVC="987")
    finally:
        got_request_exception.disconnect(report)
    assert said(answer) == (500, {"error": "Internal Server Error"})
    assert sold() == NOTHING
    [seen] = reports
    assert "a bug" in seen
    assert [secret for secret in ("4242 4242", "A Lovelace", "'987'", "ada@example.com") if secret in seen] == []


# --- Other origins --------------------------------------------------------------------------------


@pytest.fixture
def cors(settings):
    settings.CORS_ALLOWED_ORIGINS = [HERE]


def _allowed(answer):
    """Give what CORS allows; for credentials there is no header, and so no cookie ever comes along."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("path", ["/api/gigs", "/api/nothing", "/images/nirvana-cork-1991.svg", "/api/openapi.yml"])
def test_an_allowed_origin_may_read(client, gig, cors, path):
    answer = client.get(path, headers={"Origin": HERE})
    assert _allowed(answer) == {
        "access-control-allow-origin": HERE,
        "access-control-expose-headers": "Link, Location, Retry-After",
    }
    assert "origin" in answer["Vary"]


@pytest.mark.parametrize(("origin", "path"), [(THERE, "/api/gigs"), (HERE, "/"), (HERE, "/admin/login/")])
def test_nobody_else_may_and_nothing_else(client, gig, cors, origin, path):
    assert _allowed(client.get(path, headers={"Origin": origin})) == {}


def test_the_preflight_of_a_purchase(client, cors):
    answer = client.options(
        "/api/purchase",
        headers={
            "Origin": HERE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,idempotency-key",
        },
    )
    allowed = _allowed(answer)
    assert {"content-type", "idempotency-key"} <= set(allowed.pop("access-control-allow-headers").split(", "))
    assert (answer.status_code, allowed) == (
        200,
        {
            "access-control-allow-origin": HERE,
            "access-control-expose-headers": "Link, Location, Retry-After",
            "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
            "access-control-max-age": "86400",
        },
    )


# --- Describing -----------------------------------------------------------------------------------


def test_the_specification_is_served(client, settings):
    answer = client.get("/api/openapi.yml")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/yaml")
    assert answer.content == (settings.BASE_DIR / "openapi.yml").read_bytes()


def test_the_page_that_shows_it_may_have_pictures_in_its_style_sheet_and_no_more(client):
    page, other = client.get("/api/"), client.get("/")
    assert page.status_code == 200
    loosened = page["Content-Security-Policy"].split("; "), other["Content-Security-Policy"].split("; ")
    assert set(loosened[0]) ^ set(loosened[1]) == {"img-src 'self'", "img-src 'self' data:"}
    assert "unsafe-inline" not in page["Content-Security-Policy"]


def test_the_date_of_old_is_four_digits(client, make_gig):
    gig = make_gig(original_date=date(1824, 5, 7))
    assert client.get(f"/api/gigs/{gig.slug}").json()["originalDate"] == "1824-05-07"


def test_who_buys_too_often_is_asked_to_wait(client, gig, sqs, settings):
    settings.PURCHASE_LIMITS = parse_many("2/minute")
    answers = [client.post("/api/purchase", order(), content_type=JSON) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    wait = answers[2]["Retry-After"]
    assert 1 <= int(wait) <= 60
    assert answers[2].json() == {"error": f"Too many purchases from your address, try again in {wait} s"}
    waiting = queue.consumer().get_queue_attributes(
        QueueUrl=queue.url(), AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]["ApproximateNumberOfMessages"]
    assert (Ticket.objects.count(), waiting) == (2, "2")


@pytest.mark.parametrize("path", ["/api/gigs", "/api/gigs/nirvana-cork-1991"])
def test_while_the_database_is_away_the_answer_is_json(client, gig, path):
    def fail(*_):
        raise OperationalError("connection refused")

    with connection.execute_wrapper(fail):
        answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"], answer["Retry-After"]) == (503, "application/json", "10")
    assert list(answer.json()) == ["error"]
