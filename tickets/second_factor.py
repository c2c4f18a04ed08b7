"""The staff's second factor, for whoever sets one up: an authenticator app, and spare codes for when it is away."""

from base64 import b32encode

import django_otp
from django import forms
from django.contrib import messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.db import transaction
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from tickets import qr

SPARE_CODES = 10


def _code_field(label):
    return forms.CharField(
        label=label, required=False, max_length=20, widget=forms.TextInput({"autocomplete": "one-time-code"})
    )


class SignInForm(AdminAuthenticationForm):
    """Ask for a code, too, of whoever has an app set up; with the password right and the code wrong nobody is in."""

    code = _code_field(gettext_lazy("Code from your authenticator app, if you use one:"))

    def clean(self):
        data = super().clean()
        user = self.get_user()
        if user and django_otp.user_has_device(user):
            # Signing in makes it the session's own, by django_otp's signal.
            user.otp_device = verify(user, data.get("code", ""))
            if user.otp_device is None:
                raise forms.ValidationError(_("Enter the code that your app shows now, or one of your spare codes."))
        return data


def verify(user, code: str) -> Device | None:
    """Return the device that `code` is of, and use the code up; after wrong ones each device waits ever longer."""
    code = code.replace(" ", "").lower()
    devices = TOTPDevice if code.isdigit() else StaticDevice
    with transaction.atomic():
        # Locked, so that of two who send the same code at once one is refused.
        device = devices.objects.select_for_update().filter(user=user, confirmed=True).first()
        return device if code and device and device.verify_token(code) else None


def page(request, site):
    device = TOTPDevice.objects.filter(user=request.user, confirmed=True).first()
    if request.method == "POST":
        return (_change if device else _set_up)(request, site)
    return _show(request, site, device)


def _set_up(request, site):
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=request.user, confirmed=False).first()
        right = device is not None and device.verify_token(request.POST.get("code", "").replace(" ", ""))
        if right:
            device.confirmed = True
            device.save(update_fields=["confirmed"])
    if not right:
        messages.error(request, _("That code is not right, or was too late. Enter the one that the app shows now."))
        return redirect("admin:second_factor")
    django_otp.login(request, device)
    return _show(request, site, device, spare_codes=_new_spare_codes(request.user))


def _change(request, site):
    device = verify(request.user, request.POST.get("code", ""))
    if device is None:
        messages.error(request, _("That code is not right, or was too late. Enter the one that the app shows now."))
        return redirect("admin:second_factor")
    if "off" in request.POST:
        for kind in (TOTPDevice, StaticDevice):
            kind.objects.filter(user=request.user).delete()
        messages.success(request, _("The second factor is off."))
        return redirect("admin:second_factor")
    return _show(request, site, device, spare_codes=_new_spare_codes(request.user))


@transaction.atomic
def _new_spare_codes(user) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="spare codes")
    codes = [StaticToken.random_token() for _ in range(SPARE_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def _show(request, site, device: TOTPDevice | None, **values):
    if device is None:
        new, _made = TOTPDevice.objects.get_or_create(user=request.user, confirmed=False, defaults={"name": "app"})
        secret = b32encode(new.bin_key).decode()
        values |= {"qr": qr.svg(new.config_url), "secret": " ".join(secret[i : i + 4] for i in range(0, 32, 4))}
    else:
        values["left"] = StaticToken.objects.filter(device__user=request.user).count()
    page = {**site.each_context(request), "title": _("Second factor"), **values}
    return render(request, "admin/second_factor.html", page)
