"""Every page that everybody sees is HTML without a parse error, as the standard's own algorithm reads it."""

import pytest
from django.template.loader import render_to_string
from tinyhtml5.parser import HTMLParser

from tickets.models import Gig

pytestmark = pytest.mark.django_db


def _errors(markup):
    parser = HTMLParser()
    parser.parse(markup)
    return [error[1] for error in parser.errors]


@pytest.mark.parametrize(
    "path", ["/", "/?q=nobody", "/?seats=left&sort=price", "/gigs/nirvana-cork-1991/", "/nothing/"]
)
def test_a_page_has_no_error(client, make_gig, path):
    make_gig(slug="nirvana-cork-1991", description="Three <weeks> & more", artist='"N" & <M>')
    assert _errors(client.get(path).content.decode()) == []


def test_a_gig_that_is_sold_out_has_no_error(client, gig):
    Gig.objects.update(sold=10)
    assert _errors(client.get(gig.get_absolute_url()).content.decode()) == []


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "405", "413", "500", "503"])
def test_a_page_for_an_error_has_none_itself(name):
    assert _errors(render_to_string(f"{name}.html")) == []


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
