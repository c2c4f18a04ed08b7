"""Pages that everybody sees: who can use them, and what they weigh as production serves them."""

import json
import threading
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.test import override_settings
from playwright.sync_api import expect

from tests.pages import all_pages
from tickets.catalogue import import_file

pytestmark = pytest.mark.django_db(transaction=True)
KB = 1024
GIG = "/gigs/nirvana-cork-1991/"


@pytest.fixture
def _programme(settings):
    import_file(settings.BASE_DIR / "data/gigs.json")


# --- Each of them ---------------------------------------------------------------------------------


@pytest.fixture
def shown(page, payload, settings, sqs):
    """Show each page there is in turn, and give what is to be seen on it."""

    def shown(*wanted):
        pages = all_pages(payload, settings)
        page.route("**/shown/", lambda route: route.fulfill(body=pages[what], content_type="text/html"))
        for what in wanted or pages:
            page.goto("/shown/")
            yield what

    return shown


def _complaints(page, **options):
    found = Axe().run(page, options=options | {"resultTypes": ["violations"]}).response["violations"]
    return {each["id"]: [node["html"][:200] for node in each["nodes"]] for each in found}


# The rule for targets of 24 px is off unless asked for.
LIGHT, DARK = {"rules": {"target-size": {"enabled": True}}}, {"runOnly": ["color-contrast"]}

# Texts that stand beyond the window's edge, or over one another (by more than two tight lines of a heading do).
COVERED = """() => {
  const edge = document.documentElement.clientWidth, texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const {data, parentElement: element} = walker.currentNode;
    if (!data.trim() || element.closest("[class*=hidden], .skip, option") || !element.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const {left, right, top, bottom} of range.getClientRects())
      texts.push({data: data.trim(), left, right, top: top * 0.75 + bottom * 0.25, bottom: top * 0.25 + bottom * 0.75});
  }
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  return {
    scrolls: document.documentElement.scrollWidth > edge,
    outside: texts.filter((text) => text.left < 0 || text.right > edge + 1).map((text) => text.data),
    covered: texts.flatMap((a, at) => texts.slice(at + 1).filter((b) => over(a, b)).map((b) => [a.data, b.data])),
  };
}"""


# Width and letters in px. A window of 1280 at 100, 200 and 400 % (WCAG 1.4.4, 1.4.10), then the letters alone larger.
WINDOWS = [(1280, 16), (640, 16), (320, 16), (1280, 32), (390, 32)]


def test_axe_finds_nothing_in_light_or_dark_and_nothing_is_cut_off_or_covered(page, shown):
    found, browser = {}, page.context.new_cdp_session(page)
    for what in shown():
        for scheme, options in (("light", LIGHT), ("dark", DARK)):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found[what, scheme] = _complaints(page, **options)
        for width, letters in WINDOWS:
            page.set_viewport_size({"width": width, "height": 900})
            browser.send("Page.setFontSizes", {"fontSizes": {"standard": letters}})
            assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == f"{letters}px"
            found[what, width, letters] = {name: texts for name, texts in page.evaluate(COVERED).items() if texts}
    assert {where: wrong for where, wrong in found.items() if wrong} == {}


@pytest.mark.usefixtures("_programme")
def test_what_is_wrong_would_be_found(page):
    """The negative control."""
    page.goto("/")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    page.evaluate("document.querySelector('#id_q').labels[0].remove()")
    assert _complaints(page, **LIGHT).keys() >= {"color-contrast", "label"}
    page.evaluate(
        """() => {
          const {top} = document.querySelector("h1").getBoundingClientRect(), lead = document.querySelector(".lead");
          document.body.append(lead);
          lead.style = `position: absolute; top: ${top + 10}px; left: 0; text-wrap: nowrap`;
        }"""
    )
    assert all(page.evaluate(COVERED).values())


# --- By keyboard ----------------------------------------------------------------------------------

# What Tab should stop at, in this order; of a group of radio buttons at the chosen one.
STOPS = """() => {
  window.stops = [...document.querySelectorAll("a[href], button, input, select")].filter((element) =>
    element.tabIndex >= 0 && !element.disabled && element.checkVisibility()
    && !(element.type === "radio" && !element.checked && document.querySelector(`[name=${element.name}]:checked`)));
  // What may show the focus: the element itself, its area (a whole gig is a link), or what stands for it (a chip).
  window.look = (element) => [[element], [element, "::after"], [element.nextElementSibling ?? element]]
    .map((one) => getComputedStyle(...one)).map((style) => [style.outline, style.boxShadow, style.transform]).join();
  document.body.tabIndex = -1;  // Tab goes on from here, whichever field has the focus as the page opens.
  document.body.focus();
  document.body.removeAttribute("tabindex");
  window.unfocused = stops.map(look);
  return stops.length;
}"""
STOP = """() => {
  const element = document.activeElement, at = stops.indexOf(element), {top, bottom} = element.getBoundingClientRect();
  return {at, shows: look(element) !== unfocused[at], inView: bottom > 0 && top < innerHeight};
}"""


