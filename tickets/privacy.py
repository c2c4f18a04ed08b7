"""Keep buyers' names and addresses out of the log, whoever writes there, and strangers from filling it."""

import logging
import re

# What stands before an @, quoted or not. The length of the one and the look back of the other keep a long text of a
# stranger's making from taking the square of its length.
_LOCAL_PART = re.compile(r'"(?:[^"\\\n]|\\.){0,100}"@|(?<![^\s<>@"])([^\s<>@"])[^\s<>@"]*"?@')
# Where PostgreSQL quotes the row that it refuses, name and all.
_ROW = re.compile(r"(DETAIL:).*")
LINE_LENGTH = 300  # characters kept of what a stranger wrote


def mask(text: str) -> str:
    """Leave of each e-mail address in `text` its first letter and its host, and of quoted rows nothing."""
    return _ROW.sub(r"\1 …", _LOCAL_PART.sub(r"\1…@", text))


def one_line(record: logging.LogRecord) -> bool:
    """Cut what strangers cause (a wrong host name, a body too large) to a short warning without a traceback."""
    record.msg, record.args = record.getMessage()[:LINE_LENGTH], None
    record.exc_info = record.exc_text = None
    record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True
