"""The language's switch, in a real browser."""

import pytest
from playwright.sync_api import expect

from tickets.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("scripts", [True, False])
def test_the_switch_works_by_keyboard_and_without_javascript(browser, live_server, gig, scripts):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=scripts, locale="en-GB")
    page = context.new_page()
    page.goto(gig.get_absolute_url())
    page.get_by_role("button", name="Italiano").press("Enter")
    expect(page).to_have_url(live_server.url + gig.get_absolute_url())
    expect(page.locator("html")).to_have_attribute("lang", "it")
    expect(page.get_by_role("button", name="Compra questo biglietto · 120,00 $")).to_be_visible()
    expect(page.get_by_role("button", name="Italiano")).to_have_attribute("aria-current", "true")
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dovevi esserci. Adesso vai.")
    assert page.get_by_role("button", name="English").bounding_box()["height"] >= 24
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_what_was_typed_comes_along_but_for_card_number_and_security_code(browser, live_server, gig, sqs, scripts):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=scripts, locale="en-GB")
    page = context.new_page()
    page.goto(gig.get_absolute_url())
    page.get_by_label("Ticket owner's name").fill("Zoë")
    page.get_by_label("Card number").fill("4242 4242 4242 4242")
    page.get_by_role("button", name="Buy this ticket").click()
    expect(page.get_by_role("heading", name="Not bought yet")).to_be_visible()
    page.get_by_role("button", name="Italiano").click()
    expect(page.locator("html")).to_have_attribute("lang", "it")
    expect(page).to_have_url(live_server.url + gig.get_absolute_url())
    expect(page.locator("[name=owners-0-name]")).to_have_value("Zoë")
    expect(page.locator("[name=card_number]")).to_have_value("")
    for name, value in {
        "owners-0-email": "zoe@example.com",
        "name_on_card": "Z Otzi",
        "card_number": "4242 4242 4242 4242",
        "card_expiry": "12/2035",
        "card_cvc": "123",
    }.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=disclaimer_accepted]").check()
    page.get_by_role("button", name="Compra questo biglietto").click()
    expect(page.get_by_role("heading", name="A presto")).to_be_visible()
    assert [(ticket.name, ticket.purchase.language) for ticket in Ticket.objects.all()] == [("Zoë", "it")]
    context.close()
