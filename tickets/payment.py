"""Check a card's format and forget it: today's stand-in for a payment provider's adapter."""

import re
from datetime import date

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.debug import SafeExceptionReporterFilter

# The names under which card data comes in: the page's fields, then the API's.
CARD_FIELDS = (
    "name_on_card",
    "card_number",
    "card_expiry_month",
    "card_expiry_year",
    "card_cvc",
    "nameOnCard",
    "cardNumber",
    "cardExpiryMonth",
    "cardExpiryYear",
    "cardCVC",
)


class CardFilter(SafeExceptionReporterFilter):
    """Hide what views and forms declare sensitive in every error report, with DEBUG on as well."""

    def is_active(self, request):
        return True


def validate_number(number: str) -> None:
    """Check 12 to 19 digits (ISO/IEC 7812), spaces and dashes aside, and their Luhn sum."""
    digits = re.sub(r"[ -]", "", number)
    if not re.fullmatch(r"[0-9]{12,19}", digits):
        raise ValidationError(_("Enter the 12 to 19 digits on the front of the card."))
    if luhn(digits) % 10:
        raise ValidationError(_("This is not a card number: check it for a mistyped digit."))


def luhn(digits: str) -> int:
    """Sum the digits, every second one from the right doubled and cast out by nines."""
    plain, doubled = digits[-1::-2], digits[-2::-2]
    return sum(map(int, plain)) + sum(sum(divmod(2 * int(digit), 10)) for digit in doubled)


def validate_cvc(cvc: str) -> None:
    if not re.fullmatch(r"[0-9]{3,4}", cvc):
        raise ValidationError(_("Enter the 3 or 4 digits of the security code."))


def expired(month: int, year: int, today: date) -> bool:
    """Tell whether a card is past its expiry: it is good to the last day of its month."""
    return (year, month) < (today.year, today.month)
