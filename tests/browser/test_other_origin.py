"""A front end on another origin, as there are some for shops like this: it lists the gigs and buys."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from tickets import provisioning, queue
from tickets.models import Purchase, Ticket

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>A front end</title>
<ul></ul>
<button id="as-text">Buy</button>
<button id="as-json">Buy again</button>
<p></p>
<script>
const shop = "SHOP", list = document.querySelector("ul"), word = document.querySelector("p");
const say = (error) => { word.textContent = error.message; };

async function show() {
  const gigs = await (await fetch(`${shop}/api/gigs`)).json();
  list.innerHTML = gigs.map((gig) => `<li>
    <img class="poster" src="${shop}/images/${gig.image}">
    <img class="map" src="${shop}/images/${gig.collectionPointMap}">
    ${gig.bandName}, ${gig.city} (${gig.year}), ${gig.price} USD, ${gig.date}, ${gig.collectionTime}</li>`).join("");
  return (await (await fetch(`${shop}/api/gigs/${gigs[0].id}`)).json()).id;
}

async function buy(options) {
  const order = {gigId: await show(), name: "Alex Smith", email: "alex@example.com", nameOnCard: "Alex Smith",
    cardNumber: "5454545454545454", cardExpiryMonth: "5", cardExpiryYear: String(new Date().getFullYear() + 3),
    cardCVC: "123", disclaimerAccepted: true};
  const answer = await fetch(`${shop}/api/purchase`, {method: "POST", body: JSON.stringify(order), ...options});
  word.textContent = `${answer.status} ${(await answer.json()).ticketId} ${answer.headers.get("Location")}`;
}

show().catch(say);
document.getElementById("as-text").onclick = () => buy({}).catch(say);
document.getElementById("as-json").onclick = () => buy({
  mode: "cors",
  headers: {"Content-Type": "application/json", "Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'},
}).catch(say);
</script>
"""


@pytest.fixture
def front_end(live_server):
    """Serve the page on a port of its own; give its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE.replace("SHOP", live_server.url).encode())

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def elsewhere(page, front_end, settings, gig, sqs):
    settings.CORS_ALLOWED_ORIGINS = [front_end]
    page.goto(front_end)
    expect(page.get_by_role("listitem")).to_contain_text("Nirvana, Cork (1991), 120.00 USD")
    return page


def test_it_lists_the_gigs_with_their_pictures(elsewhere):
    for picture in (".poster", ".map"):
        elsewhere.wait_for_function("picture => document.querySelector(picture).naturalWidth === 600", arg=picture)


@pytest.mark.parametrize("button", ["as-text", "as-json"])
def test_it_buys(elsewhere, button):
    elsewhere.locator(f"#{button}").click()
    expect(elsewhere.locator("p")).to_contain_text("202")
    ticket = Ticket.objects.get()
    expect(elsewhere.locator("p")).to_have_text(f"202 {ticket.pk} {ticket.purchase.get_absolute_url()}")
    [message] = queue.receive(wait_seconds=0)
    assert json.loads(message.body) == {
        "name": "Alex Smith",
        "email": "alex@example.com",
        "gigId": "nirvana-cork-1991",
        "ticketId": str(ticket.pk),
    }


def test_twice_with_the_same_key_is_one_ticket(elsewhere):
    elsewhere.locator("#as-json").click()
    expect(elsewhere.locator("p")).to_contain_text("202")
    said = elsewhere.locator("p").inner_text()
    elsewhere.locator("p").evaluate("element => element.textContent = ''")
    elsewhere.locator("#as-json").click()
    expect(elsewhere.locator("p")).to_have_text(said)
    assert (Ticket.objects.count(), provisioning.describe().depth) == (1, 1)


def test_an_origin_that_is_not_allowed_neither_lists_nor_buys(browser, front_end, settings, gig, sqs):
    """The negative control: it is CORS_ALLOWED_ORIGINS that lets the others in."""
    settings.CORS_ALLOWED_ORIGINS = ["http://127.0.0.1:1"]
    context = browser.new_context()
    page = context.new_page()
    page.goto(front_end)
    expect(page.locator("p")).to_have_text("Failed to fetch")
    statuses = page.evaluate(
        """async ([shop, headers]) => Promise.all(headers.map(async (headers) => {
          try { return (await fetch(`${shop}/api/purchase`, {method: "POST", headers, body: "{}"})).status }
          catch (error) { return error.message }
        }))""",
        [page.evaluate("shop"), [{}, {"Content-Type": "application/json"}]],
    )
    context.close()
    assert statuses == ["Failed to fetch", "Failed to fetch"]
    assert (Purchase.objects.count(), provisioning.describe().depth) == (0, 0)
