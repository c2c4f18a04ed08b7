"""Answer kindly while the database is away."""

import structlog
from django.db import InterfaceError, OperationalError
from django.shortcuts import render

log = structlog.get_logger(__name__)

DatabaseDown = (OperationalError, InterfaceError)
RETRY_SECONDS = 10  # what a restart of PostgreSQL takes, about


class DatabaseAway:
    """Turn a view's failure to reach the database into a page that says what to do, with status 503."""

    def __init__(self, get_response):
        self._get_response = get_response

    def __call__(self, request):
        return self._get_response(request)

    def process_exception(self, request, exception):
        if not isinstance(exception, DatabaseDown):
            return None
        log.error("the database is away", cause=f"{type(exception).__name__}: {exception}")
        response = render(request, "503.html", status=503)
        response["Retry-After"] = RETRY_SECONDS
        return response
