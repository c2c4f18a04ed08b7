"""Purchases and tickets: made by sales alone, and read here."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from tickets.models import Purchase, Ticket


class ReadOnly:
    """Show rows that only a sale may make, change or remove."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


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
