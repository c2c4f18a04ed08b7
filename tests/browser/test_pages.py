"""Pages that everybody sees: who can use them, and what they weigh as production serves them."""

import json
import threading
from datetime import date
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.template.loader import render_to_string

from tickets.catalogue import import_file
from tickets.models import Gig

pytestmark = pytest.mark.django_db(transaction=True)
KB = 1024
GIG = "/gigs/nirvana-cork-1991/"
PAGES = ["/", "/?q=zappa", GIG, "/gigs/queen-london-1985/", "/nothing/"]
# The rule for targets of 24 px is off unless asked for.
AXE = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


@pytest.fixture(autouse=True)
def _programme(settings):
    import_file(settings.BASE_DIR / "data/gigs.json")
    Gig.objects.filter(slug="queen-london-1985").update(sold=500)
    Gig.objects.filter(slug="nirvana-cork-1991").update(sold=68)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    found = {}
    for path in PAGES:
        page.goto(path)
        for violation in Axe().run(page, options=AXE).response["violations"]:
            found[path, violation["id"]] = [node["html"][:200] for node in violation["nodes"]]
    assert found == {}


WORDS = {
    **{f"{name}.html": {} for name in ("400", "403", "403_csrf", "404", "405", "413", "500", "503")},
    "403_csrf.html": {"form_address": GIG},
    "tickets/sign_in_locked.html": {"wait": 900},  # 429
    "tickets/busy.html": {"token": UUID(int=1)},
    "tickets/token_reused.html": {"gig": Gig(slug="nirvana-cork-1991")},
    "tickets/nothing_bought.html": {},
    "tickets/ticket_void.html": {},
    "tickets/not_on_sale.html": {
        "gig": Gig(artist="Nirvana", original_date=date(1991, 8, 20)),
        "status": Gig.Status.UNPUBLISHED,
    },
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_pages_that_tell_what_went_wrong(page, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": 390, "height": 844})
    found = {}
    page.route("**/told/*", lambda route: route.fulfill(body=told, content_type="text/html"))
    for name, values in WORDS.items():
        told = render_to_string(name, values)
        page.goto(f"/told/{name.rpartition('/')[2]}")
        assert page.locator("h1").count() == 1
        for violation in Axe().run(page, options=AXE).response["violations"]:
            found[name, violation["id"]] = [node["html"][:200] for node in violation["nodes"]]
        if page.evaluate("document.documentElement.scrollWidth") > 390:
            found[name, "too wide"] = []
    assert found == {}


def test_axe_finds_what_is_wrong(page):
    """The negative control."""
    page.goto("/")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    page.evaluate("document.querySelector('#id_q').labels[0].remove()")
    found = {violation["id"] for violation in Axe().run(page, options=AXE).response["violations"]}
    assert found >= {"color-contrast", "label"}


@pytest.mark.parametrize("path", PAGES)
def test_nothing_stands_beyond_the_edge_at_320_px(page, path):
    """A window of 1280 px at 400 % (WCAG 1.4.10), or a phone's of 640 at 200 %."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_description_for_machines_is_no_script_to_the_browser(page):
    page.goto(GIG)
    data = page.locator('script[type="application/ld+json"]')
    assert json.loads(data.text_content())["@type"] == "Event"  # and the console was silent: see the fixture `page`


# --- As production serves them --------------------------------------------------------------------


@pytest.fixture
def production(settings, tmp_path):
    """Serve the shop with its files hashed and compressed; give its address."""
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["swagger-ui", "admin"])

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
