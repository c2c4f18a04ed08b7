"""Every page is HTML without a parse error, as the standard's own algorithm reads it."""

import pytest
from tinyhtml5.parser import HTMLParser

from tests.pages import all_pages

pytestmark = pytest.mark.django_db(transaction=True)


def _errors(markup):
    parser = HTMLParser()
    parser.parse(markup)
    return [error[1] for error in parser.errors]


def test_no_page_has_an_error(payload, settings, sqs):
    found = {what: _errors(html) for what, html in all_pages(payload, settings).items()}
    assert {what: errors for what, errors in found.items() if errors} == {}


def test_what_an_organiser_or_a_stranger_writes_is_no_markup(client, make_gig):
    gig = make_gig(description="Three <weeks> & more", artist='"N" & <M>')
    for path in ("/", gig.get_absolute_url(), '/?q="<script>&sort=price'):
        assert _errors(client.get(path).content.decode()) == []


@pytest.mark.parametrize(
    ("markup", "error"),
    [
        ("<!doctype html><title>x</title><p><div></p>", "unexpected-end-tag"),
        ("<!doctype html><title>x</title><p id=a id=b>", "duplicate-attribute"),
        ("<title>x</title>", "expected-doctype-but-got-start-tag"),
    ],
)
def test_an_error_would_be_found(markup, error):
    assert error in _errors(markup)
