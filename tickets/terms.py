"""What a ticket includes, and what becomes of it if its owner can't go: on a gig's page and on the printed ticket."""

from django.utils.translation import gettext_lazy as _

INCLUDED = (
    _("A seat of your own in the time machine, there and back."),
    _("Admission: you are inside before the doors open, and stay to the last song."),
    _("A guide who knows the way, the year and what a drink costs in it."),
    _("Home the same night."),
)
NOT_INCLUDED = _(
    "Not included: food and drink, money of the time, and anything to wear. "
    "Keep your phone in your pocket once you are there."
)
REFUNDS = (
    _(
        "Until 24 hours before departure: answer the mail that brought the ticket. We cancel it and give back the full "
        "price."
    ),
    _(
        "Until it leaves: somebody else can go. Answer the mail with their name and e-mail address; they get a ticket, "
        "and yours is void."
    ),
    _("After that the seat has gone, and so has the money."),
    _("If we can't leave, everybody gets everything back, without asking."),
)
