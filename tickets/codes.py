"""The code on a ticket: what its QR holds, signed, and the few characters of it that a person can type."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple
from uuid import UUID

from django.core.signing import BadSignature, Signer

# Signer takes SECRET_KEY_FALLBACKS, too, so that a new SECRET_KEY voids no ticket.
_signer = Signer(salt="tickets.codes")
SHORT_DIGITS = 12  # hexadecimal: 48 random bits, so that among a million tickets two alike are as rare as 1 to 500


class Forged(Exception):
    """Say that a code is none of ours, or was changed."""


class Code(NamedTuple):
    ticket_id: UUID
    edition: int  # the ticket's; an earlier one than the ticket has by now is void


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


def short(ticket_id: UUID) -> str:
    """Give the part of a ticket's id that is printed for people: 8052-7D99-4CE1."""
    digits = ticket_id.hex[:SHORT_DIGITS].upper()
    return "-".join(digits[i : i + 4] for i in range(0, SHORT_DIGITS, 4))


def id_range(typed: str) -> tuple[UUID, UUID] | None:
    """Give the first and the last ticket id that a typed short code may mean, or None for what is no short code."""
    digits = re.sub(r"[\s-]", "", typed).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{SHORT_DIGITS}}}", digits):
        return None
    return UUID(digits + "0" * (32 - SHORT_DIGITS)), UUID(digits + "f" * (32 - SHORT_DIGITS))
