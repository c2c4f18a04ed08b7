"""Gig, Purchase and Ticket: a row's rule is a method here, a set's rule a QuerySet method."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Upper
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from tickets import codes, trace
from tickets.ledger import ON_THE_WAY, PARKED, UNPUBLISHED, TicketQuerySet
from tickets.presence import Presence  # noqa: F401  # Django looks for models here.
from tickets.search import fold

# The request that sold a ticket publishes it; the relay keeps away for as long as that can take
# (two attempts of 1 s to connect and 2 s to read, see queue.py) and a margin.
PUBLISH_LEASE = timedelta(seconds=15)


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(_("%(name)s is no time zone: use a name like Europe/London."), params={"name": name})


class GigQuerySet(models.QuerySet):
    def published(self):
        return self.filter(is_published=True)

    def on_sale(self, now: datetime | None = None):
        """Keep the gigs that can be bought at `now`, seats aside."""
        now = now or timezone.now()
        return self.published().filter(
            Q(sales_start=None) | Q(sales_start__lte=now),
            Q(sales_end=None) | Q(sales_end__gt=now),
            departs_at__gt=now,
        )

    def reserve(self, seats: int) -> int:
        """Take seats where they are left, at the price of now; return the number of gigs that had them.

        One UPDATE tests and takes: whoever comes second waits for the row and sees the new count.
        """
        return self.filter(sold__lte=F("capacity") - seats).update(
            sold=F("sold") + seats, revenue=F("revenue") + F("price") * seats
        )

    def release(self, price: Decimal) -> int:
        """Free the seat of a ticket that was sold for `price`."""
        return self.update(sold=F("sold") - 1, revenue=F("revenue") - price)


class Gig(models.Model):
    class Status(models.TextChoices):
        ON_SALE = "on sale", _("on sale")
        SOLD_OUT = "sold out", _("sold out")
        NOT_YET = "not on sale yet", _("not on sale yet")
        CLOSED = "sale closed", _("sale closed")
        DEPARTED = "departed", _("departed")
        UNPUBLISHED = "unpublished", _("unpublished")

    slug = models.SlugField(
        _("slug"), unique=True, max_length=80, help_text=_("Stands in addresses and messages: don't change it.")
    )
    artist = models.CharField(_("artist"), max_length=100)
    city = models.CharField(_("city"), max_length=100)
    venue = models.CharField(_("venue"), max_length=150)
    original_date = models.DateField(_("original date"), help_text=_("The day history was made."))
    description = models.TextField(_("description"))
    departs_at = models.DateTimeField(_("departure"), help_text="When the time machine leaves.")
    time_zone = models.CharField(_("time zone"), max_length=50, default="UTC", validators=[validate_time_zone])
    collection_point = models.CharField(
        _("collection point"), max_length=200, help_text=_("Where the time machine leaves.")
    )
    latitude = models.DecimalField(_("latitude"), max_digits=8, decimal_places=5, null=True, blank=True)
    longitude = models.DecimalField(_("longitude"), max_digits=8, decimal_places=5, null=True, blank=True)
    price = models.DecimalField(_("price (USD)"), max_digits=8, decimal_places=2, validators=[MinValueValidator(0)])
    capacity = models.PositiveIntegerField(_("capacity"))
    # Counted with each sale and cancellation, so that nobody ever has to add up the tickets.
    sold = models.PositiveIntegerField(_("sold"), default=0, editable=False)
    revenue = models.DecimalField(_("revenue (USD)"), max_digits=12, decimal_places=2, default=0, editable=False)
    is_published = models.BooleanField(_("published"), default=True)
    sales_start = models.DateTimeField(_("sales start"), null=True, blank=True)
    sales_end = models.DateTimeField(_("sales end"), null=True, blank=True)
    search_text = models.TextField(editable=False, help_text="Artist, venue, city and year, as people type them.")

    objects = GigQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("gig"), _("gigs")
        ordering = ["departs_at", "slug"]
        indexes = [models.Index(fields=["departs_at", "slug"], name="gig_departure")]
        constraints = [
            # Stands behind reserve(): no code path, present or future, oversells.
            models.CheckConstraint(condition=Q(sold__lte=F("capacity")), name="gig_never_oversold"),
            models.CheckConstraint(
                condition=Q(price__gte=0),
                name="gig_price_not_negative",
                violation_error_message="A price can't be negative.",
            ),
        ]

    def __str__(self):
        return f"{self.artist}, {self.city} {self.year}"

    def save(self, *args, update_fields=None, **options):
        self.search_text = fold(f"{self.artist} {self.venue} {self.city} {self.year}")
        if update_fields is not None:
            update_fields = {*update_fields, "search_text"}
        super().save(*args, update_fields=update_fields, **options)

    def get_absolute_url(self):
        return reverse("gig", args=[self.slug])

    def clean(self):
        if self.capacity is not None and self.capacity < self.sold:
            words = _("%(sold)s are sold already: %(capacity)s is too few.")
            raise ValidationError({"capacity": words % {"sold": self.sold, "capacity": self.capacity}})
        for name in ("departs_at", "sales_start", "sales_end"):
            # What is the last or the first day there is has none in another time zone, and no page could say it.
            if (moment := getattr(self, name)) and not 1900 <= moment.year <= 9998:
                raise ValidationError({name: _("Enter a year from 1900 to 9998.")})

    @property
    def year(self) -> int:
        return self.original_date.year

    @property
    def departure(self) -> datetime:
        """Give the departure in the collection point's own time."""
        return self.departs_at.astimezone(ZoneInfo(self.time_zone))

    @property
    def available(self) -> int:
        return self.capacity - self.sold

    def status(self, now: datetime | None = None) -> Status:
        now = now or timezone.now()
        if not self.is_published:
            return self.Status.UNPUBLISHED
        if self.departs_at <= now:
            return self.Status.DEPARTED
        if self.sales_end and self.sales_end <= now:
            return self.Status.CLOSED
        if self.available <= 0:
            return self.Status.SOLD_OUT
        if self.sales_start and self.sales_start > now:
            return self.Status.NOT_YET
        return self.Status.ON_SALE


