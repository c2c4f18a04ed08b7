"""The browser the other browser tests stand on."""

import pytest


@pytest.mark.django_db(transaction=True)
def test_it_works(page):
    page.goto("/healthz")
    assert page.inner_text("body") == "ok"


@pytest.mark.django_db(transaction=True)
def test_it_reaches_this_machine_alone(page):
    failures = []
    page.on("requestfailed", lambda request: failures.append(request.failure))
    page.goto("/healthz")
    page.evaluate("fetch('http://example.com/').catch(() => {})")
    assert failures == ["net::ERR_NAME_NOT_RESOLVED"]
