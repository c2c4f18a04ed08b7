"""A purchase as a tutorial would write it: form, save, `send_message`; once more with Celery's `.delay()`.

The same form and tables as the shop's, and as true a promise: the gig's row is locked, so that nothing is oversold.
What it lacks is the rest: after a crash behind the commit the message is lost, a repeated submission buys twice.
"""

import json
import uuid

from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from bench.peers.celery_shop import deliver
from tickets import queue
from tickets.api_input import FIELDS
from tickets.forms import CardFormInParts, OwnerForm, OwnerFormSet, PurchaseForm
from tickets.models import Gig, Purchase, Ticket


def save(owner, slug) -> Ticket:
    with transaction.atomic():
        gig = get_object_or_404(Gig.objects.select_for_update(), slug=slug)
        assert gig.sold < gig.capacity
        gig.sold += 1
        gig.save()
        purchase = Purchase.objects.create(gig=gig, token=uuid.uuid4(), fingerprint="")
        return Ticket.objects.create(purchase=purchase, **owner, price=gig.price, publish_due_at=timezone.now())


def send(ticket: Ticket) -> None:
    body = {"name": ticket.name, "email": ticket.email, "gigId": ticket.gig.slug, "ticketId": str(ticket.pk)}
    queue.producer().send_message(QueueUrl=queue.url(), MessageBody=json.dumps(body))


def delay(ticket: Ticket) -> None:
    deliver.delay(str(ticket.pk))


def api(publish):
    @csrf_exempt
    def purchase(request):
        data = json.loads(request.body)
        values = {name: data[key] for key, name in FIELDS.items()}
        owner, card = OwnerForm(values), CardFormInParts(values)
        if not (owner.is_valid() and card.is_valid()):
            return JsonResponse(owner.errors | card.errors, status=400)
        ticket = save(owner.cleaned_data, data["gigId"])
        publish(ticket)
        return JsonResponse({"ticketId": ticket.pk}, status=202)

    return purchase


def page(publish):
    def gig(request, slug):
        gig = get_object_or_404(Gig, slug=slug)
        if request.method == "POST":
            form, owners = PurchaseForm(request.POST), OwnerFormSet(request.POST)
            if form.is_valid() and owners.is_valid():
                ticket = save(owners[0].cleaned_data, slug)
                publish(ticket)
                return redirect(ticket.purchase)
        else:
            form, owners = PurchaseForm(), OwnerFormSet()
        return render(request, "tickets/gig_detail.html", {"gig": gig, "form": form, "owners": owners})

    return gig


def thanks(request, pk):
    return HttpResponse("Thank you!")


urlpatterns = [
    path("healthz", lambda request: HttpResponse("ok")),
    path("bare", lambda request: HttpResponse("ok")),
    path("api/purchase", api(send)),
    path("api/delayed", api(delay)),
    path("gigs/<slug:slug>/", page(send), name="gig"),
    path("delayed/<slug:slug>/", page(delay)),
    path("purchases/<uuid:pk>/", thanks, name="purchase"),
    path("", include("tickets.urls")),  # for the addresses that the templates name
]
