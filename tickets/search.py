"""Find gigs: what a visitor may ask of the list, and how a QuerySet answers it."""

import unicodedata
from urllib.parse import urlencode

from django import forms
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tickets.patterns import DECADES

# Letters that no accent can be taken off: Ø is one of its own to Unicode.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "’": "'"})  # noqa: RUF001


def fold(text: str) -> str:
    """Write a text as people type it in a hurry: small letters, no accents, so that motorhead finds Motörhead."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in apart if not unicodedata.combining(char)).translate(_PLAIN)


class Search(forms.Form):
    """Read the list's address. Nobody is told off for an address: what makes no sense in it counts as not asked."""

    ORDERS = {
        "": ["departs_at", "slug"],
        "year": ["original_date", "slug"],
        "price": ["price", "departs_at", "slug"],
        "artist": ["artist", "departs_at", "slug"],
    }

    q = forms.CharField(
        label=_("Artist, city or year"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "enterkeyhint": "search"}),
    )
    decade = forms.TypedChoiceField(
        label=_("Decade"),
        choices=[
            ("", pgettext_lazy("decade", "All")),
            *((decade, format_lazy(_("{decade}s"), decade=decade)) for decade in DECADES),
        ],
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.RadioSelect,
    )
    seats = forms.ChoiceField(
        label=_("Show"),
        choices=[("", _("All gigs")), ("left", _("With seats left")), ("soon", _("On sale soon"))],
        required=False,
    )
    sort = forms.ChoiceField(
        label=_("Sort by"),
        choices=[("", _("Departure")), ("year", _("Year of the gig")), ("price", _("Price")), ("artist", _("Artist"))],
        required=False,
    )

    def among(self, gigs):
        """Keep of `gigs` what is asked for, in the order asked for; what has departed comes last."""
        asked, now = self.asked, timezone.now()
        for word in fold(asked.get("q", "")).split():
            gigs = gigs.filter(search_text__contains=word)
        if decade := asked.get("decade"):
            # As on the posters, the first decade has what is older, too, and the last what is newer.
            if decade > min(DECADES):
                gigs = gigs.filter(original_date__year__gte=decade)
            if decade < max(DECADES):
                gigs = gigs.filter(original_date__year__lt=decade + 10)
        match asked.get("seats"):
            case "left":
                gigs = gigs.on_sale(now).filter(sold__lt=F("capacity"))
            case "soon":
                gigs = gigs.filter(sales_start__gt=now, departs_at__gt=now, sold__lt=F("capacity"))
        return gigs.annotate(departed=Q(departs_at__lte=now)).order_by("departed", *self.ORDERS[asked.get("sort", "")])

    @property
    def asked(self) -> dict[str, str | int]:
        """Give what is asked for and makes sense."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def narrows(self) -> bool:
        """Tell whether anything but the order is asked for."""
        return bool(self.asked.keys() - {"sort"})

    def address(self, page: int = 1) -> str:
        """Give the address of one page of this search, with no more in it than it takes."""
        query = urlencode(self.asked | ({"page": page} if page > 1 else {}))
        return reverse("gigs") + (f"?{query}" if query else "")
