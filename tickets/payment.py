"""Check a card's format and forget it: today's stand-in for a payment provider's adapter."""

from django.views.debug import SafeExceptionReporterFilter

CARD_FIELDS = (
    "name_on_card",
    "card_number",
    "card_expiry",
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
    """Hide what views and forms declare sensitive in every error report, DEBUG or not."""

    def is_active(self, request):
        return True
