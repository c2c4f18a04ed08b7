"""The box office in a real browser, on a phone and on a desktop; axe finds nothing serious on any of its screens."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import expect

from tickets import queue
from tickets.models import Purchase, Ticket
from tickets.presence import Presence
from tickets.purchases import Owner, buy

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture(params=SIZES)
def office(request, page, gig, sqs, settings):
    """Sign in at the box office of a shop with three tickets: one mailed, one parked, one to publish."""
    settings.AXES_ENABLED = False
    User.objects.create_superuser("organiser", "organiser@example.com", "a long password of ours")
    tickets = buy(gig, [Owner("Ada Lovelace", "ada@example.com")] * 3, "token").tickets
    Ticket.objects.filter(pk=tickets[0].pk).update(mailed_at=timezone.now())
    Ticket.objects.filter(pk=tickets[1].pk).update(parked_at=timezone.now(), parked_cause="550 no such user")
    Presence.objects.create(name="shop-1:42")
    width, height = SIZES[request.param]
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/admin/")
    page.get_by_label("Username").fill("organiser")
    page.get_by_label("Password").fill("a long password of ours")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def _examine(page):
    """Find nothing serious on the page, in light and in dark, nothing beyond its edge, all below the logo."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = [
            f"{violation['id']}: {node['html']}"
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
        assert found == []
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    stacked = page.locator("#site-name a, div.breadcrumbs a:first-child, .messagelist, #content > h1")
    assert stacked.evaluate_all("all => new Set(all.map(one => one.getBoundingClientRect().left)).size") == 1


def test_the_first_screen_refreshes_by_itself(office):
    _examine(office)
    parked = office.locator(".box", has_text="parked").locator(".big")
    expect(parked).to_have_text(re.compile(r"^1\b"))
    Ticket.objects.filter(parked_at__isnull=False).update(parked_at=None, mailed_at=timezone.now())
    expect(parked).to_have_text(re.compile(r"^0\b"), timeout=15_000)
    expect(office.locator("#stale")).to_be_hidden()


def test_it_says_so_while_the_shop_does_not_answer_and_rests_in_a_hidden_tab(office):
    office.goto("/admin/")  # and all of its scripts; signing in has waited for its words alone
    office.evaluate("console.error = () => {}")  # htmx complains there of what this test has asked for.
    asked = []
    office.on("request", lambda request: asked.append(request.url) if request.url.endswith("/board/") else None)
    office.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    office.evaluate("htmx.trigger('#board', 'again')")
    assert asked == []
    office.route("**/admin/board/", lambda route: route.abort())
    office.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    office.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(office.locator("#stale")).to_be_visible()
    assert len(asked) >= 1
    office.unroute("**/admin/board/")
    office.evaluate("htmx.trigger('#board', 'again')")
    expect(office.locator("#stale")).to_be_hidden()


PAGES = [
    "/admin/tickets/ticket/",
    "/admin/tickets/purchase/",
    "/admin/tickets/gig/",
    "/admin/tickets/gig/add/",
    "/admin/tickets/gig/import/",
    "/admin/auth/user/",
    "/admin/password_change/",
    # Its second factor and its sign-in page are among those of test_pages.py.
]


def test_every_other_screen_can_be_used_by_everybody(office):
    for address in PAGES:
        office.goto(address)
        _examine(office)


def test_a_gig_and_a_purchase_themselves(office, gig):
    for row in (gig, Purchase.objects.get()):
        office.goto(reverse(f"admin:tickets_{row._meta.model_name}_change", args=[row.pk]))
        _examine(office)
        cut = "row => [...row.querySelectorAll('*')].some(e => e.getBoundingClientRect().right > innerWidth)"
        assert [row.inner_text() for row in office.locator(".aligned .form-row").all() if row.evaluate(cut)] == []


def test_what_a_file_would_change(office, gig):
    rows = json.dumps([{"slug": gig.slug, "venue": "City Hall"}]).encode()
    office.goto("/admin/tickets/gig/import/")
    office.get_by_label("File").set_input_files({"name": "gigs.json", "mimeType": "application/json", "buffer": rows})
    office.get_by_role("button", name="See what would change").click()
    expect(office.get_by_role("cell", name="City Hall")).to_be_visible()
    _examine(office)


def test_spare_codes(office):
    office.goto("/admin/second-factor/")
    device = TOTPDevice.objects.get()
    office.get_by_label("Code", exact=True).fill(f"{totp(device.bin_key):06}")
    office.get_by_role("button", name="Turn it on").click()
    expect(office.get_by_role("heading", name="Your spare codes")).to_be_visible()
    _examine(office)


def test_a_ticket_is_found_and_its_address_corrected(office):
    office.get_by_role("link", name="Tickets", exact=True).first.click()
    office.locator("#searchbar").fill("lovelace")
    office.get_by_role("button", name="Search").click()
    office.locator("#result_list tbody a").first.click()
    expect(office.get_by_role("heading", name="What happened")).to_be_visible()
    _examine(office)
    office.get_by_role("link", name="Correct the address").click()
    _examine(office)
    office.get_by_label("E-mail").fill("ada@example.org")
    office.get_by_role("button", name="Correct the address").click()
    expect(office.get_by_text("Address corrected from a…@example.com to a…@example.org").first).to_be_visible()
    assert Ticket.objects.filter(email="ada@example.org").count() == 1


def test_a_parked_message_is_redriven(office):
    queue.send([queue.Message({"no": "ticket"})])
    [message] = queue.receive(wait_seconds=1)
    queue.park(message, "not an object of exactly name, email, gigId, ticketId")
    office.get_by_role("link", name="Parked", exact=True).click()
    _examine(office)
    office.get_by_role("checkbox", name=re.compile("Choose message")).check()
    office.get_by_role("button", name="Redrive the chosen").click()
    expect(office.get_by_text("Nothing is done yet. This would be one:")).to_be_visible()
    _examine(office)
    office.get_by_role("button", name="Redrive").click()
    expect(office.get_by_text("Redriven: 1. Still parked: 0.")).to_be_visible()


def test_the_sign_in_page_is_the_shops_and_says_that_it_is_for_the_staff(page):
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/admin/")
    expect(page).to_have_title("Sign in · Box office · TimelessMusic")
    expect(page.get_by_role("heading")).to_have_text(["Box office"])
    field = page.get_by_label("Username").bounding_box()
    label = page.get_by_text("Username").bounding_box()
    assert field["y"] - (label["y"] + label["height"]) >= 5  # The ring around the field that has the focus ends there.
    assert field["x"] == 320 - (field["x"] + field["width"])
    page.get_by_role("link", name="See all gigs").click()
    expect(page).to_have_url(re.compile("^[^/]*//[^/]*/$"))
