"""What a purchase takes: its owners and a card. Every outside input passes here, the page's and the API's. No I/O."""

import unicodedata
import uuid

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from tickets import payment
from tickets.purchases import Owner

MAX_TICKETS = 6  # in one purchase
# Controls and line breaks could forge a header, surrogates and unassigned characters could not be stored or sent,
# and direction overrides show another name than the one that is there.
FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
DIRECTION_OVERRIDES = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def validate_name(name: str) -> None:
    if any(unicodedata.category(char) in FORBIDDEN_CATEGORIES or char in DIRECTION_OVERRIDES for char in name):
        raise ValidationError(_("Leave out line breaks and control characters."))


class Unprinted(forms.TextInput):
    """Send no value back, as a password's field doesn't; what was typed stays when htmx swaps the page around it.

    Before it is sent purchase.js checks it, with `data-wrong` for the error.
    """

    def get_context(self, name, value, attrs):
        return super().get_context(name, None, {"data-hx-preserve": "true"} | (attrs or {}))


def _text(label, error, *, widget=forms.TextInput, validators=(), max_length=100, **attrs):
    return forms.CharField(
        label=label,
        max_length=max_length,
        validators=validators,
        error_messages={"required": error},
        widget=widget(attrs={key.replace("_", "-"): value for key, value in attrs.items()}),
    )


class OwnerForm(forms.Form):
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

    def clean_name(self):
        return unicodedata.normalize("NFC", self.cleaned_data["name"])


class AddressForm(forms.Form):
    """Take the right address of a ticket that went to a wrong one."""

    email = OwnerForm.base_fields["email"]

    def __init__(self, *args, ticket, **kwargs):
        super().__init__(*args, **kwargs)
        self.ticket = ticket
        self.fields["email"].label = _("Right e-mail address")

    def clean_email(self):
        email = self.cleaned_data["email"]
        if email == self.ticket.email:
            raise ValidationError(_("This is the address that the ticket has already: enter the right one."))
        return email


class OwnersOfPurchase(forms.BaseFormSet):
    """Take one row an owner. With the option `same_email` the first one's address is everybody's."""

    default_error_messages = {
        "too_many_forms": _("Buy %(num)d tickets at most at once."),
    }

    @classmethod
    def get_default_prefix(cls):
        return "owners"

    def get_form_kwargs(self, index):
        return {"empty_permitted": False}  # A row that is there is an owner.

    def add_fields(self, form, index):
        super().add_fields(form, index)
        if index:  # Somebody else than the buyer, whom a browser knows.
            for field in form.fields.values():
                field.widget.attrs["autocomplete"] = "off"
        if index and "same_email" in self.data:
            # What stands there isn't looked at, but stays for whoever unticks the box.
            form.fields["email"] = forms.CharField(
                label=form.fields["email"].label, required=False, widget=form.fields["email"].widget
            )

    def clean(self):
        # Not validate_min: to that a row in which nothing is typed is none, and the buyer would read this, too.
        if not self.forms:
            raise ValidationError(_("Buy one ticket at least."))

    def typed(self) -> list[dict[str, str]]:
        """Give what stands in each row, right or wrong."""
        return [{field.name: field.value() or "" for field in form} for form in self.forms]

    def owners(self) -> list[Owner]:
        rows = [form.cleaned_data for form in self.forms]
        same = rows[0]["email"] if "same_email" in self.data else None
        return [Owner(row["name"], same or row["email"]) for row in rows]


OwnerFormSet = forms.formset_factory(
    OwnerForm,
    OwnersOfPurchase,
    extra=0,
    min_num=1,
    max_num=MAX_TICKETS,
    absolute_max=MAX_TICKETS + 1,
    validate_max=True,
)


class CardForm(forms.Form):
    """Take a card, whose expiry each of the two forms below asks for in its own way."""

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
        data_wrong=_("This is not a card number: check it for a mistyped digit."),
        autocomplete="cc-number",
        inputmode="numeric",
    )
    card_cvc = _text(
        _("Security code"),
        _("Enter the 3 or 4 digits of the security code."),
        widget=Unprinted,
        validators=[payment.validate_cvc],
        max_length=4,
        data_wrong=_("Enter the 3 or 4 digits of the security code."),
        autocomplete="cc-csc",
        inputmode="numeric",
    )
    disclaimer_accepted = forms.BooleanField(
        label=_("I know that this is a demo: nothing is charged and no time machine leaves."),
        error_messages={"required": _("Tick this box to go on.")},
    )


class PurchaseForm(CardForm):
    """Take what the page asks for besides the owners."""

    field_order = ["same_email", "name_on_card", "card_number", "card_expiry", "card_cvc", "disclaimer_accepted"]

    card_expiry = _text(
        _("Expiry"),
        _("Enter the expiry date as it stands on the card, like 12/31."),
        max_length=9,
        autocomplete="cc-exp",
        inputmode="numeric",
        placeholder=_("MM/YY"),
    )
    same_email = forms.BooleanField(label=_("Send all tickets to this address"), required=False)
    # The submission's own: the same form sent twice is one purchase.
    token = forms.UUIDField(required=False, initial=uuid.uuid4, widget=forms.HiddenInput)
    # The one that was shown: at another one nothing is sold.
    price = forms.DecimalField(
        max_digits=8,
        decimal_places=2,
        widget=forms.HiddenInput,
        error_messages=dict.fromkeys(["required", "invalid"], _("Reload this page: it lost the price.")),
    )

    def ask_for_unprinted(self) -> None:
        """Say beside each field whose value the page doesn't send back that it has to be typed once more."""
        for field in self.visible_fields():
            if isinstance(field.field.widget, Unprinted) and field.value():
                field.help_text = _("Type it again: for your safety it isn't kept.")

    @sensitive_variables()
    def clean_card_expiry(self):
        month, year = payment.read_expiry(self.cleaned_data["card_expiry"])
        payment.validate_year(year, timezone.localdate())
        payment.validate_expiry(month, year, timezone.localdate())

    def clean_token(self):
        return self.cleaned_data["token"] or uuid.uuid4()


class CardFormInParts(CardForm):
    """Take what the API's JSON has besides the owner: the expiry in two parts."""

    card_expiry_month = forms.IntegerField(
        min_value=1,
        max_value=12,
        error_messages=dict.fromkeys(["required", "invalid", "min_value", "max_value"], _("Enter a month, 1 to 12.")),
    )
    card_expiry_year = forms.IntegerField(
        error_messages=dict.fromkeys(["required", "invalid"], _("Enter a year, like 2031."))
    )

    def clean_card_expiry_year(self):
        year = payment.full_year(self.cleaned_data["card_expiry_year"])
        payment.validate_year(year, timezone.localdate())
        return year

    @sensitive_variables()
    def clean(self):
        data = super().clean()
        month, year = data.get("card_expiry_month"), data.get("card_expiry_year")
        if month and year:
            try:
                payment.validate_expiry(month, year, timezone.localdate())
            except ValidationError as error:
                self.add_error("card_expiry_month", error)
        return data
