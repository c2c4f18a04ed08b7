"""The language's switch, in a real browser."""

import pytest
from playwright.sync_api import expect

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