class Purchase(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    gig = models.ForeignKey(Gig, models.PROTECT, related_name="purchases", verbose_name=_("gig"))
    token = models.CharField(
        max_length=80, unique=True, help_text="The submission that made it; a second one finds it."
    )
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was submitted, card aside.")
    trace = models.CharField(_("trace id"), max_length=32, default=trace.current)
    language = models.CharField(max_length=10, default=get_language, help_text="The buyer's, and so the mails'.")
    created_at = models.DateTimeField(_("created at"), default=timezone.now, db_index=True)

    class Meta:
        verbose_name, verbose_name_plural = _("purchase"), _("purchases")
        ordering = ["-created_at"]
        # Not by db_index, which would make a second one, for LIKE.
        indexes = [models.Index(fields=["trace"], name="purchase_trace")]

    def __str__(self):
        return str(self.id)

    def get_absolute_url(self):
        return reverse("purchase", args=[self.id])

    @property
    def progress(self) -> str:
        """Say where the tickets are and at which mailing, so that two such texts differ if anything has changed."""
        return "-".join(f"{ticket.mailing}{ticket.edition}{ticket.state.name}" for ticket in self.tickets.all())

    @property
    def is_settled(self) -> bool:
        """Tell whether every ticket has come to its end: mailed, parked or cancelled."""
        return all(ticket.mailed_at or ticket.parked_at or ticket.cancelled_at for ticket in self.tickets.all())


class Ticket(models.Model):
    class State(models.TextChoices):
        UNPUBLISHED = "to publish", pgettext_lazy("one ticket", "to publish")
        ON_THE_WAY = "on its way", pgettext_lazy("one ticket", "on its way")
        MAILED = "mailed", pgettext_lazy("one ticket", "mailed")
        PARKED = "parked", pgettext_lazy("one ticket", "parked")
        CANCELLED = "cancelled", pgettext_lazy("one ticket", "cancelled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="tickets")
    name = models.CharField(_("ticket owner"), max_length=100)
    email = models.EmailField(_("e-mail"), max_length=254)
    price = models.DecimalField(_("price (USD)"), max_digits=8, decimal_places=2)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    # The outbox: without `published_at` the ticket will be published, not before `publish_due_at`.
    publish_due_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    message_id = models.CharField(max_length=100, blank=True)
    # The delivery ledger: pending, claimed until the lease runs out, then mailed or parked.
    claim = models.UUIDField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(_("mailed at"), null=True, blank=True)
    parked_at = models.DateTimeField(_("parked at"), null=True, blank=True)
    parked_cause = models.TextField(_("parked cause"), blank=True)
    received = models.PositiveIntegerField("times received", default=0, help_text="How often a worker took it on.")
    # After the sale, see aftersales.py.
    mailing = models.PositiveSmallIntegerField(default=1, help_text="Which mail: 2 if it was asked for once more.")
    mail_asked_at = models.DateTimeField(
        default=timezone.now, help_text="When that mail was due: at the sale, or later."
    )
    edition = models.PositiveSmallIntegerField(default=1, help_text="The code's; with a new one the old is void.")
    readdressed_at = models.DateTimeField(null=True, blank=True, help_text="When the buyer corrected the address.")
    moved_at = models.DateTimeField(null=True, blank=True, help_text="When it became another owner's, not the buyer's.")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    # At the door.
    checked_in_at = models.DateTimeField(null=True, blank=True)
    checked_in_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    checked_in_door = models.CharField("door", max_length=50, blank=True)
    checked_in_scan = models.UUIDField(null=True, blank=True, help_text="Which scan: if it is sent twice, it's one.")

    objects = TicketQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("ticket"), _("tickets")
        ordering = ["-created_at"]
        indexes = [
            # Both stay small however many tickets there are: only what still has a way to go is in them.
            models.Index(
                fields=["publish_due_at"],
                condition=UNPUBLISHED,
                name="ticket_to_publish",
            ),
            models.Index(
                fields=["published_at"],
                condition=ON_THE_WAY,
                name="ticket_on_the_way",
            ),
            models.Index(fields=["parked_at"], condition=PARKED, name="ticket_parked"),
            models.Index(fields=["claim"], condition=Q(claim__isnull=False), name="ticket_claim"),
            # What the dashboard asks of a million tickets is answered by an index alone, or by its last thousand rows.
            models.Index(fields=["created_at"], include=["price"], name="ticket_sold"),
            models.Index(fields=["created_at"], condition=Q(cancelled_at__isnull=False), name="ticket_cancelled"),
            models.Index(
                fields=["-mailed_at"],
                include=["mail_asked_at"],
                condition=Q(mailed_at__isnull=False),
                name="ticket_mailed",
            ),
            # What a ticket is looked for by. Not by db_index, which would make a second one each, for LIKE.
            models.Index(Upper("email"), name="ticket_email"),
            models.Index(fields=["message_id"], condition=Q(message_id__gt=""), name="ticket_message"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(mailed_at=None) | Q(parked_at=None), name="ticket_mailed_or_parked_not_both"
            ),
        ]
        # Beyond Django's add, change, delete and view; roles.py says who has them.
        permissions = [
            ("mail_again", "Can mail a ticket again, correct its address, or move it to another owner"),
            ("refund", "Can cancel a ticket, which frees its seat"),
            ("see_revenue", "Can see what was earned"),
            ("export", "Can take purchases and tickets away as a file"),
            ("redrive", "Can redrive parked messages, or drop them"),
            ("check_in", "Can check tickets in at the door"),
        ]

    def __str__(self):
        return str(self.id)

    def get_absolute_url(self):
        return reverse("ticket", args=[self.code])

    @property
    def code(self) -> str:
        """Give the text of its QR, which is the key to its page as well; a later edition has another."""
        return codes.sign(self.pk, self.edition)

    @property
    def short_code(self) -> str:
        return codes.short(self.pk, self.edition)

    @property
    def gig(self) -> Gig:
        return self.purchase.gig

    @property
    def may_be_readdressed(self) -> bool:
        """Tell whether the buyer may still correct its address, see aftersales.correct_own_address()."""
        return not (self.readdressed_at or self.moved_at or self.cancelled_at or self.checked_in_at)

    @property
    def state(self) -> State:
        if self.cancelled_at:
            return self.State.CANCELLED
        if self.mailed_at:
            return self.State.MAILED
        if self.parked_at:
            return self.State.PARKED
        return self.State.ON_THE_WAY if self.published_at else self.State.UNPUBLISHED

    def park(self, cause: str) -> bool:
        """Record that no mail can succeed, and why; return whether the claim was still ours."""
        return bool(
            Ticket.objects.held([self]).update(parked_at=Now(), parked_cause=cause, claim=None, claimed_until=None)
        )
