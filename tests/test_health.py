import pytest


@pytest.mark.smoke
def test_it_works(client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


def test_a_load_balancer_may_ask_by_address_and_in_plain_http(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/healthz", headers={"host": "10.0.0.7:8000"})
    assert (response.status_code, response.content) == (200, b"ok")


def test_other_addresses_ask_for_a_known_host(client):
    assert client.get("/admin/", headers={"host": "10.0.0.7:8000"}).status_code == 400
