"""The pages at the door, for phones: choose gig and door, then let in whoever has a ticket."""

from datetime import timedelta
from uuid import uuid4

from csp.decorators import csp_update
from django import forms
from django.contrib.auth.decorators import login_required, permission_required
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_permissions_policy.decorators import permissions_policy_override

from tickets import checkin
from tickets.models import Gig

REMEMBERED = "door"  # in the session: how the door is called
BY_HAND = 40  # characters: the most that anybody types; what a QR of ours holds is longer


class DoorForm(forms.Form):
    gig = forms.ModelChoiceField(
        Gig.objects.none(),
        label=_("Gig"),
        to_field_name="slug",
        empty_label=None,
        error_messages=dict.fromkeys(["required", "invalid_choice"], _("Choose the gig again.")),
    )
    door = forms.CharField(
        label=_("Door"),
        max_length=50,
        help_text=_("As you call it among you, like North or Main entrance."),
        error_messages={"required": _("Say at which door you stand.")},
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # Some enter after the departure that the ticket names.
        since = timezone.now() - timedelta(days=1)
        self.fields["gig"].queryset = Gig.objects.filter(departs_at__gte=since, sold__gt=0)


class ScanForm(forms.Form):
    code = forms.CharField(max_length=500)
    scan = forms.UUIDField()


class UndoForm(forms.Form):
    ticket = forms.UUIDField()
    reason = forms.CharField(max_length=200)


def _staff(view):
    return login_required(permission_required("tickets.check_in", raise_exception=True)(view), login_url="admin:login")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@_staff
def choose(request):
    form = DoorForm(request.POST or None, initial={"door": request.session.get(REMEMBERED)})
    if form.is_valid():
        request.session[REMEMBERED] = form.cleaned_data["door"]
        return redirect("door", form.cleaned_data["gig"].slug)
    return render(request, "tickets/door/choose.html", {"form": form}, status=422 if form.is_bound else 200)


# On this page alone: the camera, a screen that stays on, and WebAssembly, which reads codes where the browser can't.
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csp_update({"script-src": "'wasm-unsafe-eval'"})
@permissions_policy_override({"camera": "self", "screen-wake-lock": "self"})
@_staff
def door(request, slug):
    gig, name = get_object_or_404(Gig, slug=slug), request.session.get(REMEMBERED)
    if name is None:
        return redirect("choose_door")
    page = {"gig": gig, "door": name, "scan": uuid4()}
    form = ScanForm(request.POST)
    if request.method == "POST" and form.is_valid():
        code, scan = form.cleaned_data["code"], form.cleaned_data["scan"]
        answer = page["answer"] = checkin.check_in(code, gig, name, request.user, scan)
        if answer.verdict == checkin.Verdict.REFUSED and len(code) <= BY_HAND:
            page["typed"] = code  # to be compared with the ticket, and mended
    return render(request, "tickets/door/door.html", page | {"inside": checkin.inside(gig)})


@require_http_methods(["GET", "HEAD", "POST"])
@_staff
def undo(request, slug):
    if request.method != "POST":  # Who was signed out meanwhile comes back like that.
        return redirect("door", slug)
    gig, form = get_object_or_404(Gig, slug=slug), UndoForm(request.POST)
    ticket = None
    if form.is_valid():
        ticket = checkin.undo(form.cleaned_data["ticket"], gig, request.user, form.cleaned_data["reason"])
    page = {"gig": gig, "ticket": ticket, "form": form}
    return render(request, "tickets/door/undone.html", page, status=200 if ticket else 422)