def test_everything_is_reached_by_tab_in_order_and_seen_to_be(page, shown):
    for what in shown(
        "gigs", "gig on sale", "form of six", "purchase mailed", "address to correct", "ticket", "door", "404"
    ):
        number, seen = page.evaluate(STOPS), []
        for _ in range(number):
            page.keyboard.press("Tab")
            seen.append(page.evaluate(STOP))
        assert seen == [{"at": at, "shows": True, "inView": True} for at in range(number)], what
        page.keyboard.press("Tab")
        assert page.evaluate(STOP)["at"] in (-1, 0), what  # It leaves the page, or begins anew.


@pytest.mark.usefixtures("_programme")
def test_keys_do_what_a_click_does(page):
    page.goto(GIG)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Get a ticket")).to_be_focused()
    page.get_by_role("button", name="Buy this ticket").press("Enter")
    expect(page.get_by_label("Ticket owner's name")).to_be_focused()
    page.get_by_role("link", name="E-mail: Enter").press("Enter")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.get_by_role("button", name="Add another ticket").press("Space")
    expect(page.locator("[name=owners-1-name]")).to_be_focused()
    page.get_by_label("I know that this is a demo").press("Space")
    expect(page.get_by_label("I know that this is a demo")).to_be_checked()


# --- The shop's data for machines -----------------------------------------------------------------


@pytest.mark.usefixtures("_programme")
def test_the_description_for_machines_is_no_script_to_the_browser(page):
    page.goto(GIG)
    data = page.locator('script[type="application/ld+json"]')
    assert json.loads(data.text_content())["@type"] == "Event"  # and the console was silent: see the fixture `page`


# --- As production serves them --------------------------------------------------------------------


@pytest.fixture(scope="module")
def hashed(tmp_path_factory):
    """Hash and compress the files of the shop's pages, once for all; give the settings that serve them."""
    hashing = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    files = {"STATIC_ROOT": tmp_path_factory.mktemp("static"), "STORAGES": settings.STORAGES | {"staticfiles": hashing}}
    with override_settings(**files):
        others = ["swagger-ui", "admin", "barcode-detector"]
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=others)
    return files


@pytest.fixture
def production(settings, hashed):
    """Serve the shop as production does; give its address."""
    for name, value in hashed.items():
        setattr(settings, name, value)

    class Handler(WSGIRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadedWSGIServer(("127.0.0.1", 0), Handler)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => list.getEntries().forEach(entry => shifts.push(entry.value)))
  .observe({type: "layout-shift", buffered: true});
"""


@pytest.mark.usefixtures("_programme")
@pytest.mark.parametrize(("path", "budget"), [("/", 80 * KB), (GIG, 50 * KB)], ids=["list", "gig"])
@pytest.mark.parametrize("size", [(390, 844), (1280, 900)], ids=["phone", "desktop"])
def test_a_first_view_is_light_quiet_and_still(browser, production, path, budget, size):
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.add_init_script(SHIFTS)
    page = context.new_page()
    network, transferred, requests = context.new_cdp_session(page), [], []
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: transferred.append(event["encodedDataLength"]))
    page.on("response", lambda response: requests.append(response))
    page.goto(production + path, wait_until="networkidle")
    # Every picture, the lazy ones below too, however they came to be asked for.
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    page.evaluate("Promise.all([...document.images].map(image => image.decode()))")

    own = urlsplit(production).netloc
    assert {urlsplit(response.url).netloc for response in requests} == {own}
    assert sum(transferred) <= budget, {response.url: response.headers.get("content-encoding") for response in requests}
    assert page.evaluate("shifts") == []
    files = [response for response in requests if "/static/" in response.url]
    assert {"immutable" in response.headers["cache-control"] for response in files} == {True}
    texts = [response for response in requests if not response.url.endswith(".woff2")]
    assert {response.headers["content-encoding"] for response in texts} == {"br", "gzip"}
    attributes = "[...document.querySelectorAll('*')].flatMap(element => element.getAttributeNames())"
    assert [name for name in page.evaluate(attributes) if name == "style" or name.startswith("on")] == []
    assert page.locator("script:not([src]):not([type='application/ld+json']), style").count() == 0
    context.close()
