"""Every page that buyers, and the staff at the door, are ever shown, each as the answer to what leads there.

For what must hold of all of them: their markup, who can use them, how they stand in a narrow or enlarged window.
"""

import uuid
from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.shortcuts import render
from django.test import Client, RequestFactory
from django.utils import timezone
from django.views.defaults import server_error
from limits import parse_many

from tickets import aftersales
from tickets.catalogue import import_file
from tickets.models import Gig, Purchase, Ticket
from tickets.worker import Worker


def all_pages(payload, settings, **headers) -> dict[str, str]:
    """Give each page's HTML by what it shows. Needs an empty shop and its queue; `headers` go with each request."""
    pages = {}

    def see(what, answer, status=200):
        assert answer.status_code == status, what
        pages[what] = answer.content.decode()

    def gig(slug, **changes):
        Gig.objects.filter(slug=slug).update(**changes)
        return f"/gigs/{slug}/"

    # --- The programme
    import_file(settings.BASE_DIR / "data/gigs.json")
    now, client = timezone.now().replace(microsecond=0), Client(headers=headers)
    on_sale = gig("nirvana-cork-1991", sold=68)
    sold_out = gig("queen-london-1985", sold=500)
    not_yet = gig("david-bowie-london-1973", sales_start=now + timedelta(days=3))
    closed = gig("bob-dylan-manchester-1966", sales_end=now)
    departed = gig("vasco-rossi-modena-2017", departs_at=now - timedelta(hours=1))
    see("gigs", client.get("/"))
    see("no gig found", client.get("/?q=zappa"))
    see("gig on sale", client.get(on_sale))
    see("gig sold out", client.get(sold_out))
    see("gig not on sale yet", client.get(not_yet))
    see("gig whose sale is closed", client.get(closed))
    see("gig that has departed", client.get(departed))

    # --- Buying
    def send(**changes):
        return client.post(on_sale, payload(**changes))

    six = {"owners-TOTAL_FORMS": "6"}
    for number in range(1, 6):
        six |= {f"owners-{number}-name": "Grace Hopper", f"owners-{number}-email": "grace@example.com"}
    see("form with errors", send(name="", email="ada@", card_number="4242", disclaimer_accepted=""), 422)
    see("form of six", send(**six, add="1"))
    see("form of six with errors", send(**six | {"owners-4-email": "grace@", "card_cvc": "1"}), 422)
    see("price changed", send(price="100.00"), 409)
    gig("nirvana-cork-1991", sold=78)
    see("too few seats", send(**six), 409)
    gig("nirvana-cork-1991", sold=80)
    see("sold out meanwhile", send(), 409)
    gig("nirvana-cork-1991", sold=68)
    token = payload()["token"]
    assert send(token=token, email="zoe@example.com", name="Zoë 🎸 Ötzi").status_code == 302
    see("bought lately", send(email="zoe@example.com"), 409)
    see("token of another purchase", send(token=token), 422)
    settings.PURCHASE_LIMITS = parse_many("0/hour")
    see("bought too often", send(), 429)

    # --- What was bought
    one = Purchase.objects.get()
    ticket = Ticket.objects.get()
    address = f"{one.get_absolute_url()}{ticket.pk}/address/"
    see("purchase on its way", client.get(one.get_absolute_url()))
    see("address to correct", client.get(address))
    see("wrong address", client.post(address, {"email": "zoe@"}), 422)
    Worker().run(batch=True)
    see("purchase mailed", client.get(one.get_absolute_url()))
    see("ticket", client.get(ticket.get_absolute_url()))
    again = f"{one.get_absolute_url()}{ticket.pk}/again/"
    see("mailed again", client.post(again, follow=True))
    Worker().run(batch=True)
    see("mailed too often", client.post(again), 429)
    assert client.post(address, {"email": "zoe@example.org"}).status_code == 302
    see("address corrected before", client.get(address), 409)
    see("ticket replaced", client.get(ticket.get_absolute_url()), 410)
    settings.PURCHASE_LIMITS = []
    answer = send(**six)
    assert answer.status_code == 302
    of_six = Purchase.objects.get(pk=answer["Location"].split("/")[2])
    mailed, parked, moved, cancelled, _published, unpublished = of_six.tickets.order_by("pk")
    tickets = Ticket.objects.filter
    tickets(pk=mailed.pk).update(mailed_at=now)
    tickets(pk=parked.pk).update(parked_at=now, parked_cause="550 no such user")
    tickets(pk=unpublished.pk).update(published_at=None)
    aftersales.move(moved, "Alan Turing", "alan@example.com")
    aftersales.cancel(cancelled)
    see("purchase of six", client.get(of_six.get_absolute_url()))
    see("ticket cancelled", client.get(cancelled.get_absolute_url()), 410)
    see("address of what is cancelled", client.get(f"{of_six.get_absolute_url()}{cancelled.pk}/address/"), 409)
    see("nothing bought", client.get(f"/purchases/by-token/{uuid.uuid4()}/"), 404)

    # --- What goes wrong
    see("400", client.get("/", headers={"host": "elsewhere.example.com"}), 400)
    see("403 of a form", Client(enforce_csrf_checks=True, headers=headers).post(on_sale, payload()), 403)
    see("404", client.get("/nothing/"), 404)
    see("405", client.post("/"), 405)
    see("413", client.post(on_sale, {"name": "x" * 70_000}), 413)
    request = RequestFactory(headers=headers).get("/")
    for status, template, values in (
        (409, "tickets/busy.html", {"gig": one.gig, "token": token}),
        (503, "503.html", {}),
    ):
        see(f"{status}", render(request, template, values, status=status), status)
    see("500", server_error(request), 500)

    # --- The staff outside of the box office
    see("sign in", client.get("/admin/login/"))
    settings.AXES_FAILURE_LIMIT = 2
    wrong = {"username": "nobody", "password": "a wrong one"}
    see("sign in refused", client.post("/admin/login/", wrong))
    see("sign in locked", client.post("/admin/login/", wrong), 429)
    client.force_login(User.objects.create_user("support", is_staff=True))
    see("403", client.get("/door/"), 403)
    see("second factor", client.get("/admin/second-factor/"))
    staff = User.objects.create_user("door", is_staff=True)
    staff.groups.add(Group.objects.get(name="door"))
    client.force_login(staff)
    see("doors", client.get("/door/"))
    see("no door chosen", client.post("/door/", {"door": ""}), 422)
    door = client.post("/door/", {"gig": "nirvana-cork-1991", "door": "North"})["Location"]
    see("door", client.get(door))
    for verdict, code in (("welcome", mailed.short_code), ("already in", mailed.short_code), ("not valid", "nonsense")):
        see(f"door: {verdict}", client.post(door, {"code": code, "scan": uuid.uuid4()}))
    see("address of who is in", client.get(f"{of_six.get_absolute_url()}{mailed.pk}/address/"), 409)
    see("door: no reason", client.post(f"{door}undo/", {"ticket": mailed.pk, "reason": " "}), 422)
    see("door: undone", client.post(f"{door}undo/", {"ticket": mailed.pk, "reason": "wrong door"}))
    see("door: nothing to undo", client.post(f"{door}undo/", {"ticket": mailed.pk, "reason": "wrong door"}), 422)
    return pages
