"""What the staff may do to a ticket: each asks first, needs a permission, and leaves a line in the ticket's story."""

from collections.abc import Callable
from typing import NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils.translation import gettext_lazy as _

from tickets import aftersales, privacy
from tickets.forms import OwnerForm
from tickets.models import Ticket


class NothingForm(forms.Form):
    pass


class AddressForm(forms.Form):
    email = OwnerForm.base_fields["email"]


class Action(NamedTuple):
    name: str
    title: str
    permission: str
    form: type[forms.Form]
    run: Callable[..., bool]
    before: str  # what the confirmation tells
    after: str  # what the story tells

    def applies(self, ticket: Ticket) -> bool:
        """Tell whether the action may still succeed; run() decides."""
        return not ticket.cancelled_at and (self.name == "mail-again" or not ticket.checked_in_at)


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "mail-again",
            _("Mail again"),
            "tickets.mail_again",
            NothingForm,
            aftersales.mail_again,
            _("The same ticket goes to %(email)s once more. Its code stays as it is."),
            _("Mailed again to %(new)s."),
        ),
        Action(
            "correct",
            _("Correct the address"),
            "tickets.mail_again",
            AddressForm,
            aftersales.correct_address,
            _("The ticket goes to the new address, with a new code. The one that went to %(email)s opens no door."),
            _("Address corrected from %(old)s to %(new)s, and mailed."),
        ),
        Action(
            "move",
            _("Move to another owner"),
            "tickets.mail_again",
            OwnerForm,
            aftersales.move,
            _("The ticket goes to its new owner, with a new code. The one of %(name)s opens no door any more."),
            _("Moved from %(old)s to %(new)s, and mailed."),
        ),
        Action(
            "cancel",
            _("Cancel the ticket"),
            "tickets.refund",
            NothingForm,
            aftersales.cancel,
            _("The ticket of %(name)s opens no door any more, its seat is for sale again. This can't be taken back."),
            _("Cancelled."),
        ),
    )
}


class TicketActions:
    """Add a page for each action to the admin of tickets."""

    def get_urls(self):
        view = self.admin_site.admin_view(self.act)
        return [
            path(f"<uuid:pk>/{name}/", view, {"name": name}, f"tickets_ticket_{name}") for name in ACTIONS
        ] + super().get_urls()

    def act(self, request, pk, name):
        action = ACTIONS[name]
        if not request.user.has_perm(action.permission):
            raise PermissionDenied
        ticket = get_object_or_404(Ticket.objects.select_related("purchase__gig"), pk=pk)
        form = action.form(request.POST if request.method == "POST" else None, initial={"email": ticket.email})
        if request.method == "POST" and form.is_valid():
            old, data = privacy.mask(ticket.email), form.cleaned_data
            if action.run(ticket, **data):
                words = action.after % {"old": old, "new": privacy.mask(data.get("email", ticket.email))}
                self.log_change(request, ticket, words)
                messages.success(request, words)
            else:
                messages.error(request, _("It is too late for that: the ticket is cancelled, or its owner is in."))
            return redirect("admin:tickets_ticket_change", pk)
        page = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": action.title,
            "action": action,
            "before": action.before % {"email": ticket.email, "name": ticket.name},
            "ticket": ticket,
            "form": form,
        }
        return render(request, "admin/tickets/ticket/act.html", page, status=422 if form.errors else 200)
