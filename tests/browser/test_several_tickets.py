"""Several tickets at once, and a network that breaks in the middle: nobody is ever left in doubt."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.test_purchase import _fill
from tickets import provisioning
from tickets.models import Gig, Purchase, Ticket
from tickets.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)

THREE = {"Ada Lovelace": "ada@example.com", "Grace Hopper": "grace@example.com", "Zoë Ötzi": "zoe@example.com"}
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture
def form(request, page, gig, sqs):
    """Open the form on a phone, or on what `indirect` names."""
    width, height = SIZES[getattr(request, "param", "phone")]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(gig.get_absolute_url())
    return page


def _fill_for_three(page):
    for number in (1, 2):
        page.get_by_role("button", name="Add another ticket").click()
        expect(page.locator(f"[name=owners-{number}-name]")).to_be_focused()
    owners = {}
    for number, (name, email) in enumerate(THREE.items()):
        owners |= {f"owners-{number}-name": name, f"owners-{number}-email": email}
    _fill(page, **owners)


def _lose_the_answer(page):
    """Let the purchase reach the shop, its answer get lost, and the network stay away until it is brought back."""

    def lose(route):
        route.fetch()
        page.context.set_offline(True)
        route.abort()

    page.route("**/gigs/**", lambda route: lose(route) if route.request.method == "POST" else route.continue_())


@pytest.mark.parametrize(
    ("form", "pair"),
    [("desktop", ("owners-0-name", "owners-0-email")), ("phone", ("card_expiry", "card_cvc"))],
    indirect=["form"],
)
def test_inputs_side_by_side_share_a_line(form, pair):
    """Whatever help or label of two lines stands with one of them."""
    form.evaluate("document.querySelector('label[for=id_card_cvc]').textContent = 'Codice di sicurezza della carta'")
    left, right = (form.locator(f"[name='{name}']").bounding_box() for name in pair)
    assert (left["y"], left["height"]) == (right["y"], right["height"])
    assert left["x"] + left["width"] < right["x"]


@pytest.mark.parametrize("form", SIZES, indirect=True)
def test_three_tickets_for_three_people_through_a_broken_network(form, mailoutbox):
    _fill_for_three(form)
    _lose_the_answer(form)
    form.get_by_role("button", name="Buy 3 tickets · $360.00").click()
    expect(form.get_by_role("status").filter(has_text="The connection broke.")).to_be_visible()
    expect(form.get_by_role("button", name="Buying …")).to_be_disabled()
    form.context.set_offline(False)
    form.wait_for_url(re.compile("/purchases/"))
    assert Purchase.objects.get().get_absolute_url() in form.url
    assert (Ticket.objects.count(), provisioning.describe().waiting) == (3, 3)
    Worker().run(batch=True)
    expect(form.get_by_role("heading", name="Your ticket is mailed")).to_have_count(3)
    assert sorted(mail.to for mail in mailoutbox) == sorted([f"{name} <{email}>"] for name, email in THREE.items())


def test_a_request_that_got_lost_bought_nothing_and_says_so(form):
    _fill(form)
    form.route("**/gigs/**", lambda route: route.abort())
    form.get_by_role("button", name="Buy this ticket").click()
    expect(form.get_by_role("status").filter(has_text="Nothing was bought.")).to_be_visible()
    expect(form.get_by_role("button", name="Buy this ticket")).to_be_focused()
    assert Purchase.objects.count() == 0
    form.unroute("**/gigs/**")
    form.get_by_role("button", name="Buy this ticket").click()
    form.wait_for_url(re.compile("/purchases/"))
    assert Ticket.objects.count() == 1


def test_who_closed_the_page_in_between_hears_of_the_purchase(page, gig, sqs):
    page.goto(gig.get_absolute_url())
    _fill(page)
    _lose_the_answer(page)
    page.get_by_role("button", name="Buy this ticket").click()
    expect(page.get_by_role("status").filter(has_text="The connection broke.")).to_be_visible()
    context = page.context
    page.close()
    context.set_offline(False)
    later = context.new_page()
    later.goto(gig.get_absolute_url())
    later.get_by_role("link", name="See your tickets").click()
    later.wait_for_url(re.compile(Purchase.objects.get().get_absolute_url()))
    later.goto(gig.get_absolute_url())
    expect(later.get_by_role("link", name="See your tickets")).to_be_hidden()


def test_pressed_twice_it_buys_once_and_says_what_it_does(page, gig, sqs):
    page.goto(gig.get_absolute_url())
    _fill(page)
    page.wait_for_load_state("networkidle")  # The fields are checked.
    sent = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    page.locator("#buy-button").dblclick()
    page.wait_for_url(re.compile("/purchases/"))
    assert [urlsplit(address).path for address in sent] == [gig.get_absolute_url()]


def test_a_field_is_checked_as_one_leaves_it_and_the_card_stays_in_the_page(form):
    sent = []
    form.on("request", lambda request: sent.append(request.post_data or ""))
    email = form.get_by_label("E-mail")
    email.fill("ada@")
    number, cvc = form.get_by_label("Card number"), form.get_by_label("Security code")
    number.fill("4242424242424241")
    expect(form.locator("#card-brand")).to_have_text("Visa")
    cvc.fill("12")
    form.get_by_label("Expiry").fill("1335")
    form.get_by_label("Name on card").fill("A Lovelace")
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description(re.compile("Enter an e-mail address like name@example.com."))
    expect(number).to_have_accessible_description("This is not a card number: check it for a mistyped digit.")
    expect(number).to_have_value("4242 4242 4242 4241")
    expect(cvc).to_have_accessible_description("Enter the 3 or 4 digits of the security code.")
    expect(form.get_by_label("Expiry")).to_have_accessible_description(re.compile("like 12/31"))
    email.fill("ada@example.com")
    number.fill("378282246310005")
    cvc.fill("1234")
    form.get_by_label("Expiry").fill("1235")
    form.get_by_label("Name on card").focus()
    for field in (email, number, cvc, form.get_by_label("Expiry")):
        expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(number).to_have_value("3782 822463 10005")
    expect(form.locator("#card-brand")).to_have_text("American Express")
    expect(form.get_by_label("Expiry")).to_have_value("12/35")
    form.get_by_role("button", name="Add another ticket").click()
    expect(form.locator("[name=owners-1-name]")).to_be_focused()
    expect(number).to_have_value("3782 822463 10005")
    expect(cvc).to_have_value("1234")
    assert [data for data in sent if "card_number" in data or "card_cvc" in data or "4242" in data] == []


def test_one_click_sends_all_tickets_to_one_address(form):
    _fill_for_three(form)
    form.locator("[name=owners-0-email]").focus()
    form.keyboard.press("Tab")  # It comes before the addresses that it spares.
    expect(form.get_by_label("Send all tickets to this address")).to_be_focused()
    form.keyboard.press("Space")
    expect(form.get_by_label("E-mail", exact=True)).to_have_count(3)
    expect(form.locator("[name=owners-1-email]")).to_be_hidden()
    form.get_by_role("button", name="Remove ticket 3").click()
    form.get_by_role("button", name="Buy 2 tickets · $240.00").click()
    form.wait_for_url(re.compile("/purchases/"))
    assert set(Ticket.objects.values_list("name", "email")) == {
        ("Ada Lovelace", "ada@example.com"),
        ("Grace Hopper", "ada@example.com"),
    }


def test_one_click_keeps_as_many_tickets_as_there_are_seats(form):
    _fill_for_three(form)
    Gig.objects.update(sold=8)
    form.get_by_role("button", name="Buy 3 tickets").click()
    form.get_by_role("button", name="Keep the first 2 tickets").click()
    expect(form.locator("[name=owners-1-name]")).to_be_focused()
    expect(form.get_by_label("Card number")).to_have_value("4242 4242 4242 4242")
    form.get_by_role("button", name="Buy 2 tickets · $240.00").click()
    form.wait_for_url(re.compile("/purchases/"))
    assert set(Ticket.objects.values_list("name", flat=True)) == {"Ada Lovelace", "Grace Hopper"}


def test_several_without_javascript(browser, live_server, gig, sqs):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(gig.get_absolute_url())
    _fill(page)
    for number in (1, 2):
        page.get_by_role("button", name="Add another ticket").click()
        expect(page.locator(f"[name=owners-{number}-name]")).to_be_focused()
    page.get_by_role("button", name="Remove ticket 2").click()
    expect(page.locator("[name=owners-0-name]")).to_have_value("Zoë 🎸 Ötzi")
    expect(page.get_by_label("Name on card")).to_have_value("Z Otzi")
    expect(page.get_by_label("Card number")).to_have_value("")
    _fill(page, **{"owners-1-name": "Grace Hopper"})
    page.get_by_label("Send all tickets to this address").check()
    page.get_by_label("Security code").press("Enter")
    page.wait_for_url(re.compile("/purchases/"))
    assert set(Ticket.objects.values_list("name", "email")) == {
        ("Zoë 🎸 Ötzi", "zoe@example.com"),
        ("Grace Hopper", "zoe@example.com"),
    }
    context.close()
