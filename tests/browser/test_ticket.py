"""After buying: the page that follows the tickets, and the ticket itself, at a door without a network or on paper."""

import io
import re
from datetime import timedelta

import pytest
import zxingcpp
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from PIL import Image, ImageDraw
from playwright.sync_api import expect
from pypdf import PdfReader

from tickets import aftersales
from tickets.models import Gig, Ticket
from tickets.purchases import Owner, buy, publish
from tickets.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)

REGISTRATIONS = """async () =>
  (await navigator.serviceWorker.getRegistrations()).map(({scope}) => new URL(scope).pathname)"""
SIZES = [pytest.param((390, 844), id="phone"), pytest.param((1280, 900), id="desktop")]


@pytest.fixture
def ticket(make_gig, sqs):
    gig = make_gig(slug="nirvana-cork-1991", latitude="51.89580", longitude="-8.47840")
    [ticket] = buy(gig, [Owner("Zoë 🎸 Ötzi", "zoe@example.com")], "token").tickets
    publish([ticket])
    return ticket


def _read(png: bytes, cover=None) -> list[str]:
    picture = Image.open(io.BytesIO(png)).convert("L")
    if cover:
        width, height = picture.size
        box = [width * cover[0], height * cover[1], width * cover[2], height * cover[3]]
        ImageDraw.Draw(picture).rectangle(box, "gray")
    return [found.text for found in zxingcpp.read_barcodes(picture)]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_scanner_reads_it_from_the_screen_of_any_phone(page, ticket, size, theme):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=theme)
    page.goto(ticket.get_absolute_url())
    assert _read(page.screenshot()) == [ticket.code]
    # A crack, or a thumb, over its middle: a tenth of its area.
    qr = page.locator(".qr").screenshot()
    assert _read(qr, cover=(0.4, 0.4, 0.7, 0.72)) == [ticket.code]
    expect(page.get_by_text(ticket.short_code)).to_be_visible()


def test_a_code_that_is_covered_too_far_is_not_read(page, ticket):
    """The negative control of the test above: it is the error correction that reads what is left."""
    page.goto(ticket.get_absolute_url())
    assert _read(page.locator(".qr").screenshot(), cover=(0.2, 0.2, 0.8, 0.8)) == []


def test_it_opens_without_a_network_once_it_was_seen(page, ticket):
    address = ticket.get_absolute_url()
    page.goto(address)
    expect(page.get_by_text("Kept on this device")).to_be_visible()
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_text("Zoë 🎸 Ötzi")).to_be_visible()
    assert _read(page.screenshot()) == [ticket.code]
    assert page.locator(".admission-code").evaluate("code => getComputedStyle(code).display") == "grid"
    assert Axe().run(page).response["violations"] == []
    # That page alone.
    assert page.evaluate(REGISTRATIONS) == ["/tickets/"]
    with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
        page.goto(ticket.purchase.get_absolute_url())


def test_a_ticket_that_was_replaced_is_forgotten(page, ticket):
    page.goto(ticket.get_absolute_url())
    expect(page.get_by_text("Kept on this device")).to_be_visible()
    aftersales.move(ticket, "Grace Hopper", "grace@example.com")
    page.reload()
    expect(page.get_by_role("heading", name="Replaced")).to_be_visible()
    page.context.set_offline(True)
    with pytest.raises(Exception, match="ERR_"):
        page.reload()


IS_KEPT = "async (address) => Boolean(await (await caches.open('tickets')).match(address))"
AGE = """async (address) => {
  const cache = await caches.open("tickets");
  const page = await (await cache.match(address)).text();
  const headers = { "Kept-Until": new Date(Date.now() - 1000).toUTCString() };
  await cache.put(address, new Response(page, { headers }));
}"""


