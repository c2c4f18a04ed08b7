"""The organiser's pages. Gigs are edited here; purchases and tickets are made by sales alone, and read here."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from tickets.models import Gig, Purchase, Ticket

admin.site.site_header = admin.site.site_title = "TimelessMusic"
admin.site.index_title = _("Box office")


class ReadOnly:
    """Show rows that only a sale may make, change or remove."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Gig)
class GigAdmin(admin.ModelAdmin):
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
        gig.save(update_fields=form.changed_data if change else None)


class TicketInline(ReadOnly, admin.TabularInline):
    model = Ticket
    fields = readonly_fields = ["id", "name", "email", "price", "state", "mailed_at", "parked_at", "parked_cause"]
    show_change_link = True


@admin.register(Purchase)
class PurchaseAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["id", "gig", "created_at"]
    list_filter = ["created_at", "gig"]
    list_select_related = ["gig"]
    search_fields = ["=id", "=trace", "tickets__name", "tickets__email", "=tickets__id"]
    fields = readonly_fields = ["id", "gig", "created_at", "trace"]
    inlines = [TicketInline]


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"
    sets = {
        Ticket.State.UNPUBLISHED: "unpublished",
        Ticket.State.ON_THE_WAY: "on_the_way",
        Ticket.State.MAILED: "mailed",
        Ticket.State.PARKED: "parked",
        Ticket.State.CANCELLED: "cancelled",
    }

    def lookups(self, request, model_admin):
        return Ticket.State.choices

    def queryset(self, request, queryset):
        return getattr(queryset, self.sets[self.value()])() if self.value() in self.sets else queryset


@admin.register(Ticket)
class TicketAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["id", "name", "email", "gig", "state", "created_at", "mailed_at"]
    list_filter = [StateFilter, "created_at", "purchase__gig"]
    list_select_related = ["purchase__gig"]
    search_fields = ["=id", "name", "email", "=message_id", "=purchase__trace"]
    fields = readonly_fields = [
        "id",
        "purchase",
        "name",
        "email",
        "price",
        "state",
        "created_at",
        "published_at",
        "message_id",
        "mailed_at",
        "parked_at",
        "parked_cause",
        "trace",
    ]

    @admin.display(description=_("trace id"))
    def trace(self, ticket):
        return ticket.purchase.trace
