"""The page that shows the API; the fixture `page` fails at the least thing that the Content-Security-Policy blocks."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("size", [(390, 844), (1280, 900)], ids=["phone", "desktop"])
def test_it_shows_every_address_and_sells_nothing_by_trying(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto("/api/")
    expect(page.locator(".opblock-summary-path")).to_have_text(["/api/gigs", "/api/gigs/{gigId}", "/api/purchase"])
    page.get_by_role("button", name="Buy a ticket").click()
    expect(page.get_by_text("The ticket is sold and on its way.")).to_be_visible()
    expect(page.get_by_role("button", name="Try it out")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_gig_can_be_looked_up_on_it(page, gig):
    page.goto("/api/")
    page.get_by_role("button", name="Look a gig up").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table")).to_contain_text("Three weeks before the world knew.")


def test_without_javascript_it_names_the_specification(browser, live_server):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/api/")
    expect(page.get_by_role("link", name="openapi.yml")).to_have_attribute("href", "/api/openapi.yml")
    context.close()
