"""Who guesses passwords is locked out for a while; nobody gets round it, and nobody else is locked out with them."""

import logging

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/?next=/admin/"


@pytest.fixture
def sign_in(client):
    User.objects.create_superuser("organiser", "organiser@example.com", "a long password of ours")

    def sign_in(password="wrong", username="organiser", address="203.0.113.5", headers=None):  # noqa: S107
        data = {"username": username, "password": password}
        return client.post(LOGIN, data, REMOTE_ADDR=address, headers=headers)

    return sign_in


def test_the_tenth_failure_locks_the_address_out_even_with_the_right_password(sign_in, client):
    assert [sign_in(username=f"name {n}").status_code for n in range(9)] == [200] * 9
    locked = sign_in()
    assert (locked.status_code, 890 < int(locked["Retry-After"]) <= 900) == (429, True)
    assert "Wait 15 minutes, then try again." in locked.content.decode()
    assert 'href="/admin/login/"' in locked.content.decode()
    assert sign_in("a long password of ours").status_code == 429
    assert client.get("/admin/").status_code == 302


def test_a_refusal_stands_in_the_title_and_signing_out_on_every_page(sign_in, client):
    refused = sign_in().content.decode()
    assert "<title>Error: Sign in · Box office · TimelessMusic</title>" in " ".join(refused.split())
    sign_in("a long password of ours")
    for address in ("/admin/", "/admin/password_change/"):
        page = client.get(address).content.decode()
        assert (page.count("Sign out"), page.count("Log out"), page.count('href="/admin/second-factor/"')) == (1, 0, 1)


def test_without_the_limit_the_right_password_would_be_found(sign_in, settings):
    """The negative control of the test above."""
    settings.AXES_ENABLED = False
    assert [sign_in().status_code for _ in range(12)] == [200] * 12
    assert sign_in("a long password of ours").status_code == 302


def test_others_sign_in_meanwhile(sign_in):
    for _ in range(10):
        sign_in()
    answer = sign_in("a long password of ours", address="203.0.113.6")
    assert (answer.status_code, answer.url) == (302, "/admin/")


def test_waiting_is_all_it_takes_and_tries_meanwhile_dont_prolong_it(sign_in):
    for _ in range(10):
        sign_in()
    AccessAttempt.objects.update(attempt_time=timezone.now() - timezone.timedelta(minutes=14))
    assert 50 < int(sign_in()["Retry-After"]) <= 60
    AccessAttempt.objects.update(attempt_time=timezone.now() - timezone.timedelta(minutes=15, seconds=1))
    assert sign_in("a long password of ours").status_code == 302


@pytest.mark.parametrize("proxies", [0, 1])
def test_no_header_gets_round_the_lock(sign_in, settings, proxies):
    settings.PROXY_COUNT = proxies
    made_up = [{"x-forwarded-for": f"198.51.100.{n}, 203.0.113.5", "user-agent": f"browser {n}"} for n in range(10)]
    assert [sign_in(headers=headers).status_code for headers in made_up] == [200] * 9 + [429]


def test_believing_the_header_would_get_round_the_lock(sign_in, settings):
    """The negative control of the test above."""
    settings.PROXY_COUNT = 2
    made_up = [{"x-forwarded-for": f"198.51.100.{n}, 203.0.113.5"} for n in range(12)]
    assert {sign_in(headers=headers).status_code for headers in made_up} == {200}


def test_who_is_locked_out_may_still_buy(sign_in, client, gig, sqs, payload):
    for _ in range(10):
        sign_in()
    assert client.post(gig.get_absolute_url(), payload(), REMOTE_ADDR="203.0.113.5").status_code == 302


def test_a_name_that_is_an_address_is_in_no_log_line(sign_in, caplog):
    caplog.set_level(logging.DEBUG)
    for _ in range(11):
        sign_in(username="organiser@example.com")
    assert "organiser@example.com" not in caplog.text


def test_the_lock_is_lifted_by_its_command(sign_in, capsys):
    for _ in range(10):
        sign_in()
    call_command("axes_reset")
    assert sign_in("a long password of ours").status_code == 302
