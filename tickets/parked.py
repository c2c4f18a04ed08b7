"""The page of what was parked: the messages in the DLQ, and the tickets whose mail never could be.

Each deed is tried dry first: the page says what would be done, and does it when asked once more.
"""

from collections.abc import Iterable
from uuid import UUID

import structlog
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tickets import dashboard, deadletters, privacy, purchases
from tickets.deadletters import Letter
from tickets.models import Ticket
from tickets.queue import QueueError

log = structlog.get_logger(__name__)

SHOWN = 100
AT_ONCE = 1000  # a request's time has an end; what is left is still there afterwards

# What each deed's page asks.
DEEDS = {
    "redrive": gettext_lazy("Redrive"),
    "drop": gettext_lazy("Drop for ever"),
    "publish": gettext_lazy("Publish again"),
}


def page(request, site):
    if not request.user.has_perm("tickets.view_ticket"):
        raise PermissionDenied
    if request.method == "POST":
        if not request.user.has_perm("tickets.redrive"):
            raise PermissionDenied
        return _do(request, site)
    full = "full" in request.GET and request.user.has_perm("tickets.redrive")
    if full:
        log.info("parked messages shown in full", user=request.user.pk)
    letters, trouble = _browse(SHOWN)
    tickets = Ticket.objects.parked().order_by("-parked_at").select_related("purchase__gig")[:SHOWN]
    shown = [(letter, letter.body if full else letter.masked, _hide(letter.cause, full)) for letter in letters]
    return _render(
        request,
        site,
        "admin/parked.html",
        title=_("Parked"),
        letters=shown,
        tickets=[(ticket, _hide(ticket.parked_cause, full)) for ticket in tickets],
        trouble=trouble,
        full=full,
        shown=SHOWN,
    )


def _hide(cause: str, full: bool) -> str:
    return cause if full else privacy.mask(cause)


def _browse(limit: int, select: deadletters.Select = deadletters.everything) -> tuple[list[Letter], str]:
    """Look into the DLQ, unless the queue doesn't answer within a second; return its letters, or what is wrong."""
    words = dashboard.queue_check.begin()()
    if words != "ok":
        return [], words
    try:
        return deadletters.browse(limit, select), ""
    except QueueError as error:
        return [], str(error)


def _do(request, site):
    deed, ids = request.POST.get("deed"), request.POST.getlist("id")
    if deed not in DEEDS or not (ids or "all" in request.POST):
        messages.error(request, _("Nothing was chosen, so nothing was done."))
        return redirect("admin:parked")
    reason = request.POST.get("reason", "").strip()
    confirmed = "confirmed" in request.POST and (reason or deed != "drop")
    if deed == "publish":
        tickets = Ticket.objects.parked().order_by("parked_at")
        tickets = tickets if "all" in request.POST else tickets.filter(pk__in=filter(_is_uuid, ids))
        if confirmed:
            return _publish(request, tickets[:AT_ONCE])
        would = [(ticket.name, privacy.mask(ticket.parked_cause)) for ticket in tickets[:AT_ONCE]]
        return _ask(request, site, deed, ids, would)
    select = deadletters.everything if "all" in request.POST else deadletters.by_id(*ids)
    if confirmed:
        return {"redrive": _redrive, "drop": _drop}[deed](request, select, reason)
    letters, trouble = _browse(AT_ONCE, select)
    if trouble:
        messages.error(request, trouble)
        return redirect("admin:parked")
    return _ask(request, site, deed, ids, [(letter.masked, privacy.mask(letter.cause)) for letter in letters])


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _ask(request, site, deed: str, ids: list[str], would: list[tuple[str, str]]):
    return _render(
        request,
        site,
        "admin/parked_ask.html",
        title=DEEDS[deed],
        deed=deed,
        ids=ids,
        everything="all" in request.POST,
        would=would,
        without_reason=deed == "drop" and "confirmed" in request.POST,
    )


def _redrive(request, select: deadletters.Select, _reason: str):
    sent = stayed = 0
    try:
        for letter, answer in deadletters.redrive(select, AT_ONCE):
            if isinstance(answer, QueueError):
                stayed += 1
                continue
            sent += 1
            _note(request, letter, _("Redriven as message %(id)s.") % {"id": answer})
    except QueueError as error:
        messages.error(request, str(error))
    (messages.warning if stayed else messages.success)(
        request, _("Redriven: %(sent)s. Still parked: %(stayed)s.") % {"sent": sent, "stayed": stayed}
    )
    return redirect("admin:parked")


def _drop(request, select: deadletters.Select, reason: str):
    try:
        dropped = deadletters.drop(select, reason)
    except QueueError as error:
        messages.error(request, str(error))
        return redirect("admin:parked")
    for letter in dropped:
        _note(request, letter, _("Its message was dropped: %(reason)s") % {"reason": reason})
    messages.success(request, _("Dropped: %(count)s.") % {"count": len(dropped)})
    return redirect("admin:parked")


def _publish(request, tickets: Iterable[Ticket]):
    tickets = list(tickets)
    count = purchases.publish_again(tickets)
    for ticket in tickets:
        _log(request, str(ticket.pk), str(ticket), _("To be published again."))
    messages.success(request, _("To be published again: %(count)s. A worker does it.") % {"count": count})
    return redirect("admin:parked")


def _note(request, letter: Letter, words: str) -> None:
    ticket_id = letter.ticket_id
    _log(request, str(ticket_id or letter.id), str(ticket_id or f"message {letter.id}"), words)


def _log(request, object_id: str, name: str, words: str) -> None:
    """Leave a line in the ticket's story; what was no ticket's has one among what its doer did last."""
    LogEntry.objects.create(
        user=request.user,
        content_type=ContentType.objects.get_for_model(Ticket),
        object_id=object_id,
        object_repr=name,
        action_flag=CHANGE,
        change_message=words,
    )


def _render(request, site, template: str, **values):
    return render(request, template, {**site.each_context(request), **values})
