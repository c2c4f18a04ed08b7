"""What the security headers and the limits leave working, in a real browser."""

import re

import pytest
from django.contrib.auth.models import User
from limits import parse_many
from playwright.sync_api import expect

from tests.browser.test_purchase import _fill
from tickets import limits
from tickets.models import Purchase

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a long password of ours"


@pytest.fixture
def said(page):
    """Collect whatever the console says, warnings about headers among it; but the admin has no icon."""
    said = []
    page.on("console", lambda m: m.location["url"].endswith("/favicon.ico") or said.append(m.text))
    return said


@pytest.fixture
def _organiser():
    User.objects.create_superuser("organiser", "organiser@example.com", PASSWORD)


def _sign_in(page, password):
    page.goto("/admin/")
    page.get_by_label("Username").fill("organiser")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_who_buys_too_often_waits_and_buys_with_the_same_form(page, gig, sqs, settings):
    settings.PURCHASE_LIMITS = parse_many("1/hour")
    for _ in range(2):
        page.goto(gig.get_absolute_url())
        _fill(page)
        page.get_by_role("button", name="Buy this ticket").click()
        expect(page.locator(".working")).to_have_count(0)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Please wait 60 minutes")
    expect(page.get_by_label("E-mail")).to_have_value("zoe@example.com")
    assert Purchase.objects.count() == 1

    limits.forget()  # The hour is over. What is asked back is counted, too.
    settings.PURCHASE_LIMITS = parse_many("2/hour")
    page.get_by_role("button", name="Buy this ticket").click()
    page.get_by_role("button", name="Buy all the same").click()
    page.wait_for_url(re.compile("/purchases/"))
    assert Purchase.objects.count() == 2


@pytest.mark.usefixtures("_organiser")
def test_the_admin_works_under_all_headers(page, gig, said):
    _sign_in(page, PASSWORD)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto(f"/admin/tickets/gig/{gig.pk}/change/")
    # Styles and scripts are there: the header has its colour, and the button at its end turns the theme.
    assert page.locator("#header").evaluate("header => getComputedStyle(header).backgroundColor") != "rgba(0, 0, 0, 0)"
    theme = page.locator("html").get_attribute("data-theme")
    page.get_by_role("button", name="Toggle theme").click()
    expect(page.locator("html")).not_to_have_attribute("data-theme", theme)
    # The browser's own pickers stand for Django's, whose styles the policy refuses.
    expect(page.locator("[name=departs_at]")).to_have_attribute("type", "datetime-local")
    page.goto("/admin/tickets/ticket/?q=ada@example.com")
    expect(page.get_by_text("0 tickets")).to_be_visible()
    assert said == []


@pytest.mark.usefixtures("_organiser")
def test_too_many_wrong_passwords_lead_to_a_page_that_says_what_to_do(page, settings):
    settings.AXES_FAILURE_LIMIT = 2
    for _ in range(2):
        _sign_in(page, "wrong")
    expect(page.get_by_role("heading", name="Too many tries")).to_be_visible()
    expect(page.get_by_text("Wait 15 minutes, then try again.")).to_be_visible()


def test_the_shop_loads_all_it_needs_and_the_console_stays_silent(page, gig, sqs, said):
    failures = []
    page.on("requestfailed", lambda request: failures.append(request.url))
    page.on("response", lambda response: failures.append(response.url) if response.status >= 400 else None)
    for address in ("/", gig.get_absolute_url()):
        page.goto(address, wait_until="networkidle")
    _fill(page)
    page.get_by_role("button", name="Buy this ticket").click()
    page.wait_for_url(re.compile("/purchases/"))
    expect(page.get_by_role("heading", name="Your ticket is on its way")).to_be_visible()
    assert (said, failures) == ([], [])
