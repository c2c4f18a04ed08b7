"""What Prometheus reads: counts and times of this process, or of all of a web server's, and facts from the database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import Error
from django.http import HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from tickets.models import Ticket

disable_created_metrics()  # A second series for each one here, which says only when its process began.

purchases = Counter("timelessmusic_purchases", "Purchases sold.")
publish_seconds = Histogram("timelessmusic_publish_seconds", "Time until SQS had taken, or failed to take, messages.")
deliveries = Counter("timelessmusic_deliveries", "Ends of deliveries: mailed, parked or put_off.", ["outcome"])
mail_seconds = Histogram("timelessmusic_mail_seconds", "Time until the mail server had taken, or not, a ticket's mail.")
purchase_to_mail_seconds = Histogram(
    "timelessmusic_purchase_to_mail_seconds",
    "Time from a ticket's sale to its mail.",
    buckets=(1, 2, 5, 10, 30, 60, 120, 300, 900, 3600),
)


class Facts:
    """Read what no process can count from the database, at each scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            places = Ticket.objects.not_mailed()
        except Error:  # What the processes have counted is worth a scrape all the same.
            yield GaugeMetricFamily("timelessmusic_database_up", "Whether the database answered.", 0)
            return
        yield GaugeMetricFamily("timelessmusic_database_up", "Whether the database answered.", 1)
        tickets = GaugeMetricFamily("timelessmusic_tickets", "Tickets short of their mail, by place.", labels=["state"])
        for place in places:
            tickets.add_metric([place.name], place.tickets)
        yield tickets
        now = timezone.now()
        ages = {place.name: max(0.0, (now - place.oldest).total_seconds()) for place in places if place.oldest}
        yield GaugeMetricFamily(
            "timelessmusic_outbox_oldest_seconds",
            "Age of the oldest sale that waits to be published; 0 if none does.",
            ages.get("unpublished", 0),
        )
        yield GaugeMetricFamily(
            "timelessmusic_unmailed_oldest_seconds",
            "Age of the oldest sale that is neither mailed nor parked; 0 if there is none.",
            max(ages.get("unpublished", 0), ages.get("on_the_way", 0)),
        )


_facts = CollectorRegistry()
_facts.register(Facts())
_counts = REGISTRY
if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # See wsgi.py: what this process counts goes into files there.
    _counts = CollectorRegistry()
    MultiProcessCollector(_counts)


def page() -> bytes:
    return generate_latest(_counts) + generate_latest(_facts)


def endpoint(get_response):
    """Answer /metrics to those who have METRICS_TOKEN; for everybody else there is no such page.

    A middleware for the same reason as health.py's: Prometheus asks by address, and mostly in plain HTTP.
    """

    def middleware(request):
        if request.path == "/metrics" and settings.METRICS_TOKEN:
            given = request.headers.get("Authorization", "")
            if constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}"):
                headers = {"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"}
                return HttpResponse(page(), headers=headers)
        return get_response(request)

    return middleware


class NotServed(Exception):
    pass


@contextmanager
def served(host: str, port: int) -> Iterator[None]:
    """Answer /metrics for a process without a web server, if there is a `port`; raise NotServed if it can't be had."""
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, host)
    except OSError as error:
        raise NotServed(f"can't show metrics at {host}:{port}: {error.strerror}") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