def test_a_ticket_whose_gig_has_departed_is_forgotten_by_the_visit_of_another(page, ticket):
    past, files = ticket.get_absolute_url(), "async () => (await (await caches.open('tickets')).keys()).length"
    [other] = buy(ticket.gig, [Owner("Grace", "grace@example.com")], "another").tickets
    for each in (past, other.get_absolute_url()):
        page.goto(each)
        expect(page.get_by_text("Kept on this device")).to_be_visible()
    before = page.evaluate(files)
    page.evaluate(AGE, past)
    page.reload()
    page.wait_for_function(f"async () => !(await ({IS_KEPT})('{past}'))")
    assert page.evaluate(IS_KEPT, other.get_absolute_url())
    assert page.evaluate(files) == before - 1


def test_a_ticket_whose_gig_departed_two_days_ago_is_not_kept(page, ticket):
    address = ticket.get_absolute_url()
    page.goto(address)
    expect(page.get_by_text("Kept on this device")).to_be_visible()
    Gig.objects.update(departs_at=timezone.now() - timedelta(days=2))
    page.evaluate(AGE, address)
    page.reload()
    expect(page.get_by_text("Zoë 🎸 Ötzi")).to_be_visible()
    page.wait_for_function(f"async () => !(await ({IS_KEPT})('{address}'))")
    expect(page.get_by_text("Kept on this device")).to_have_count(0)


def test_it_prints_on_one_page_of_a4_and_is_read_from_it(page, ticket):
    page.goto(ticket.get_absolute_url())
    pdf = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    assert [[round(float(side)) for side in sheet.mediabox[2:]] for sheet in pdf.pages] == [[595, 842]]
    text = pdf.pages[0].extract_text()
    assert [said in text.upper() for said in ("NIRVANA", "SOUTH MAIN STREET", ticket.short_code)] == [True] * 3
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 680, "height": 1000})
    assert _read(page.screenshot()) == [ticket.code]


@pytest.mark.parametrize("size", SIZES)
def test_the_purchase_follows_each_ticket_and_sends_it_again(page, ticket, mailoutbox, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(ticket.purchase.get_absolute_url())
    expect(page.get_by_role("heading", name="Your ticket is on its way")).to_be_visible()
    Worker().run(batch=True)
    expect(page.get_by_role("heading", name="Your ticket is mailed")).to_be_visible()
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("heading", name="Your ticket is on its way")).to_be_visible()
    Worker().run(batch=True)
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("alert")).to_contain_text("Wait ")
    expect(page.get_by_role("alert")).to_be_focused()
    assert len(mailoutbox) == 2
    page.get_by_role("link", name="Open the ticket").click()
    expect(page.get_by_role("img", name="The ticket's code")).to_be_visible()


def test_a_wrong_address_is_corrected(page, ticket, mailoutbox):
    page.goto(ticket.purchase.get_absolute_url())
    page.get_by_role("link", name="Wrong address?").click()
    page.get_by_label("E-mail").fill("zoe@")
    page.get_by_role("button", name="Mail it there").click()
    expect(page.get_by_label("E-mail")).to_have_accessible_description(re.compile("like name@example.com"))
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.get_by_label("E-mail").fill("zoe@example.org")
    page.get_by_role("button", name="Mail it there").click()
    expect(page.get_by_text("We are sending it once more, to zoe@example.org")).to_be_visible()
    expect(page.get_by_role("link", name="Wrong address?")).to_have_count(0)
    Worker().run(batch=True)
    assert [mail.to for mail in mailoutbox] == [["Zoë 🎸 Ötzi <zoe@example.org>"]]
    assert Ticket.objects.get().email == "zoe@example.org"


def test_it_all_works_without_javascript(browser, live_server, ticket, mailoutbox):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    Worker().run(batch=True)
    page.goto(ticket.purchase.get_absolute_url())
    page.get_by_role("button", name="Send it again").click()
    Worker().run(batch=True)
    page.get_by_role("link", name="Reload this page").click()
    expect(page.get_by_role("heading", name="Your ticket is mailed")).to_be_visible()
    expect(page.get_by_role("button", name="Print")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="Add to your calendar").click()
    assert download.value.suggested_filename == "tickets.ics"
    page.get_by_role("link", name="Open the ticket").click()
    assert _read(page.screenshot()) == [ticket.code]
    assert len(mailoutbox) == 2
    context.close()
