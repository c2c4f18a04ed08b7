import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tickets.catalogue import CatalogueError, Imported, import_file
from tickets.models import Gig

pytestmark = pytest.mark.django_db
GIGS = Path(__file__).parent.parent / "data" / "gigs.json"
ROW = {
    "slug": "nirvana-cork-1991",
    "artist": "Nirvana",
    "city": "Cork",
    "venue": "Sir Henry's",
    "original_date": "1991-08-20",
    "description": "Three weeks before the world knew.",
    "departs_at": "2031-07-12T19:30",
    "time_zone": "Europe/Dublin",
    "collection_point": "South Main Street",
    "price": "120.00",
    "capacity": 100,
}


@pytest.fixture
def write(tmp_path):
    def write(rows, name="gigs.json"):
        path = tmp_path / name
        path.write_bytes(rows if isinstance(rows, bytes) else json.dumps(rows).encode())
        return path

    return write


def _problems(path):
    with pytest.raises(CatalogueError) as refused:
        import_file(path)
    return refused.value.problems


def test_it_works(write):
    assert import_file(write([ROW])) == Imported(created=1)
    gig = Gig.objects.get()
    assert (gig.slug, gig.price, gig.capacity, gig.sold) == ("nirvana-cork-1991", Decimal("120.00"), 100, 0)
    # Half past seven in Cork, where it is summer.
    assert gig.departs_at == datetime(2031, 7, 12, 18, 30, tzinfo=UTC)


def test_the_shops_own_gigs_are_twelve_and_come_in_once():
    assert import_file(GIGS) == Imported(created=12)
    assert import_file(GIGS) == Imported(unchanged=12)


def test_csv_with_a_byte_order_mark_comes_in_as_well(write):
    header, values = ",".join(ROW), ",".join(str(value) for value in ROW.values())
    assert import_file(write(f"\ufeff{header}\r\n{values}\r\n".encode(), "gigs.csv")) == Imported(created=1)


def test_a_change_is_made_and_counted(write):
    import_file(write([ROW]))
    assert import_file(write([{**ROW, "price": "130.00"}])) == Imported(changed=1)
    assert Gig.objects.get().price == Decimal("130.00")


def test_a_column_that_the_file_lacks_keeps_its_value(write):
    import_file(write([ROW]))
    assert import_file(write([{"slug": ROW["slug"], "capacity": 90}])) == Imported(changed=1)
    gig = Gig.objects.get()
    assert (gig.capacity, gig.artist, gig.departs_at) == (90, "Nirvana", datetime(2031, 7, 12, 18, 30, tzinfo=UTC))


def test_a_capacity_below_what_is_sold_is_refused(write):
    import_file(write([ROW]))
    Gig.objects.update(sold=50)
    assert _problems(write([{**ROW, "capacity": 49}])) == ["gig 1, capacity: 50 are sold already: 49 is too few."]
    assert Gig.objects.get().capacity == 100


def test_one_bad_row_keeps_all_out_and_every_problem_is_named(write):
    bad = {**ROW, "slug": "other", "original_date": "August", "price": "-1"}
    assert _problems(write([ROW, bad])) == [
        "gig 2, original_date: Enter a valid date.",
        "gig 2, price: Ensure this value is greater than or equal to 0.",
    ]
    assert Gig.objects.count() == 0


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (b"{", "gigs.json", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"[" * 100_000, "gigs.json", "not JSON: nested too deep"),
        (b"{}", "gigs.json", "not a list of gigs: expected [{…}, {…}]"),
        (b'[{"slug": "a", "colour": "red"}]', "gigs.json", "gig 1: unknown column 'colour'"),
        (b'[{"slug": ["a"]}]', "gigs.json", "gig 1: slug: a text, a number, true, false or null was expected"),
        (b'[{"artist": "Nirvana"}]', "gigs.json", "gig 1: slug: a gig can't do without"),
        (b"slug,artist\na,b,c\n", "gigs.csv", "line 2: unknown column a value without a column"),
        (b'slug\n"a\n', "gigs.csv", "after line 1: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_catalogue_says_why(write, content, name, problem):
    assert _problems(write(content, name)) == [problem]


@pytest.mark.parametrize("slug", ["\0", "\ud800", "no slug"])
def test_what_is_no_slug_is_named(write, slug):
    [problem] = [problem for problem in _problems(write([ROW | {"slug": slug}])) if "valid" in problem]
    assert problem.startswith("gig 1, slug: Enter a valid “slug”")


@pytest.mark.parametrize("column", ["departs_at", "sales_start", "sales_end"])
@pytest.mark.parametrize("time", ["9999-12-31T23:59-12:00", "0001-01-01T00:00+12:00"])
def test_a_time_that_is_out_of_range_elsewhere_is_refused(write, column, time):
    [problem] = _problems(write([ROW | {column: time}]))
    assert problem == f"gig 1, {column}: Enter a year from 1900 to 9998."


def test_files_that_cant_be_read_say_why(write, tmp_path):
    assert _problems(tmp_path / "none.json") == [f"{tmp_path}/none.json: No such file or directory"]
    latin = write("Zoë".encode("latin-1"), "latin.json")
    assert _problems(latin) == [f"{latin}: not UTF-8 at byte 2: save it as UTF-8"]
    empty = write([], "empty.json")
    assert _problems(empty) == [f"{empty}: there is no gig in it"]
    text = write(b"", "gigs.txt")
    assert _problems(text) == [f"{text}: the name must end in .json or .csv"]


def test_the_same_slug_twice_is_refused(write):
    assert _problems(write([ROW, ROW])) == ["gig 2, slug: nirvana-cork-1991 stands in gig 1 already"]


def test_the_command_counts(write):
    out = StringIO()
    call_command("import_gigs", write([ROW]), stdout=out)
    assert out.getvalue() == "1 created, 0 changed, 0 unchanged\n"


def test_the_command_names_what_is_wrong(write):
    with pytest.raises(CommandError) as refused:
        call_command("import_gigs", write([{**ROW, "time_zone": "Cork"}]))
    assert str(refused.value) == (
        "nothing was imported:\ngig 1, time_zone: Cork is no time zone: use a name like Europe/London."
    )
