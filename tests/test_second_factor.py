"""A second factor: set up by whoever likes, asked for from then on, and of no use to others."""

import time

import pytest
from django.contrib.auth.models import User
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

pytestmark = pytest.mark.django_db

PAGE = "/admin/second-factor/"
PASSWORD = "a long password of ours"


@pytest.fixture
def user():
    return User.objects.create_superuser("organiser", "organiser@example.com", PASSWORD)


@pytest.fixture
def sign_in(client, user):
    def sign_in(**code):
        return client.post("/admin/login/?next=/admin/", {"username": "organiser", "password": PASSWORD, **code})

    return sign_in


@pytest.fixture
def sign_out(client):
    return lambda: client.post("/admin/logout/")


def _shown(device, steps=0):
    """Give the code that the app shows, or has shown so many steps ago."""
    device.refresh_from_db()
    app = TOTP(device.bin_key, device.step, device.t0, device.digits)
    app.time = time.time() + steps * device.step
    return f"{app.token():06}"


@pytest.fixture
def enrolled(client, sign_in):
    """Set the app up, and give its device and the spare codes."""
    sign_in()
    client.get(PAGE)
    device = TOTPDevice.objects.get()
    answer = client.post(PAGE, {"code": _shown(device, -1)})
    return device, answer.context["spare_codes"]


def test_without_one_a_password_is_enough(sign_in):
    assert sign_in().status_code == 302


def test_it_is_set_up_with_a_code_and_gives_ten_spare_ones(client, enrolled):
    device, spare = enrolled
    device.refresh_from_db()
    assert (device.confirmed, len(set(spare))) == (True, 10)
    assert "You have 10 spare codes left." in client.get(PAGE).content.decode()


def test_the_page_shows_the_secret_only_until_then(client, sign_in, enrolled):
    page = client.get(PAGE)
    assert ("qr" in page.context, "no-store" in page["Cache-Control"]) == (False, True)


def test_a_wrong_code_sets_nothing_up(client, sign_in):
    sign_in()
    client.get(PAGE)
    client.post(PAGE, {"code": "000000"})
    assert TOTPDevice.objects.get().confirmed is False
    assert client.post("/admin/logout/").status_code == 200
    assert sign_in().status_code == 302


@pytest.mark.parametrize("code", ["", "000000", "aaaaaaaa"])
def test_the_password_alone_is_no_longer_enough(client, sign_in, enrolled, sign_out, code):
    sign_out()
    answer = sign_in(code=code)
    assert answer.status_code == 200
    assert "Enter the code that your app shows now" in answer.content.decode()
    assert client.get("/admin/").status_code == 302


def test_the_apps_code_lets_in_once(client, sign_in, enrolled, sign_out):
    device, _ = enrolled
    sign_out()
    code = _shown(device)
    assert sign_in(code=f" {code[:3]} {code[3:]} ").status_code == 302
    assert client.get("/admin/").status_code == 200
    sign_out()
    assert sign_in(code=code).status_code == 200


def test_a_spare_code_lets_in_once(sign_in, enrolled, sign_out):
    _, spare = enrolled
    sign_out()
    assert sign_in(code=spare[0].upper()).status_code == 302
    sign_out()
    assert sign_in(code=spare[0]).status_code == 200
    assert StaticToken.objects.count() == 9


def test_guessing_is_slowed_down(sign_in, enrolled, sign_out):
    device, _ = enrolled
    sign_out()
    sign_in(code="000000")
    assert sign_in(code=_shown(device)).status_code == 200


def test_another_users_code_is_of_no_use(client, sign_in, enrolled, sign_out):
    device, spare = enrolled
    sign_out()
    other = User.objects.create_superuser("other", "", PASSWORD)
    TOTPDevice.objects.create(user=other, name="app")
    for code in (_shown(device), spare[0]):
        answer = client.post("/admin/login/", {"username": "other", "password": PASSWORD, "code": code})
        assert answer.status_code == 200


def test_it_is_turned_off_with_a_code(client, sign_in, enrolled, sign_out):
    _, spare = enrolled
    client.post(PAGE, {"code": "nonsense", "off": "1"})
    assert TOTPDevice.objects.count() == 1
    TOTPDevice.objects.update(throttling_failure_count=0)
    StaticDevice.objects.update(throttling_failure_count=0)
    client.post(PAGE, {"code": spare[0], "off": "1"})
    assert (TOTPDevice.objects.count(), StaticToken.objects.count()) == (0, 0)
    sign_out()
    assert sign_in().status_code == 302


def test_new_spare_codes_void_the_old(client, enrolled):
    _, spare = enrolled
    new = client.post(PAGE, {"code": spare[0]}).context["spare_codes"]
    assert set(new) == set(StaticToken.objects.values_list("token", flat=True))
    assert not set(new) & set(spare)
