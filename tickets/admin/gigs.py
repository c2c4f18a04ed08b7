"""Gigs: made, edited and put on sale here."""

from datetime import UTC
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.db import models
from django.utils.translation import gettext_lazy as _

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
class GigAdmin(admin.ModelAdmin):
    form = GigForm
    # Django's calendars and clocks have no labels, and set styles that the Content-Security-Policy refuses.
    formfield_overrides = {
        models.DateField: {"widget": forms.DateInput({"type": "date"}, "%Y-%m-%d")},
        models.DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput({"type": "datetime-local"}, "%Y-%m-%dT%H:%M"),
        },
    }
    list_display = ["artist", "city", "original_date", "departs_at", "price", "sold", "capacity", "is_published"]
    list_filter = ["is_published", "departs_at"]
    search_fields = ["artist", "city", "venue", "slug"]
    prepopulated_fields = {"slug": ["artist", "city"]}
    readonly_fields = ["sold"]
    fieldsets = [
        (_("History"), {"fields": ["artist", "city", "venue", "original_date", "slug", "description"]}),
        (_("Departure"), {"fields": ["departs_at", "time_zone", "collection_point", "latitude", "longitude"]}),
        (_("Sale"), {"fields": ["price", "capacity", "sold", "is_published", "sales_start", "sales_end"]}),
    ]

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
