"""A buyer's way through the shop, in a real browser, on a phone and on a desktop."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tickets import provisioning
from tickets.models import Gig, Purchase, Ticket
from tickets.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[(390, 844), (1280, 900)], ids=["phone", "desktop"])
def shop(request, page, gig, sqs):
    page.set_viewport_size({"width": request.param[0], "height": request.param[1]})
    page.goto("/")
    return page


def _fill(page, **changes):
    values = {
        "owners-0-name": "Zoë 🎸 Ötzi",
        "owners-0-email": "zoe@example.com",
        "name_on_card": "Z Otzi",
        "card_number": "4242 4242 4242 4242",
        "card_expiry": f"12/{datetime.now(UTC).year + 2}",
        "card_cvc": "123",
    }
    for name, value in (values | changes).items():
        page.locator(f"[name='{name}']").fill(value)
    page.locator("[name=disclaimer_accepted]").check()


def test_a_ticket_is_bought_and_the_page_turns_to_mailed_by_itself(shop, mailoutbox):
    shop.get_by_role("link", name="Nirvana").click()
    _fill(shop)
    shop.get_by_role("button", name="Buy this ticket").click()
    shop.wait_for_url(re.compile("/purchases/"))
    expect(shop.get_by_role("heading", name="Your ticket is on its way")).to_be_visible()
    assert provisioning.describe().waiting == 1
    Worker().run(batch=True)
    expect(shop.get_by_role("heading", name="Your ticket is mailed")).to_be_visible()
    assert [mail.to for mail in mailoutbox] == [["Zoë 🎸 Ötzi <zoe@example.com>"]]


def test_errors_stand_at_their_fields_and_what_was_typed_stays(shop):
    shop.get_by_role("link", name="Nirvana").click()
    _fill(shop, **{"owners-0-email": "nonsense"})
    shop.get_by_role("button", name="Buy this ticket").click()
    expect(shop.get_by_role("alert")).to_contain_text("Not bought yet")
    email = shop.get_by_label("E-mail")
    expect(email).to_be_focused()
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description(re.compile("Enter an e-mail address like name@example.com."))
    expect(email).to_have_value("nonsense")
    # They never left the page.
    expect(shop.get_by_label("Card number")).to_have_value("4242 4242 4242 4242")
    expect(shop.get_by_label("Security code")).to_have_value("123")
    assert Purchase.objects.count() == 0
    email.fill("zoe@example.com")
    shop.get_by_role("button", name="Buy this ticket").click()
    shop.wait_for_url(re.compile("/purchases/"))
    assert Ticket.objects.get().email == "zoe@example.com"


def test_back_and_the_same_form_again_is_one_purchase(shop):
    shop.get_by_role("link", name="Nirvana").click()
    _fill(shop)
    token = shop.locator("[name=token]").input_value()
    shop.get_by_role("button", name="Buy this ticket").click()
    shop.wait_for_url(re.compile("/purchases/"))
    bought = shop.url
    shop.go_back()
    _fill(shop)
    # Whatever the browser made of the page in its history: this is the form that was sent.
    shop.locator("[name=token]").evaluate("(field, token) => field.value = token", token)
    shop.get_by_role("button", name="Buy this ticket").click()
    shop.wait_for_url(bought)
    assert (Ticket.objects.count(), Gig.objects.get().sold) == (1, 1)


def test_a_gig_that_sells_out_meanwhile_says_so(shop):
    shop.get_by_role("link", name="Nirvana").click()
    Gig.objects.update(sold=10)
    _fill(shop)
    shop.get_by_role("button", name="Buy this ticket").click()
    expect(shop.get_by_role("heading", name=re.compile("sold out", re.IGNORECASE))).to_be_visible()
    assert Purchase.objects.count() == 0


def test_who_has_just_bought_is_asked_and_buys_all_the_same(shop, gig):
    for tickets in (1, 2):
        shop.goto(gig.get_absolute_url())
        _fill(shop)
        shop.get_by_role("button", name="Buy this ticket").click()
        if tickets == 2:
            shop.get_by_role("button", name="Buy all the same").click()
        shop.wait_for_url(re.compile("/purchases/"))
        assert Ticket.objects.count() == tickets


@pytest.fixture
def scriptless(browser, live_server, gig, sqs):
    """Open the gig's page in a browser without JavaScript."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(gig.get_absolute_url())
    yield page
    context.close()


def test_who_has_just_bought_buys_all_the_same_without_javascript(scriptless, gig):
    """The card is gone from each answer, so it is typed once more, and the form's own button means it."""
    buy_ticket = scriptless.get_by_role("button", name="Buy this ticket")
    _fill(scriptless)
    buy_ticket.click()
    scriptless.wait_for_url(re.compile("/purchases/"))
    scriptless.goto(gig.get_absolute_url())
    _fill(scriptless)
    buy_ticket.click()
    expect(scriptless.get_by_role("alert")).to_contain_text("If you want another ticket, press the button at the end")
    buy_ticket.click()
    expect(scriptless.get_by_role("alert")).to_contain_text("Enter the card number.")
    _fill(scriptless)
    buy_ticket.click()
    scriptless.wait_for_url(re.compile("/purchases/"))
    assert Ticket.objects.count() == 2


def test_it_works_without_javascript(scriptless):
    _fill(scriptless)
    scriptless.get_by_role("button", name="Buy this ticket").click()
    scriptless.wait_for_url(re.compile("/purchases/"))
    Worker().run(batch=True)
    scriptless.get_by_role("link", name="Reload this page").click()
    expect(scriptless.get_by_role("heading", name="Your ticket is mailed")).to_be_visible()
