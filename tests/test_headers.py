"""Which security headers stand where, to the letter."""

import uuid

import pytest
from django.urls import reverse

from tickets.models import Purchase
from tickets.purchases import Owner, buy

pytestmark = pytest.mark.django_db

SECURITY = [
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-Robots-Tag",
]
EVERYWHERE = {
    "Content-Security-Policy": (
        "base-uri 'none'; connect-src 'self'; default-src 'none'; font-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; img-src 'self'; manifest-src 'self'; script-src 'self'; style-src 'self'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), autoplay=(), browsing-topics=(), camera=(), clipboard-read=(), "
        "display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), "
        "identity-credentials-get=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), "
        "otp-credentials=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), "
        "serial=(), storage-access=(), usb=(), window-management=(), xr-spatial-tracking=()"
    ),
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FILE = {name: value for name, value in EVERYWHERE.items() if name != "Permissions-Policy"}  # Of pages alone.
PAGE = EVERYWHERE | {"Cross-Origin-Resource-Policy": "same-origin"}
PRIVATE = PAGE | {"X-Robots-Tag": "noindex, nofollow"}


@pytest.fixture
def purchase(gig):
    return buy(gig, [Owner("Ada Lovelace", "ada@example.com")], "token").purchase


def _private_pages(purchase):
    page, status = purchase.get_absolute_url(), reverse("purchase_status", args=[purchase.pk])
    return page, status, purchase.tickets.get().get_absolute_url()


def _read(client, address, **extra):
    answer = client.get(address, secure=True, **extra)
    found = {name: answer[name] for name in SECURITY if name in answer}
    if policy := found.get("Content-Security-Policy"):  # Its directives come in any order.
        found["Content-Security-Policy"] = "; ".join(sorted(policy.split("; ")))
    return answer.status_code, found


def test_the_list_and_a_gig(client, gig):
    assert [_read(client, address) for address in ("/", gig.get_absolute_url())] == [(200, PAGE)] * 2


def test_a_poster_may_be_shown_anywhere(client, gig):
    assert _read(client, reverse("poster", args=[gig.slug])) == (200, FILE)


def test_a_purchase_its_status_and_its_ticket(client, purchase):
    assert [_read(client, address) for address in _private_pages(purchase)] == [(200, PRIVATE)] * 3


def test_a_static_file(client, settings):
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True
    assert _read(client, "/static/tickets/favicon.svg") == (200, FILE)


def test_the_admin(client, admin_client):
    assert _read(client, "/admin/login/") == (200, PAGE)
    assert _read(admin_client, "/admin/") == (200, PAGE)


def test_what_is_not_there_or_not_understood(client):
    assert _read(client, "/nowhere/") == (404, PAGE)
    assert _read(client, "/", headers={"host": "evil.example"}) == (400, PAGE)


def test_the_health_check_shows_nothing_that_needs_any(client):
    assert _read(client, "/healthz") == (200, {})


# --- Purchases are private ------------------------------------------------------------------------


def test_purchases_and_tickets_are_never_kept_by_anybody(client, purchase):
    kept = "max-age=0, no-cache, no-store, must-revalidate, private"
    page, status, ticket = _private_pages(purchase)
    assert [client.get(address)["Cache-Control"] for address in (page, status, ticket)] == [kept] * 3
    for address in (page, ticket):
        assert '<meta name="robots" content="noindex">' in client.get(address).content.decode()


def test_a_wrong_address_says_no_more_than_any_other(client, purchase):
    def refusal(address):
        answer = client.get(address)
        return answer.status_code, answer.content.replace(address.encode(), b"")  # which the language's switch names

    wrong = [uuid.uuid4(), uuid.UUID(int=0), str(purchase.pk)[:-1], f"{purchase.pk}0", str(purchase.pk).upper()]
    refusals = {refusal(f"/purchases/{guess}/{end}") for guess in wrong for end in ("", "status/")}
    assert refusals == {refusal("/nowhere/")}
    assert [status for status, _ in refusals] == [404]
    assert Purchase.objects.count() == 1
