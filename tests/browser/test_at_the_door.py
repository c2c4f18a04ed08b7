"""The door's page on a phone and on a desktop, with a camera that sees what the test holds before it."""

import re

import pytest
import segno
from django.conf import settings
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tickets import aftersales
from tickets.models import Ticket
from tickets.purchases import Owner, buy

pytestmark = pytest.mark.django_db(transaction=True)
DOOR = "**/door/*/"
WIDTH, HEIGHT, DOT = 640, 480, 8  # of the picture, and of a module of the code in it


@pytest.fixture
def tickets(gig, sqs):
    return buy(gig, [Owner("Ada Lovelace", "ada@example.com"), Owner("Grace", "grace@example.com")], "token").tickets


@pytest.fixture
def sign_in(client):
    """Sign the door's staff in to a browser's context."""
    user = User.objects.create_user("north", is_staff=True)
    user.groups.add(Group.objects.get_or_create(name="door")[0])
    client.force_login(user)

    def sign_in(context, address):
        value = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": address}])

    return sign_in


def _open(page):
    page.goto("/door/")
    page.get_by_label("Door").fill("North")
    page.get_by_role("button", name="Open the door").click()
    page.wait_for_url(DOOR)  # Its script has run; and a route made while a page still comes may miss what it asks for.


def test_typed_codes_are_answered_at_once(page, sign_in, live_server, tickets):
    sign_in(page.context, live_server.url)
    _open(page)
    answer = page.locator("#answer")
    known = answer.element_handle()  # to a screen reader, which is silent about a new element that speaks
    for typed, words in (
        (tickets[0].short_code.lower(), "Welcome"),
        (tickets[0].short_code, "Already in"),
        ("nonsense", "Not valid"),
    ):
        page.get_by_label("Type the code").fill(typed)
        page.get_by_role("button", name="Check").click()
        expect(answer).to_contain_text(words)
    expect(page.locator("#count")).to_have_text("1 of 2 in")
    assert known.evaluate("element => element.isConnected && element.checkVisibility()")


def test_a_check_in_is_undone_with_a_reason(page, sign_in, live_server, tickets):
    sign_in(page.context, live_server.url)
    _open(page)
    page.get_by_label("Type the code").fill(tickets[0].short_code)
    page.get_by_role("button", name="Check").click()
    page.locator("summary", has_text="Undo this check-in").click()
    page.get_by_label("Why?").fill(" ")
    page.get_by_role("button", name="Undo this check-in").click()
    expect(page.get_by_role("heading", name="Not undone yet")).to_be_visible()
    page.get_by_label("Why?").fill("wrong door")
    page.get_by_role("button", name="Undo this check-in").click()
    expect(page.get_by_role("heading", name="Check-in undone")).to_be_visible()
    page.get_by_role("link", name="Back to the door").click()
    expect(page.locator("#count")).to_have_text("0 of 2 in")


def test_an_answer_that_is_lost_on_the_way_is_asked_for_again_and_stays_green(page, sign_in, live_server, tickets):
    sign_in(page.context, live_server.url)
    _open(page)
    lost = []

    def lose_the_first(route):
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)  # The server has done it.
            route.abort()
        else:
            route.continue_()

    page.route(DOOR, lose_the_first)
    page.get_by_label("Type the code").fill(tickets[0].short_code)
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#answer")).to_contain_text("Welcome")
    assert lost == [200]


def test_a_network_that_is_gone_says_what_to_do_and_tries_again_when_told(page, sign_in, live_server, tickets):
    sign_in(page.context, live_server.url)
    _open(page)
    page.route(DOOR, lambda route: route.abort())
    page.get_by_label("Type the code").fill(tickets[0].short_code)
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#state")).to_contain_text("Go where the network is better")
    page.unroute(DOOR)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#answer")).to_contain_text("Welcome")


def test_a_code_typed_while_another_is_asked_waits_in_its_field_and_no_old_answer_stands(
    page, sign_in, live_server, tickets
):
    sign_in(page.context, live_server.url)
    _open(page)
    code, check = page.get_by_label("Type the code"), page.get_by_role("button", name="Check", exact=True)
    code.fill("nonsense")
    check.click()
    expect(page.locator("#answer")).to_contain_text("Not valid")
    held = []
    page.route(DOOR, lambda route: route.continue_() if held else held.append(route))
    for ticket in tickets:
        code.fill(ticket.short_code)
        check.click()
    expect(page.locator("#state")).to_contain_text("Still checking the code before.")
    expect(code).to_have_value(tickets[1].short_code)
    expect(page.locator("#answer:not([data-verdict])")).to_be_empty()
    held[0].continue_()
    expect(page.locator("#answer")).to_contain_text("Welcome Ada Lovelace")
    expect(page.locator("#state")).to_have_text("")
    check.click()
    expect(page.locator("#answer")).to_contain_text("Welcome Grace")
    expect(code).to_have_value("")


