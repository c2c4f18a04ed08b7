"""Gigs: made, edited and put on sale here."""

from datetime import UTC
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.db import models, transaction
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from tickets.admin.gig_import import GigImport
from tickets.catalogue import FIELDS, LOCAL_TIMES
from tickets.models import Gig


class GigForm(forms.ModelForm):
    """Show and take times as they are at the collection point, by the browser's own pickers."""

    class Meta:
        model = Gig
        fields = FIELDS
        help_texts = {
            "departs_at": _("When the time machine leaves, in the time zone below."),
            "sales_start": _("In the same time zone. Empty: at once."),
            "sales_end": _("In the same time zone. Empty: until the departure."),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in LOCAL_TIMES:
            if moment := self.initial.get(name):
                # Said to be UTC, which this site's forms take what is typed for; clean() puts it right.
                self.initial[name] = moment.astimezone(ZoneInfo(self.instance.time_zone)).replace(tzinfo=UTC)

    def clean(self):
        data = super().clean()
        if "time_zone" in data:
            zone = ZoneInfo(data["time_zone"])
            data |= {name: data[name].replace(tzinfo=zone) for name in LOCAL_TIMES if data.get(name)}
        return data


@admin.register(Gig)
class GigAdmin(GigImport, admin.ModelAdmin):
    form = GigForm
    # Django's calendars and clocks have no labels, and set styles that the Content-Security-Policy refuses.
    formfield_overrides = {
        models.DateField: {"widget": forms.DateInput({"type": "date"}, "%Y-%m-%d")},
        models.DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
        },
    }
    list_display = ["gig", "sold", "capacity", "leaves", "price", "is_published"]
    list_filter = ["is_published", "departs_at"]
    search_fields = ["artist", "city", "venue", "slug"]
    prepopulated_fields = {"slug": ["artist", "city"]}
    readonly_fields = ["sold"]
    fieldsets = [
        (_("History"), {"fields": ["artist", "city", "venue", "original_date", "slug", "description"]}),
        (_("Departure"), {"fields": ["departs_at", "time_zone", "collection_point", "latitude", "longitude"]}),
        (_("Sale"), {"fields": ["price", "capacity", "sold", "is_published", "sales_start", "sales_end"]}),
    ]

    actions = ["open_sale", "close_sale"]

    def get_urls(self):
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="tickets_gig_import"), *super().get_urls()]

    @admin.display(description=_("gig"), ordering="artist")
    def gig(self, gig):
        return str(gig)

    @admin.display(description=_("departure"), ordering="departs_at")
    def leaves(self, gig):
        """Say it as the form does, in the collection point's time."""
        return date_format(gig.departure, "DATETIME_FORMAT")

    def get_list_display(self, request):
        return [*self.list_display, *(["revenue"] if request.user.has_perm("tickets.see_revenue") else [])]

    def get_changeform_initial_data(self, request):
        """Begin a new gig with what the one has that it is to be like, but for the slug, which is a gig's own."""
        initial = super().get_changeform_initial_data(request)
        like = Gig.objects.filter(pk=pk).first() if (pk := initial.pop("like", "")).isdecimal() else None
        if like is None:
            return initial
        zone = ZoneInfo(like.time_zone)
        times = {name: getattr(like, name) for name in LOCAL_TIMES}
        return {name: getattr(like, name) for name in FIELDS if name != "slug"} | {
            name: moment and moment.astimezone(zone).replace(tzinfo=UTC) for name, moment in times.items()
        }

    @admin.action(description=_("Put on sale now"), permissions=["change"])
    @transaction.atomic
    def open_sale(self, request, gigs):
        """Publish gigs and let their sale begin; an end that has passed no longer holds."""
        now = timezone.now()
        gigs = gigs.filter(departs_at__gt=now)
        self._log(request, gigs, _("Put on sale."))
        gigs.filter(sales_end__lte=now).update(sales_end=None)
        count = gigs.update(is_published=True, sales_start=None)
        self.message_user(request, _("On sale now: %(count)s. What has departed stays closed.") % {"count": count})

    @admin.action(description=_("Close the sale now"), permissions=["change"])
    @transaction.atomic
    def close_sale(self, request, gigs):
        self._log(request, gigs, _("Sale closed."))
        count = gigs.update(sales_end=timezone.now())
        self.message_user(request, _("Closed: %(count)s.") % {"count": count})

    def _log(self, request, gigs, words) -> None:
        for gig in gigs:
            self.log_change(request, gig, str(words))

    def get_readonly_fields(self, request, obj=None):
        # The slug stands in addresses and in messages under way.
        return [*self.readonly_fields, "slug"] if obj else self.readonly_fields

    def get_prepopulated_fields(self, request, obj=None):
        return {} if obj else self.prepopulated_fields

    def get_object(self, request, object_id, from_field=None):
        gig = super().get_object(request, object_id, from_field)
        if gig and request.method == "POST":
            # No sale between the check of the capacity and its saving.
            gig.refresh_from_db(from_queryset=Gig.objects.select_for_update())
        return gig

    def save_model(self, request, gig, form, change):
        # Only what was edited: saving the whole row would undo the sales since it was read.
        edited = {*form.changed_data, *(LOCAL_TIMES if "time_zone" in form.changed_data else [])}
        gig.save(update_fields=edited if change else None)
