"""The trace id: one name for a purchase's whole way, from the request's log line to the mail's header.

It has 32 hexadecimal digits, as in W3C Trace Context. It is bound to the log lines, stored with the purchase, and
sent as the message attribute `trace`.
"""

import re
import secrets

from structlog.contextvars import get_contextvars

HEADER = "X-Trace-Id"  # of the mail
_ID = r"(?!0{32})[0-9a-f]{32}"
# Version, trace id, parent id, flags; a later version than 00 may say more after these.
_TRACEPARENT = re.compile(rf"(?!ff|00.{{53}}-)[0-9a-f]{{2}}-({_ID})-(?!0{{16}})[0-9a-f]{{16}}-[0-9a-f]{{2}}(-.*)?")


def new() -> str:
    return secrets.token_hex(16)


def current() -> str:
    """Give the trace id that is bound to the log lines here, or a new one."""
    return get_contextvars().get("trace") or new()


def from_traceparent(header: str) -> str:
    """Take the trace id from a W3C `traceparent`, or make one where that is missing or malformed."""
    found = _TRACEPARENT.fullmatch(header)
    return found[1] if found else new()


def checked(value: object) -> str:
    """Give `value` back if it is a trace id, else "": whoever may send messages may send anything as an attribute."""
    return value if isinstance(value, str) and re.fullmatch(_ID, value) else ""
