"""Gigs from a file, in the browser: what would change is shown first, then made, all or nothing."""

import hashlib
from datetime import datetime
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.shortcuts import redirect, render
from django.utils.formats import localize
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tickets import catalogue
from tickets.catalogue import CatalogueError, Change, Imported
from tickets.models import Gig

MAX_BYTES = 1024 * 1024  # some 2,000 gigs: it waits in the session for the confirmation
KEY = "gigs_to_import"


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("JSON or CSV, as data/gigs.json: a gig is known by its slug, a missing column stays."),
        widget=forms.FileInput({"accept": ".json,.csv"}),
    )

    def clean_file(self):
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(_("A file of more than 1 MB is for `manage.py import_gigs`."))
        return file


class GigImport:
    """Add the page to the admin of gigs."""

    def import_view(self, request):
        if not (self.has_add_permission(request) and self.has_change_permission(request)):
            raise PermissionDenied
        if "confirmed" in request.POST:
            return self._confirm(request)
        form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
        if form.is_valid():
            name, data = form.cleaned_data["file"].name, form.cleaned_data["file"].read()
            try:
                rows = catalogue.read(name, data)
                imported = catalogue.preview(rows)
            except CatalogueError as error:
                return self._page(request, status=422, form=FileForm(), problems=error.problems)
            request.session[KEY] = rows
            return self._page(request, imported=imported, seen=_digest(imported))
        return self._page(request, status=422 if form.errors else 200, form=form)

    def _confirm(self, request):
        rows = request.session.get(KEY)
        if not rows:
            messages.error(request, _("The file is not at hand any more: choose it once more."))
            return redirect("admin:tickets_gig_import")
        try:
            with transaction.atomic():
                imported = catalogue.bring_in(rows)
                if _digest(imported) != request.POST.get("seen"):
                    # Somebody has changed a gig since: what was confirmed is not what would be done.
                    transaction.set_rollback(True)
                    return self._page(request, imported=imported, seen=_digest(imported), again=True)
                for change in imported.changes:
                    (self.log_addition if change.is_new else self.log_change)(request, change.gig, _("From a file."))
        except CatalogueError as error:
            return self._page(request, status=422, form=FileForm(), problems=error.problems)
        del request.session[KEY]
        messages.success(
            request,
            _("%(created)s created, %(changed)s changed, %(unchanged)s unchanged.") % vars(imported),
        )
        return redirect("admin:tickets_gig_changelist")

    def _page(self, request, status=200, **values):
        if imported := values.get("imported"):
            values["changes"] = [(change, _fields(change)) for change in imported.changes]
        page = {**self.admin_site.each_context(request), "opts": self.opts, "title": _("Import gigs"), **values}
        return render(request, "admin/tickets/gig/import.html", page, status=status)


def _digest(imported: Imported) -> str:
    told = [(change.gig.slug, change.is_new, change.fields) for change in imported.changes]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _fields(change: Change) -> list[tuple[str, str, str]]:
    """Give each field's label, what it says now, and what it would say, in the reader's language."""

    def said(value) -> str:
        if value in (None, ""):
            return "–"  # noqa: RUF001
        if isinstance(value, bool):
            return _("Yes") if value else _("No")
        if isinstance(value, datetime):
            value = value.astimezone(ZoneInfo(change.gig.time_zone))  # as the form shows it
        return localize(value)

    labels = {name: capfirst(Gig._meta.get_field(name).verbose_name) for name in change.fields}
    return [(labels[name], said(before), said(after)) for name, (before, after) in change.fields.items()]
