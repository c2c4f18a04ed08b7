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
    "card_expiry",
    "card_cvc",
    "nameOnCard",
    "cardNumber",
    "cardExpiryMonth",
    "cardExpiryYear",
    "cardCVC",
)
EXPIRY_YEARS = 20  # how far ahead a card may expire


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


def read_expiry(text: str) -> tuple[int, int]:
    """Read a month and a year as they stand on a card or as a browser fills them in: 12/27, 12 / 2027, 1227."""
    parts = re.fullmatch(r"([0-9]{1,2})\s*[/.-]?\s*([0-9]{4}|[0-9]{2})", text)
    if not parts or not 1 <= int(parts[1]) <= 12:
        raise ValidationError(_("Enter the expiry date as it stands on the card, like 12/31."))
    return int(parts[1]), full_year(int(parts[2]))


def full_year(year: int) -> int:
    return year + 2000 if 0 <= year < 100 else year


def validate_year(year: int, today: date) -> None:
    if not today.year <= year <= today.year + EXPIRY_YEARS:
        raise ValidationError(
            _("Enter a year from %(first)s to %(last)s."),
            params={"first": today.year, "last": today.year + EXPIRY_YEARS},
        )


def validate_expiry(month: int, year: int, today: date) -> None:
    """Check that a card hasn't expired: it is good to the last day of its month."""
    if (year, month) < (today.year, today.month):
        raise ValidationError(_("This card has expired."))
