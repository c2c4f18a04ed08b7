"""Give the browser tests a headless Chromium of the system's own, which reaches this machine alone."""

import os
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
MISSING = (
    "NO BROWSER TESTS RAN: there is no Chromium here. Install it (Debian: apt install chromium) and run them again."
)
# As patient as all else of Playwright's: its 5 s for an expectation are few on a machine that is busy.
expect.set_options(timeout=30_000)
IN_CI = os.environ.get("CI") == "true"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


def pytest_terminal_summary(terminalreporter):
    if CHROMIUM is None:
        terminalreporter.section(MISSING, sep="!", red=True, bold=True)


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        (pytest.fail if IN_CI else pytest.skip)(MISSING)
    # Playwright keeps an event loop in this thread, in which Django refuses the database to tests that prepare data;
    # nothing asynchronous of ours runs in it.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, live_server):
    """Open a page at the live server's address; whatever it complains about in the console fails the test."""
    complaints = []
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
    yield page
    context.close()
    assert complaints == []


def _is_complaint(message) -> bool:
    # An answer like 404 or 409, or none at all (htmx has a line or two for it, and one for a request that a later one
    # has replaced), is one the test has asked for; what has no address is axe's own, put in by the test.
    expected = ("Failed to load resource", "htmx:sendError", "htmx:afterRequest", "htmx:sendAbort", "Response Status")
    return message.type == "error" and message.location["url"] and not message.text.startswith(expected)
