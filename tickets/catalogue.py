"""Bring gigs in from a file: JSON or CSV, keyed by slug, all or nothing."""

import csv
import io
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import slug_re
from django.db import transaction
from django.utils.translation import gettext as _

from tickets.models import Gig, validate_time_zone

MAX_BYTES = 10 * 1024 * 1024
FIELDS = [
    "slug",
    "artist",
    "city",
    "venue",
    "original_date",
    "description",
    "departs_at",
    "time_zone",
    "collection_point",
    "latitude",
    "longitude",
    "price",
    "capacity",
    "is_published",
    "sales_start",
    "sales_end",
]
LOCAL_TIMES = ["departs_at", "sales_start", "sales_end"]


class CatalogueError(Exception):
    """List what is wrong with a file, a line each; nothing of it was brought in."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Change:
    """Say what becomes of a gig: of each field what it was (None in a new gig) and what it is then."""

    gig: Gig
    is_new: bool
    fields: dict[str, tuple[object, object]]


@dataclass(frozen=True)
class Imported:
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    changes: list[Change] = field(default_factory=list, compare=False)


class GigForm(forms.ModelForm):
    """Check a row by the model's own rules; times without an offset are the collection point's."""

    class Meta:
        model = Gig
        fields = FIELDS


def import_file(path: Path) -> Imported:
    """Bring the gigs of a .json or .csv file in; raise CatalogueError, with every problem, if there is any."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CatalogueError([f"{path}: {error.strerror}"]) from error
    return bring_in(read(str(path), data))


def preview(rows: list[tuple[str, dict]]) -> Imported:
    """Say what bring_in() would do, by doing it and taking it back."""
    with transaction.atomic():
        imported = bring_in(rows)
        transaction.set_rollback(True)
    return imported


def bring_in(rows: list[tuple[str, dict]]) -> Imported:
    """Make and change the gigs of a file's rows, all or none; raise CatalogueError, with every problem."""
    problems, seen = [], {}
    changes: list[Change] = []
    with transaction.atomic():
        # What is no slug is the form's to name: PostgreSQL takes no NUL, and no half of a surrogate pair.
        slugs = [row["slug"] for _place, row in rows if slug_re.fullmatch(str(row["slug"]))]
        # Locked, so that no sale comes between the look at what is sold and the new capacity.
        known = Gig.objects.select_for_update().in_bulk(slugs, field_name="slug")
        for place, row in rows:
            slug = row["slug"]
            if slug in seen:
                words = _("%(place)s, slug: %(slug)s stands in %(other)s already")
                problems.append(words % {"place": place, "slug": slug, "other": seen[slug]})
                continue
            seen[slug] = place
            form = _form(row, known.get(slug))
            if not form.is_valid():
                problems += [f"{place}, {column}: {' '.join(errors)}" for column, errors in form.errors.items()]
                continue
            is_new = not form.instance.pk
            before = {} if is_new else form.initial
            fields = {
                name: (before.get(name), form.cleaned_data[name])
                for name in form.changed_data
                if before.get(name) != form.cleaned_data[name]
            }
            if fields:
                gig = form.save(commit=False)
                gig.save(update_fields=None if is_new else fields)
                changes.append(Change(gig, is_new, fields))
        if problems:
            raise CatalogueError(problems)
    created = sum(change.is_new for change in changes)
    return Imported(created, len(changes) - created, len(rows) - len(changes), changes)


def read(name: str, data: bytes) -> list[tuple[str, dict[str, str]]]:
    """Read a file's rows, each with its place for people; raise CatalogueError where that can't be done."""
    if len(data) > MAX_BYTES:
        raise CatalogueError([_("%(name)s: more than a catalogue has (10 MB)") % {"name": name}])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        words = _("%(name)s: not UTF-8 at byte %(byte)s: save it as UTF-8")
        raise CatalogueError([words % {"name": name, "byte": error.start}]) from error
    match Path(name).suffix.lower():
        case ".json":
            rows = _read_json(text)
        case ".csv":
            rows = _read_csv(text)
        case _:
            raise CatalogueError([_("%(name)s: the name must end in .json or .csv") % {"name": name}])
    problems = [f"{place}: {problem}" for place, row in rows for problem in _misfits(row)]
    if problems:
        raise CatalogueError(problems)
    if not rows:
        raise CatalogueError([_("%(name)s: there is no gig in it") % {"name": name}])
    return rows


def _read_json(text: str) -> list[tuple[str, dict]]:
    try:
        entries = json.loads(text)
    except RecursionError as error:
        raise CatalogueError([_("not JSON: nested too deep")]) from error
    except ValueError as error:
        raise CatalogueError([_("not JSON: %(error)s") % {"error": error}]) from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CatalogueError([_("not a list of gigs: expected [{…}, {…}]")])
    return [(_("gig %(number)s") % {"number": number}, entry) for number, entry in enumerate(entries, start=1)]


def _read_csv(text: str) -> list[tuple[str, dict]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey="")
    try:
        return [(_("line %(number)s") % {"number": reader.line_num}, row) for row in reader]
    except csv.Error as error:
        words = _("after line %(number)s: %(error)s")
        raise CatalogueError([words % {"number": reader.line_num, "error": error}]) from error


def _misfits(row: dict) -> list[str]:
    unknown = [repr(column) if column else _("a value without a column") for column in row if column not in FIELDS]
    wrong = [
        _("%(column)s: a text, a number, true, false or null was expected") % {"column": column}
        for column, value in row.items()
        if column in FIELDS and not isinstance(value, str | int | float | bool | None)
    ]
    missing = [] if row.get("slug") else [_("slug: a gig can't do without")]
    return [_("unknown column %(column)s") % {"column": column} for column in unknown] + wrong + missing


def _form(row: dict, gig: Gig | None) -> GigForm:
    """Lay a row over what the gig has: a column that the file lacks keeps its value."""
    gig = gig or Gig()
    initial = forms.model_to_dict(gig, FIELDS)
    data = {name: value for name, value in (initial | row).items() if value not in (None, "")}
    zone = str(data.get("time_zone", "UTC"))
    for name in LOCAL_TIMES:
        if name in data:
            data[name] = _with_zone(data[name], zone)
    return GigForm(data, instance=gig, initial=initial)


def _with_zone(value: object, zone: str) -> object:
    """Read a time that names no offset in the zone; leave what is no time to the form, which says so."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        validate_time_zone(zone)
    except (ValueError, forms.ValidationError):
        return value
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
