"""Purchases and tickets: made by sales alone, read here, taken away as a file."""

import structlog
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.urls import path
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from tickets import exports, story
from tickets.admin.actions import ACTIONS, TicketActions
from tickets.models import Purchase, Ticket

log = structlog.get_logger(__name__)


class ReadOnly:
    """Show rows that only a sale may make, change or remove."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class Exported:
    """Give the rows that a list shows, all pages of them, as a file."""

    columns: list[str] = []
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False  # Counting a million rows takes longer than showing fifty.
    list_per_page = 50

    def get_urls(self):
        name = f"tickets_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(self.export)
        return [path(f"{format}/", view, {"format": format}, f"{name}_{format}") for format in exports.FORMATS] + (
            super().get_urls()
        )

    def changelist_view(self, request, extra_context=None):
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title} | (extra_context or {}))

    def export(self, request, format):
        if not request.user.has_perm("tickets.export"):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).get_queryset(request).values_list(*self.columns)
        except IncorrectLookupParameters as error:
            raise BadRequest("the address asks for what no list has") from error
        name = f"{self.opts.model_name}s-{timezone.now():%Y-%m-%d}"
        heading = [column.rpartition("purchase__")[2].replace("__", " ").replace("_", " ") for column in self.columns]
        log.info("taken away as a file", file=f"{name}.{format}", user=request.user.pk)
        return exports.FORMATS[format](name, heading, rows.iterator(2000))


@admin.display(description=_("gig"))
def gig(ticket):
    return str(ticket.gig)


@admin.display(description=_("state"))
def state(ticket):
    return ticket.state.label


class TicketInline(ReadOnly, admin.TabularInline):
    model = Ticket
    fields = readonly_fields = ["id", "name", "email", "price", state, "mailed_at", "parked_at", "parked_cause"]
    show_change_link = True


@admin.register(Purchase)
class PurchaseAdmin(ReadOnly, Exported, admin.ModelAdmin):
    list_display = ["id", "gig", "created_at"]
    list_filter = ["created_at", "gig"]
    list_select_related = ["gig"]
    search_fields = ["id"]  # Makes Django show the field; story.find() does the search.
    search_help_text = _("Its number, a ticket's, an e-mail address, a trace id, a message id, or a part of a name.")
    fields = readonly_fields = ["id", "gig", "created_at", "trace"]
    inlines = [TicketInline]
    columns = ["id", "created_at", "gig__slug", "language", "trace"]

    def get_search_results(self, request, queryset, search_term):
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=story.find(Ticket.objects.order_by(), search_term).values("purchase")), False


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
        return [(state, state.label) for state in Ticket.State]

    def queryset(self, request, queryset):
        return getattr(queryset, self.sets[self.value()])() if self.value() in self.sets else queryset


@admin.register(Ticket)
class TicketAdmin(ReadOnly, TicketActions, Exported, admin.ModelAdmin):
    list_display = ["number", state, "name", "email", gig, "sold"]
    list_filter = [StateFilter, "created_at", "purchase__gig"]
    list_select_related = ["purchase__gig"]
    search_fields = ["id"]  # Makes Django show the field; story.find() does the search.
    search_help_text = _("An e-mail address, the code or the number, a trace id, a message id, or a part of a name.")
    fields = readonly_fields = ["id"]  # The page is a story, not a form.
    columns = [
        *("id", "purchase__gig__slug", "name", "email", "price", "created_at", "published_at", "mailed_at"),
        *("parked_at", "parked_cause", "cancelled_at", "checked_in_at", "purchase__id", "purchase__trace"),
    ]

    @admin.display(description=_("ticket"), ordering="id")
    def number(self, ticket):
        """Show no code that opens the door: many have this list on their screen."""
        return ticket.short_code.rpartition("-")[0]

    @admin.display(description=_("sold"), ordering="created_at")
    def sold(self, ticket):
        return ticket.created_at

    def get_search_results(self, request, queryset, search_term):
        return (story.find(queryset, search_term) if search_term.strip() else queryset), False

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("purchase__gig", "checked_in_by")

    def change_view(self, request, object_id, form_url="", extra_context=None):
        ticket = self.get_object(request, object_id)
        page = {}
        if ticket:
            page = {
                "title": ticket.name,
                "subtitle": None,
                "code": ticket.short_code,
                "story": story.story(ticket),
                "others": Ticket.objects.filter(purchase=ticket.purchase).exclude(pk=ticket.pk),
                "actions": [a for a in ACTIONS.values() if request.user.has_perm(a.permission) and a.applies(ticket)],
            }
        return super().change_view(request, object_id, form_url, page | (extra_context or {}))
