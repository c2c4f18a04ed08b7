"""The list of gigs in a real browser: found as one types, and without JavaScript."""

from datetime import date

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _programme(make_gig):
    make_gig(slug="beatles", artist="The Beatles", city="Liverpool", original_date=date(1961, 2, 9))
    make_gig(slug="bjork", artist="Björk", city="London", original_date=date(1997, 6, 1), sold=10)
    make_gig(slug="bowie", artist="David Bowie", city="London", original_date=date(1973, 7, 3))


def _shown(page):
    return page.locator(".gigs h2")


def test_it_finds_while_one_types_says_how_many_and_keeps_the_address(page, live_server):
    page.goto("/")
    expect(page.get_by_role("status")).to_have_text("3 gigs")
    status = page.get_by_role("status").element_handle()
    page.get_by_label("Artist, city or year").press_sequentially("londo")
    expect(_shown(page)).to_have_text(["Björk", "David Bowie"])
    # The same element still: a screen reader listens to it, and would not to a new one.
    assert status.text_content().strip() == "2 gigs found"
    expect(page).to_have_url(f"{live_server.url}/?q=londo")
    expect(page.get_by_label("Artist, city or year")).to_be_focused()

    page.get_by_label("1970s").check()
    expect(_shown(page)).to_have_text(["David Bowie"])
    expect(page).to_have_url(f"{live_server.url}/?q=londo&decade=1970")
    page.get_by_label("All", exact=True).check()
    expect(page).to_have_url(f"{live_server.url}/?q=londo")
    page.get_by_label("Show").select_option("With seats left")
    expect(page).to_have_url(f"{live_server.url}/?q=londo&seats=left")
    expect(_shown(page)).to_have_text(["David Bowie"])

    page.reload()
    expect(_shown(page)).to_have_text(["David Bowie"])
    expect(page.get_by_label("Show")).to_have_value("left")
    page.get_by_role("link", name="David Bowie").click()
    page.go_back()
    expect(_shown(page)).to_have_text(["David Bowie"])
    page.go_back()
    expect(page).to_have_url(f"{live_server.url}/?q=londo")
    expect(_shown(page)).to_have_text(["Björk", "David Bowie"])


def test_nothing_found_leads_on(page):
    page.goto("/")
    page.get_by_label("Artist, city or year").fill("zappa")
    expect(page.get_by_role("status")).to_have_text("No gig found")
    page.get_by_role("link", name="1960s").click()
    expect(_shown(page)).to_have_text(["The Beatles"])
    expect(page.get_by_label("1960s")).to_be_checked()


@pytest.mark.parametrize("trouble", [lambda route: route.abort(), lambda route: route.fulfill(status=500)])
def test_a_search_without_an_answer_says_so_and_is_made_once_more(page, trouble):
    page.goto("/")
    page.route("**/?q=*", trouble)
    page.get_by_label("Artist, city or year").fill("london")
    expect(page.get_by_role("status")).to_have_text("The shop didn't answer. Press Search to try once more.")
    page.unroute("**/?q=*")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status")).to_have_text("2 gigs found")
    expect(_shown(page)).to_have_text(["Björk", "David Bowie"])


def test_it_works_by_keyboard_alone(page):
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_label("All", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(_shown(page)).to_have_text(["The Beatles"])
    expect(page.get_by_label("1960s")).to_be_focused()


def test_it_works_without_javascript(browser, live_server):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Artist, city or year").fill("london")
    page.get_by_label("1970s").check()
    page.get_by_label("Sort by").select_option("Artist")
    page.get_by_role("button", name="Show these").click()  # below what one chooses, where nothing happens by itself
    expect(_shown(page)).to_have_text(["David Bowie"])
    expect(page.get_by_label("Artist, city or year")).to_have_value("london")
    expect(page.locator("#gigs")).to_be_in_viewport()
    context.close()
