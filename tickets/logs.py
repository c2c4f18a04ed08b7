"""How log lines look, and the one line that a request leaves.

Our own lines have keys (ticket, message, trace, cause); those of libraries pass through the same formatter. No line
holds an e-mail address in full or the address of a purchase or a ticket, which is its owner's key to it.
"""

import logging
import re
import sys
import time

import structlog
from django.conf import settings
from django.utils.encoding import escape_uri_path
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer, TimeStamper, add_log_level, format_exc_info
from structlog.stdlib import BoundLogger, LoggerFactory, ProcessorFormatter, add_logger_name, filter_by_level

from tickets import privacy, trace

PATH_LENGTH = 200  # characters of a path kept; no address of ours is longer
# Of a purchase, by its id, and of a ticket, by its signed code (codes.py).
_KEY_IN_PATH = re.compile(r"/(?i:[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})|/[\w-]{22}:\d+:[\w-]+", re.ASCII)

structlog.configure(
    processors=[filter_by_level, ProcessorFormatter.wrap_for_formatter],
    logger_factory=LoggerFactory(),
    wrapper_class=BoundLogger,
    cache_logger_on_first_use=True,
)
log = structlog.get_logger(__name__)


def formatter(style: str) -> logging.Formatter:
    """Make the formatter of all lines: "json" for machines, "console" for a developer."""
    if style == "json":
        time_stamp, render = TimeStamper(fmt="iso", utc=True), JSONRenderer()
    else:
        time_stamp = TimeStamper(fmt="%H:%M:%S", utc=False)
        # The exception is text by then. Never rich's tracebacks, which show every variable: a card among them.
        render = ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=0, pad_level=False, exception_formatter=plain_traceback
        )
    return ProcessorFormatter(
        processors=[
            merge_contextvars,
            add_log_level,
            add_logger_name,
            time_stamp,
            format_exc_info,
            ProcessorFormatter.remove_processors_meta,
            _mask,
            render,
        ]
    )


def _mask(_logger, _method, event: dict) -> dict:
    return {
        key: privacy.mask(_KEY_IN_PATH.sub("/…", value)) if isinstance(value, str) else value
        for key, value in event.items()
    }


def requests(get_response):
    """Give each request its trace id, and the log one line of it, files aside: no query, no address of the client."""

    def middleware(request):
        began = time.perf_counter()
        with bound_contextvars(trace=trace.from_traceparent(request.headers.get("traceparent", ""))):
            response = get_response(request)
            level = logging.DEBUG if request.path.startswith(settings.STATIC_URL) else logging.INFO
            log.log(
                level,
                "request",
                method=request.method,
                path=escape_uri_path(request.path)[:PATH_LENGTH],
                status=response.status_code,
                ms=round((time.perf_counter() - began) * 1000, 1),
            )
        return response

    return middleware
