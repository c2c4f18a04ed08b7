"""The figures of the box office's first screen, in a fixed number of statements, however many tickets there are.

None of them reads a million rows. Seats and revenue of all time are counted with each sale (Gig.sold, Gig.revenue),
hours that are over were counted before (takings.py); what is on its way comes from the small indexes of the outbox and
the ledger, the times of mails from the last thousand. Mailed is what is left of the seats sold, for a ticket is in one
place only.
"""

import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from tickets import presence, provisioning, takings
from tickets.health import Check
from tickets.models import Gig, Ticket
from tickets.takings import Takings

DAYS = 7
MAILS = 1000  # the latest, from which the times are told
GIGS = 24  # the next to depart

# In a thread and for a second at most: SQS may hang, and this page is needed most when it does.
queue_check = Check("queue's depth", provisioning.describe)


@dataclass(frozen=True)
class Sales:
    name: str
    tickets: int
    revenue: Decimal
    seats: int

    @property
    def occupancy(self) -> float:
        return 100 * self.tickets / self.seats if self.seats else 0.0


@dataclass(frozen=True)
class Day:
    date: datetime
    takings: Takings


@dataclass(frozen=True)
class Chart:
    days: list[Day]
    path: str  # of an SVG as many units wide as there are hours, and 100 high
    most: int  # purchases in the best hour: the top of the chart

    @property
    def hours(self) -> int:
        return 24 * len(self.days)


@dataclass(frozen=True)
class Box:
    """Be a station on the way of a purchase; without a count where the queue doesn't say."""

    name: str
    count: int | None
    words: str
    state: str = ""  # tickets in it are listed by this
    bad: bool = False


@dataclass(frozen=True)
class Figure:
    name: str
    seconds: float | None

    @property
    def late(self) -> bool:
        return self.seconds is not None and self.seconds > settings.MAIL_OBJECTIVE_SECONDS


@dataclass(frozen=True)
class Part:
    """Be one of what the shop stands on: well, not well, or (None) unknown."""

    name: str
    well: bool | None
    words: str


def board() -> dict:
    """Gather what the first screen shows."""
    answer = queue_check.begin()  # SQS and the database are asked side by side.
    started, now = time.perf_counter(), timezone.now()
    days, path, most = _last_days(now)
    gigs = list(Gig.objects.filter(departs_at__gt=now)[:GIGS])
    total = Gig.objects.aggregate(
        sold=Sum("sold", default=0), capacity=Sum("capacity", default=0), revenue=Sum("revenue", default=Decimal(0))
    )
    places = {place.name: place for place in Ticket.objects.not_mailed()}
    waits = sorted(
        wait.total_seconds()
        for wait in Ticket.objects.filter(mailed_at__isnull=False)
        .order_by("-mailed_at")
        .values_list(F("mailed_at") - F("mail_asked_at"), flat=True)[:MAILS]
    )
    workers = list(presence.Presence.objects.all())
    milliseconds = 1000 * (time.perf_counter() - started)
    words = answer()
    depth = queue_check.found if words == "ok" else None
    oldest = min((places[name].oldest for name in ("unpublished", "on_the_way") if places[name].oldest), default=None)
    return {
        "now": now,
        "sales": [
            _sales(_("Today"), days[-1:], total["capacity"]),
            _sales(_("Last 7 days"), days, total["capacity"]),
            Sales(_("All time"), total["sold"], total["revenue"], total["capacity"]),
        ],
        "chart": Chart(days, path, most),
        "gigs": gigs,
        "boxes": _boxes(places, total["sold"], depth),
        "figures": [
            *(Figure(f"p{percent}", _percentile(waits, percent)) for percent in (50, 95, 99)),
            Figure(_("oldest not mailed"), (now - oldest).total_seconds() if oldest else None),
        ],
        "mails": len(waits),
        "objective": settings.MAIL_OBJECTIVE_SECONDS,
        "parts": [
            _queue(words),
            *_workers(workers, now),
            Part(_("Database"), True, _("answered in %(ms).0f ms") % {"ms": milliseconds}),
        ],
    }


def _last_days(now: datetime) -> tuple[list[Day], str, int]:
    start = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    hours = takings.by_hour(start, now)
    days = [Day(start + timedelta(days=day), sum(hours[24 * day : 24 * (day + 1)], Takings())) for day in range(DAYS)]
    most = max(hour.purchases for hour in hours)
    steps = "".join(f"V{100 - 100 * hour.purchases / (most or 1):.1f}h1" for hour in hours)
    return days, f"M0 100{steps}V100Z", most


def _sales(name: str, days: list[Day], seats: int) -> Sales:
    sold = sum((day.takings for day in days), Takings())
    return Sales(name, sold.tickets, sold.revenue, seats)


def _boxes(places: dict, sold: int, depth: provisioning.Description | None) -> list[Box]:
    unpublished, on_the_way, parked = (places[name].tickets for name in ("unpublished", "on_the_way", "parked"))
    in_dlq = depth.dead_letters.depth if depth and depth.dead_letters else None
    return [
        Box(_("to publish"), unpublished, _("sold, not in the queue yet"), Ticket.State.UNPUBLISHED),
        Box(_("waiting"), depth and depth.waiting + depth.delayed, _("in the queue"), Ticket.State.ON_THE_WAY),
        Box(_("in flight"), depth and depth.in_flight, _("in a worker's hands"), Ticket.State.ON_THE_WAY),
        Box(_("mailed"), max(0, sold - unpublished - on_the_way - parked), _("with their owners"), Ticket.State.MAILED),
        Box(
            _("parked"),
            parked,
            _("%(count)s messages in the DLQ") % {"count": "?" if in_dlq is None else in_dlq},
            bad=bool(parked or in_dlq),
        ),
    ]


def _percentile(waits: list[float], percent: int) -> float | None:
    """Give the time within which so many per cent were mailed (the nearest rank), from times in order."""
    return waits[math.ceil(len(waits) * percent / 100) - 1] if waits else None


def _queue(words: str) -> Part:
    if words == "ok":
        return Part(_("Queue"), True, _("answers"))
    return Part(_("Queue"), False, _("%(words)s; sales go on, mails wait") % {"words": words})


def _workers(workers: list[presence.Presence], now: datetime) -> list[Part]:
    """Say of the workers, and of the mail server by their word, for the web never speaks to it."""
    at_work = [worker for worker in workers if now - worker.seen_at < presence.SILENT]
    if not at_work:
        last = (
            _("the last was heard of %(seconds).0f s ago") % {"seconds": (now - workers[0].seen_at).total_seconds()}
            if workers
            else _("none was heard of within the hour")
        )
        words = _("%(last)s: start one by `manage.py queue work`") % {"last": last}
        return [Part(_("Worker"), False, words), Part(_("Mail server"), None, _("nobody at work to ask it"))]
    seen = _("%(count)s at work, last heartbeat %(seconds).0f s ago") % {
        "count": len(at_work),
        "seconds": max(0.0, (now - at_work[0].seen_at).total_seconds()),
    }
    held = next((worker.trouble for worker in at_work if worker.trouble), "")
    mail = next((word for worker in at_work if (word := worker.trouble).startswith(("MailServerDown", "HungUp"))), "")
    return [
        Part(_("Worker"), not held, _("%(seen)s; waits: %(held)s") % {"seen": seen, "held": held} if held else seen),
        Part(_("Mail server"), not mail, mail or _("takes mails, so the worker says")),
    ]
