"""Let the dashboard know who works on the queue and what they wait for: a row for each worker."""

import os
import socket
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import structlog
from django.db import DatabaseError, models
from django.db.models import F
from django.db.models.functions import Now

from tickets import privacy
from tickets.outages import DatabaseDown

log = structlog.get_logger(__name__)

TELL_SECONDS = 5  # between two writes, at least
SILENT = timedelta(seconds=90)  # A worker tells after each poll and each batch; who doesn't for so long is gone.
FORGOTTEN = timedelta(hours=1)  # Until then a worker that went without a word is shown, for somebody should ask why.


class Presence(models.Model):
    """Say of a worker that it is there, and what it lacks."""

    name = models.CharField(max_length=100, unique=True, help_text="host:pid, or the name of an AWS Lambda function.")
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    trouble = models.CharField(max_length=200, blank=True, help_text="What it waits for: the mail server, say.")
    mailed = models.PositiveBigIntegerField(default=0)
    parked = models.PositiveBigIntegerField(default=0)
    put_off = models.PositiveBigIntegerField(default=0)
    published = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-seen_at"]
        verbose_name_plural = "presences"
        default_permissions = []

    def __str__(self):
        return self.name


class Teller:
    """Write a worker's row, now and then. It must never cost the worker more than an UPDATE, nor ever fail it."""

    def __init__(self, name: str = ""):
        self._name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._told_at = -TELL_SECONDS
        self._trouble = ""
        self._mute = False  # while the database is away: to try would cost seconds that a stop doesn't have
        self._counts = Counter()

    def tell(self, counts: Mapping[str, int] | None = None, trouble: Exception | None = None) -> None:
        """Add to what this worker has mailed, parked, put off and published; say what it waits for, if anything."""
        self._counts.update(counts or {})
        words = privacy.mask(f"{type(trouble).__name__}: {trouble}")[:200] if trouble else ""
        due = time.monotonic() - self._told_at >= TELL_SECONDS or words != self._trouble
        self._mute = isinstance(trouble, DatabaseDown)
        if self._mute or not due:
            return
        self._told_at, self._trouble = time.monotonic(), words
        try:
            told = {name: F(name) + count for name, count in self._counts.items()}
            if not Presence.objects.filter(name=self._name).update(seen_at=Now(), trouble=words, **told):
                Presence.objects.filter(seen_at__lt=Now() - FORGOTTEN).delete()
                Presence.objects.create(name=self._name, trouble=words, **self._counts)
            self._counts.clear()
        except DatabaseError as error:
            log.warning("the dashboard doesn't hear of this worker", cause=str(error))

    def leave(self) -> None:
        """Take the row away: who ends in good order is missed by nobody."""
        if self._mute:
            return
        try:
            Presence.objects.filter(name=self._name).delete()
        except DatabaseError as error:
            log.warning("the dashboard doesn't hear that this worker has ended", cause=str(error))
