"""PurchaseForm: every outside input passes through it, the page's and the API's alike. No I/O."""

import unicodedata
import uuid

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from tickets import payment
from tickets.purchases import Owner

EXPIRY_YEARS = 20  # how far ahead a card may expire
# Controls and line breaks could forge a header, surrogates and unassigned characters could not be stored or sent,
# and direction overrides show another name than the one that is there.
FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
DIRECTION_OVERRIDES = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def validate_name(name: str) -> None:
    if any(unicodedata.category(char) in FORBIDDEN_CATEGORIES or char in DIRECTION_OVERRIDES for char in name):
        raise ValidationError(_("Leave out line breaks and control characters."))


class Unprinted(forms.TextInput):
    """A text field whose value is never sent back, as a password's isn't."""

    def get_context(self, name, value, attrs):
        return super().get_context(name, None, attrs)


def _text(label, error, *, widget=forms.TextInput, validators=(), max_length=100, **attrs):
    return forms.CharField(
        label=label,
        max_length=max_length,
        validators=validators,
        error_messages={"required": error},
        widget=widget(attrs={key.replace("_", "-"): value for key, value in attrs.items()}),
    )


class PurchaseForm(forms.Form):
    name = _text(
        _("Ticket owner's name"),
        _("Enter the name that shall stand on the ticket."),
        validators=[validate_name],
        autocomplete="name",
    )
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,  # RFC 5321: a path has 256 characters with its angle brackets
        help_text=_("The ticket is sent to this address."),
        error_messages={
            "required": _("Enter the e-mail address that the ticket shall be sent to."),
            "invalid": _("Enter an e-mail address like name@example.com."),
        },
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    name_on_card = _text(
        _("Name on card"),
        _("Enter the name as it stands on the card."),
        validators=[validate_name],
        autocomplete="cc-name",
    )
    card_number = _text(
        _("Card number"),
        _("Enter the card number."),
        widget=Unprinted,
        validators=[payment.validate_number],
        max_length=40,
        autocomplete="cc-number",
        inputmode="numeric",
    )
    card_expiry_month = forms.IntegerField(
        label=_("Expiry month"),
        min_value=1,
        max_value=12,
        error_messages=dict.fromkeys(["required", "invalid", "min_value", "max_value"], _("Enter a month, 1 to 12.")),
        widget=forms.TextInput(
            attrs={"autocomplete": "cc-exp-month", "inputmode": "numeric", "maxlength": 2, "placeholder": "MM"}
        ),
    )
    card_expiry_year = forms.IntegerField(
        label=_("Expiry year"),
        error_messages=dict.fromkeys(["required", "invalid"], _("Enter a year, like 2031.")),
        widget=forms.TextInput(
            attrs={"autocomplete": "cc-exp-year", "inputmode": "numeric", "maxlength": 4, "placeholder": "YYYY"}
        ),
    )
    card_cvc = _text(
        _("Security code"),
        _("Enter the 3 or 4 digits of the security code."),
        widget=Unprinted,
        validators=[payment.validate_cvc],
        max_length=4,
        autocomplete="cc-csc",
        inputmode="numeric",
    )
    disclaimer_accepted = forms.BooleanField(
        label=_("I know that this is a demo: nothing is charged and no time machine leaves."),
        error_messages={"required": _("Tick this box to go on.")},
    )
    # The submission's own: the same form sent twice is one purchase.
    token = forms.UUIDField(required=False, initial=uuid.uuid4, widget=forms.HiddenInput)

    def clean_name(self):
        return unicodedata.normalize("NFC", self.cleaned_data["name"])

    def clean_card_expiry_year(self):
        year = self.cleaned_data["card_expiry_year"]
        if 0 <= year < 100:
            year += 2000
        this_year = timezone.localdate().year
        if not this_year <= year <= this_year + EXPIRY_YEARS:
            raise ValidationError(
                _("Enter a year from %(first)s to %(last)s."),
                params={"first": this_year, "last": this_year + EXPIRY_YEARS},
            )
        return year

    def clean_token(self):
        return self.cleaned_data["token"] or uuid.uuid4()

    @sensitive_variables()
    def clean(self):
        data = super().clean()
        month, year = data.get("card_expiry_month"), data.get("card_expiry_year")
        if month and year and payment.expired(month, year, timezone.localdate()):
            self.add_error("card_expiry_month", _("This card has expired."))
        return data

    def owners(self) -> list[Owner]:
        return [Owner(self.cleaned_data["name"], self.cleaned_data["email"])]
