"""Read what the API is sent: its media type, the page's forms filled in from its JSON, and the Idempotency-Key."""

import hashlib
import re
import uuid

from django.conf import settings
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from tickets.forms import CardFormInParts, OwnerForm
from tickets.purchases import Owner

# The names of a purchase's fields in JSON, and in the two forms.
FIELDS = {
    "name": "name",
    "email": "email",
    "nameOnCard": "name_on_card",
    "cardNumber": "card_number",
    "cardExpiryMonth": "card_expiry_month",
    "cardExpiryYear": "card_expiry_year",
    "cardCVC": "card_cvc",
    "disclaimerAccepted": "disclaimer_accepted",
}
NUMBERS = {"card_number", "card_expiry_month", "card_expiry_year", "card_cvc"}  # welcome as JSON numbers, too
# A string of RFC 8941, as draft-ietf-httpapi-idempotency-key-header has it, or the same without its quotes.
IDEMPOTENCY_KEY = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"|([!#-+\--\[\]-~]{1,255})')


def is_json(request) -> bool:
    # fetch() calls a text text/plain, and front ends leave it at that. Such a request comes without a preflight, and
    # so from any page there is: it is taken from the origins that a preflight would have let through.
    return request.content_type == "application/json" or (
        request.content_type == "text/plain" and request.headers.get("Origin") in settings.CORS_ALLOWED_ORIGINS
    )


@sensitive_variables()
def check(data: dict) -> tuple[list[Owner], dict[str, list[str]]]:
    """Fill the forms in; give the owner, or by JSON names what is wrong. What isn't a text counts as missing."""
    values = {form_name: data.get(name) for name, form_name in FIELDS.items()}
    for name in NUMBERS:
        if isinstance(values[name], float) and values[name].is_integer():  # 7.0 is 7 in JSON
            values[name] = int(values[name])
        if type(values[name]) is int:
            values[name] = str(values[name])
    accepted = values["disclaimer_accepted"]
    values["disclaimer_accepted"] = "on" if accepted is True or accepted in ("true", "on") else ""
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    owner, card = OwnerForm(texts), CardFormInParts(texts)
    errors = owner.errors | card.errors
    fields = {name: list(errors[form_name]) for name, form_name in FIELDS.items() if form_name in errors}
    if not isinstance(data.get("gigId"), str) or not data["gigId"]:
        fields = {"gigId": [_("Enter the id of a gig, as /api/gigs has it.")]} | fields
    return [] if fields else [Owner(**owner.cleaned_data)], fields


def token(request) -> str:
    """Give the token of this submission; raise ValueError for an Idempotency-Key that is none."""
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return str(uuid.uuid4())
    key = IDEMPOTENCY_KEY.fullmatch(header)
    if not key:
        raise ValueError("no Idempotency-Key")
    text = key[2] or re.sub(r"\\(.)", r"\1", key[1])
    # Whatever it holds, its hash fits; and with the prefix it never is, and never finds, the token of a page's form.
    return f"api:{hashlib.sha256(text.encode()).hexdigest()}"
