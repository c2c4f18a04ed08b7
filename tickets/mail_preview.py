"""Show staff the mail of a ticket as its owner sees it, in each language."""

from base64 import b64encode

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp, csp_update
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from tickets.emails import TicketEmail, ticket_email
from tickets.models import Ticket

for_staff = permission_required("tickets.view_ticket", raise_exception=True)


@require_safe
@never_cache
@for_staff
@csp_update({"frame-src": SELF})
def page(request, pk):
    """Show the headers, the mail itself in a frame, its text, and what is attached."""
    ticket, mail, language = _mail(request, pk)
    context = {
        "ticket": ticket,
        "mail": mail,
        "from": settings.DEFAULT_FROM_EMAIL,
        "language": language,
        "languages": settings.LANGUAGES,
        "opts": Ticket._meta,
        "title": str(ticket.gig),
    }
    return render(request, "admin/mail_preview.html", admin.site.each_context(request) | context)


@require_safe
@never_cache
@for_staff
@xframe_options_sameorigin
# The mail's own styles and picture, and nothing else: no script, no form, nothing from elsewhere.
@csp({"default-src": NONE, "style-src": UNSAFE_INLINE, "img-src": "data:", "frame-ancestors": SELF, "base-uri": NONE})
def html(request, pk):
    _, mail, _ = _mail(request, pk)
    picture = mail.attachments[0]
    # Outside of a mail there are no cid: addresses.
    cid = f"cid:{picture['Content-ID'].strip('<>')}"
    data = f"data:image/png;base64,{b64encode(picture.get_payload(decode=True)).decode()}"
    return HttpResponse(mail.alternatives[0].content.replace(cid, data))


@require_safe
@never_cache
@for_staff
def pdf(request, pk):
    _, mail, _ = _mail(request, pk)
    return HttpResponse(mail.attachments[-1].content, content_type="application/pdf")


def _mail(request, pk) -> tuple[Ticket, TicketEmail, str]:
    """Render the mail, in the language of the address or of the buyer, with a code that lets nobody in."""
    ticket = get_object_or_404(Ticket.objects.select_related("purchase__gig"), pk=pk)
    ticket.edition = 0  # No ticket's: whoever looks at a mail here doesn't take the ticket along.
    language = request.GET.get("language", "")
    if language in dict(settings.LANGUAGES):
        ticket.purchase.language = language
    return ticket, ticket_email(ticket), ticket.purchase.language