def test_a_code_that_is_refused_stays_and_the_next_one_replaces_it(page, sign_in, live_server, tickets):
    sign_in(page.context, live_server.url)
    _open(page)
    code, answer = page.get_by_label("Type the code"), page.locator("#answer")
    wrong = tickets[0].short_code[:-4]
    code.fill(wrong)
    page.get_by_role("button", name="Check").click()
    expect(answer).to_contain_text(wrong)
    expect(code).to_have_value(wrong)
    expect(page.get_by_role("button", name="Check")).to_be_focused()  # No keyboard opens over the answer.
    code.press("End")
    page.keyboard.type(tickets[0].short_code[-4:])
    page.keyboard.press("Enter")
    expect(answer).to_contain_text("Welcome Ada Lovelace")
    expect(code).to_have_value("")
    for text, words in (("nonsense", "Not valid"), (tickets[1].short_code, "Welcome Grace")):  # as a scanner types
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        expect(answer).to_contain_text(words)


@pytest.mark.parametrize("language", ["en", "it"])
def test_no_answer_moves_what_stands_below_it(browser, sign_in, live_server, tickets, language):
    aftersales.move(tickets[1], "Grace Hopper", "grace@example.com")  # Her old code's is the longest.
    phone = {"width": 390, "height": 844}
    context = browser.new_context(base_url=live_server.url, viewport=phone, locale=language)
    sign_in(context, live_server.url)
    page = context.new_page()
    page.goto("/door/")
    page.locator("[name=door]").fill("North")
    page.keyboard.press("Enter")
    page.wait_for_url(DOOR)
    below = {page.locator("#typed").bounding_box()["y"]}
    for code, verdict in (
        (tickets[0].short_code, "welcome"),
        (tickets[0].short_code, "already"),
        ("nonsense", "refused"),
        (tickets[1].short_code, "refused"),
    ):
        page.locator("#code").fill(code)
        page.keyboard.press("Enter")
        expect(page.locator(f"#answer[data-verdict={verdict}]")).to_be_visible()
        below.add(page.locator("#typed").bounding_box()["y"])
    expect(page.locator(".door-name")).to_have_text("Grace Hopper")
    assert len(below) == 1
    context.close()


def test_without_javascript_it_asks_for_a_page(browser, sign_in, live_server, tickets):
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    sign_in(context, live_server.url)
    page = context.new_page()
    _open(page)
    expect(page.locator("#main")).not_to_contain_text(re.compile("scan|camera", re.IGNORECASE), use_inner_text=True)
    expect(page.locator("#state")).to_be_hidden()
    page.get_by_label("Type the code").fill(tickets[0].short_code)
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#answer")).to_contain_text("Welcome")
    context.close()


def _film(path, texts):
    """Make a film for Chromium's fake camera: each code is seen for two seconds, then nothing for as long."""
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F5:1 Ip C420jpeg\n".encode())
        for text in texts:
            modules = segno.make(text, error="m").matrix
            left, top = (WIDTH - len(modules) * DOT) // 2, (HEIGHT - len(modules) * DOT) // 2
            seen = bytearray(b"\xff" * WIDTH * HEIGHT)
            for y, row in enumerate(modules):
                line = b"".join(b"\x00" * DOT if dark else b"\xff" * DOT for dark in row)
                for i in range(DOT):
                    at = (top + y * DOT + i) * WIDTH + left
                    seen[at : at + len(line)] = line
            for picture in (seen, b"\xff" * WIDTH * HEIGHT):
                film.write((b"FRAME\n" + bytes(picture) + b"\x80" * (WIDTH * HEIGHT // 2)) * 10)


FAKE_CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


def test_a_look_that_fails_does_not_end_the_scanning(browser, sign_in, live_server, tickets):
    chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *FAKE_CAMERA])
    context = chromium.new_context(base_url=live_server.url)
    context.add_init_script(
        """
      let looks = 0;
      window.BarcodeDetector = class {
        static async getSupportedFormats() { return ["qr_code"]; }
        async detect() {
          if (!looks++) throw new DOMException("asleep", "InvalidStateError");
          return [{ rawValue: "CODE" }];
        }
      };""".replace("CODE", tickets[0].code)
    )
    sign_in(context, live_server.url)
    page = context.new_page()
    _open(page)
    page.get_by_role("button", name="Scan with the camera").click()
    expect(page.locator("#answer")).to_contain_text("Welcome")
    chromium.close()


def test_the_camera_scans_whoever_comes(browser, sign_in, live_server, tickets, tmp_path):
    """The film comes round: Ada is let in, a forged code refused, and Ada shown again is in already."""
    _film(tmp_path / "film.y4m", [tickets[0].code, tickets[0].code[:-1] + "!"])
    film = f"--use-file-for-fake-video-capture={tmp_path / 'film.y4m'}"
    chromium = browser.browser_type.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *FAKE_CAMERA, film])
    complaints = []
    context = chromium.new_context(base_url=live_server.url, viewport={"width": 390, "height": 844})
    sign_in(context, live_server.url)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    _open(page)
    page.get_by_role("button", name="Scan with the camera").click()
    answer = page.locator("#answer")
    for words in ("Welcome", "Not valid", "Already in"):
        expect(answer).to_contain_text(words, timeout=20_000)

    chromium.close()
    assert (complaints, Ticket.objects.filter(checked_in_at__isnull=False).count()) == ([], 1)
