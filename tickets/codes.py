"""The code on a ticket: what its QR holds, signed, and a short one that a person can type."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac

# Signer takes SECRET_KEY_FALLBACKS, too, so that a new SECRET_KEY voids no ticket.
_signer = Signer(salt="tickets.codes")
# Hexadecimal, for it has no two characters that look alike.
NUMBER_DIGITS = 12  # 48 random bits, so that among a million tickets two alike are as rare as 1 to 500
TAG_DIGITS = 4  # whoever guesses one has 65,536 to try at the door


class Forged(Exception):
    """Say that a code is none of ours, or was changed."""


class Code(NamedTuple):
    ticket_id: UUID
    edition: int  # the ticket's; an earlier one than the ticket has by now is void


class Typed(NamedTuple):
    first: UUID  # of the tickets that may be meant
    last: UUID
    tag: str  # empty where the number alone was typed

    def edition(self, ticket_id: UUID, newest: int) -> int | None:
        """Tell which of a ticket's editions the tag was made for, or None if for none of them."""
        keys = [_signer.key, *_signer.fallback_keys]
        return next((n for n in range(newest, 0, -1) if self.tag in [_tag(ticket_id, n, key) for key in keys]), None)


def sign(ticket_id: UUID, edition: int) -> str:
    """Give the text for a ticket's QR: some 70 letters, digits, - _ and :, to be checked without the database."""
    return _signer.sign(f"{urlsafe_b64encode(ticket_id.bytes).decode().rstrip('=')}:{edition}")


def read(code: str) -> Code:
    """Take a code apart whose signature is ours; raise Forged for any other text."""
    try:
        ticket_id, edition = _signer.unsign(code).split(":")
    except BadSignature as error:
        raise Forged("no code of ours") from error
    return Code(UUID(bytes=urlsafe_b64decode(ticket_id + "==")), int(edition))


def short(ticket_id: UUID, edition: int) -> str:
    """Give the code for typing, the ticket's number and its edition's tag: 8052-7D99-4CE1-17AD."""
    digits = (ticket_id.hex[:NUMBER_DIGITS] + _tag(ticket_id, edition, _signer.key)).upper()
    return "-".join(re.findall("....", digits))


def read_typed(text: str) -> Typed | None:
    """Take a typed short code apart, with or without its tag; give None for what is none."""
    digits = re.sub(r"[\s-]", "", text).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{NUMBER_DIGITS}}}([0-9a-f]{{{TAG_DIGITS}}})?", digits):
        return None
    number, tag = digits[:NUMBER_DIGITS], digits[NUMBER_DIGITS:]
    return Typed(UUID(number.ljust(32, "0")), UUID(number.ljust(32, "f")), tag)


def _tag(ticket_id: UUID, edition: int, key: str) -> str:
    mac = salted_hmac("tickets.codes.short", f"{ticket_id}:{edition}", key, algorithm="sha256")
    return mac.hexdigest()[:TAG_DIGITS]
