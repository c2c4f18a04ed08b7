import re

import pytest
from django.contrib.auth.models import Permission

from tickets import codes
from tickets.purchases import Owner, buy


@pytest.fixture
def ticket(gig):
    return buy(gig, [Owner("Zoë 🎸 <von> Ötzi", "zoe@example.com")], "token").tickets[0]


def test_staff_see_the_subject_and_the_mail(admin_client, ticket):
    page = admin_client.get(f"/admin/mail/{ticket.pk}/")
    html = page.content.decode()
    assert "<strong>Your ticket: Nirvana, Cork 1991, leaves on" in html
    assert "Zoë 🎸 &lt;von&gt; Ötzi &lt;zoe@example.com&gt;" in html
    assert f'<iframe sandbox src="/admin/mail/{ticket.pk}/html/?language=en"' in html
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    mail = admin_client.get(f"/admin/mail/{ticket.pk}/html/")
    assert mail["X-Frame-Options"] == "SAMEORIGIN"
    assert sorted(mail["Content-Security-Policy"].split("; ")) == [
        "base-uri 'none'",
        "default-src 'none'",
        "frame-ancestors 'self'",
        "img-src data:",
        "style-src 'unsafe-inline'",
    ]
    assert "Zoë 🎸 &lt;von&gt; Ötzi" in mail.content.decode()
    assert re.findall('src="([^,]+)', mail.content.decode()) == ["data:image/png;base64"]
    assert admin_client.get(f"/admin/mail/{ticket.pk}/pdf/").content.startswith(b"%PDF")


def test_the_ticket_leads_to_its_mail(admin_client, ticket):
    assert (
        f'href="/admin/mail/{ticket.pk}/"'
        in admin_client.get(f"/admin/tickets/ticket/{ticket.pk}/change/").content.decode()
    )


def test_the_code_in_a_preview_opens_nothing(admin_client, client, ticket):
    html = admin_client.get(f"/admin/mail/{ticket.pk}/html/").content.decode()
    [code] = re.findall(r"/tickets/([^/]+)/", html)
    assert codes.read(code) == (ticket.pk, 0)
    assert client.get(f"/tickets/{code}/").status_code == 410
    assert ticket.code not in admin_client.get(f"/admin/mail/{ticket.pk}/").content.decode()


def test_a_look_changes_nothing(admin_client, ticket):
    admin_client.get(f"/admin/mail/{ticket.pk}/")
    edition = ticket.edition
    ticket.refresh_from_db()
    assert (ticket.edition, ticket.mailed_at) == (edition, None)


@pytest.mark.parametrize("view", ["", "html/", "pdf/"])
def test_others_see_none(client, django_user_model, ticket, view):
    address = f"/admin/mail/{ticket.pk}/{view}"
    assert client.get(address).headers["Location"].startswith("/admin/login/")
    door = django_user_model.objects.create_user("door", password="x", is_staff=True)
    client.force_login(door)
    assert client.get(address).status_code == 403
    door.user_permissions.add(Permission.objects.get(codename="view_ticket"))
    assert client.get(address).status_code == 200
