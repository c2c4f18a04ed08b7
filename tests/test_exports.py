import csv
import io
import zipfile
from xml.etree import ElementTree

import pytest

from tickets import exports
from tickets.models import Ticket
from tickets.purchases import Owner, buy

pytestmark = pytest.mark.django_db
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def sold(gig):
    return buy(gig, [Owner("Ada Lovelace", "ada@example.com"), Owner('=HYPERLINK("x")', "eve@example.com")], "token")


def _csv(answer):
    text = b"".join(answer.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:])))


def _xlsx(answer, sheet=1):
    """Read the cells; a formula among them would be an element f."""
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as book:
        tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))  # noqa: S314 - our own
    assert list(tree.iter(f"{MAIN}f")) == []
    return [["".join(cell.itertext()) for cell in row] for row in tree.iter(f"{MAIN}row")]


def test_tickets_as_csv(admin_client, sold):
    answer = admin_client.get("/admin/tickets/ticket/csv/")
    assert (answer["Content-Type"], answer.streaming) == ("text/csv; charset=utf-8", True)
    assert answer["Content-Disposition"].startswith('attachment; filename="tickets-')
    rows = {row["email"]: row for row in _csv(answer)}
    ada = rows["ada@example.com"]
    assert (ada["name"], ada["gig slug"], ada["price"]) == ("Ada Lovelace", "nirvana-cork-1991", "120.00")
    assert rows["eve@example.com"]["name"] == '\'=HYPERLINK("x")'


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_nothing_is_run_as_a_formula(start):
    answer = exports.as_csv("x", ["a"], [(f"{start}1+1",), ("1+1",), (None,)])
    assert [row["a"] for row in _csv(answer)] == [f"'{start}1+1", "1+1", ""]


def test_tickets_as_xlsx(admin_client, sold):
    rows = _xlsx(admin_client.get("/admin/tickets/ticket/xlsx/"))
    assert rows[0][:4] == ["id", "gig slug", "name", "email"]
    assert sorted(row[2] for row in rows[1:]) == ['=HYPERLINK("x")', "Ada Lovelace"]


def test_more_rows_than_a_sheet_holds_go_to_the_next(monkeypatch):
    monkeypatch.setattr(exports, "ROWS_A_SHEET", 2)
    answer = exports.as_xlsx("x", ["a"], [("1",), ("2",), ("3",)])
    content = b"".join(answer.streaming_content)

    class Again:
        streaming_content = [content]

    assert (_xlsx(Again), _xlsx(Again, 2)) == ([["a"], ["1"], ["2"]], [["a"], ["3"]])


def test_without_rows_there_is_a_heading(admin_client, db):
    assert len(_xlsx(admin_client.get("/admin/tickets/purchase/xlsx/"))) == 1
    assert _csv(admin_client.get("/admin/tickets/purchase/csv/")) == []


def test_what_the_list_shows_is_what_is_taken_away(admin_client, sold):
    assert [row["email"] for row in _csv(admin_client.get("/admin/tickets/ticket/csv/", {"q": "lovelace"}))] == [
        "ada@example.com"
    ]
    assert _csv(admin_client.get("/admin/tickets/ticket/csv/", {"state": Ticket.State.MAILED.value})) == []


@pytest.mark.parametrize("query", ["created_at__gte=nonsense", "nonsense=1"])
def test_an_address_that_no_list_has_is_a_bad_request(admin_client, sold, query):
    assert admin_client.get(f"/admin/tickets/ticket/csv/?{query}").status_code == 400


def test_purchases_as_csv(admin_client, sold):
    [row] = _csv(admin_client.get("/admin/tickets/purchase/csv/"))
    assert (row["id"], row["gig slug"]) == (str(sold.purchase.pk), "nirvana-cork-1991")


def test_the_log_says_who_took_what_away(admin_client, admin_user, sold, logs):
    file = admin_client.get("/admin/tickets/ticket/csv/")["Content-Disposition"].split('"')[1]
    assert logs("file", "user", event="taken away as a file") == [(file, admin_user.pk)]


@pytest.mark.parametrize("role", ["support", "door"])
def test_support_takes_nothing_away(sign_in_as, sold, role):
    assert sign_in_as(role).get("/admin/tickets/ticket/csv/").status_code == 403
