"""A ticket enters once, and every refusal has its reason."""

import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.urls import reverse

from rehearsal.shop import eventually
from tickets import aftersales, checkin, codes
from tickets.checkin import Verdict
from tickets.ledger import TicketQuerySet
from tickets.models import Ticket
from tickets.purchases import Owner, buy

ADA = Owner("Ada Lovelace", "ada@example.com")


@pytest.fixture
def person(db):
    user = User.objects.create_user("north", password="a long password of ours", is_staff=True)
    user.groups.add(Group.objects.get(name="door"))
    return user


@pytest.fixture
def ticket(gig):
    return buy(gig, [ADA], "token").tickets[0]


@pytest.fixture
def scan(gig, person):
    """Scan a text at a door; the scan is another one each time unless told otherwise."""

    def scan(text, door="North", gig=gig, number=None):
        answer = checkin.check_in(text, gig, door, person, number or uuid.uuid4())
        return answer.verdict, answer.words

    return scan


def test_it_works(scan, ticket, person, gig):
    assert scan(ticket.code) == (Verdict.WELCOME, "Welcome")
    ticket.refresh_from_db()
    assert (ticket.checked_in_by, ticket.checked_in_door, checkin.inside(gig)) == (person, "North", 1)


def test_the_second_time_it_says_since_when_and_by_which_door(scan, ticket, gig):
    scan(ticket.code)
    ticket.refresh_from_db()
    time = ticket.checked_in_at.astimezone(gig.departure.tzinfo)
    assert scan(ticket.code, door="South") == (Verdict.ALREADY, f"In since {time:%H:%M:%S}. Door: North")
    assert checkin.inside(gig) == 1


def test_the_same_scan_sent_again_has_the_same_answer(scan, ticket):
    number = uuid.uuid4()
    assert [scan(ticket.code, number=number)[0] for _ in range(3)] == [Verdict.WELCOME] * 3
    assert scan(ticket.code)[0] == Verdict.ALREADY


@pytest.mark.parametrize("typed", [str.upper, str.lower, lambda code: code.replace("-", " "), lambda code: f" {code} "])
def test_the_short_code_typed(scan, ticket, typed):
    assert scan(typed(ticket.short_code)) == (Verdict.WELCOME, "Welcome")


def test_the_address_of_the_tickets_page(scan, ticket):
    assert scan(f"https://shop.example.com{ticket.get_absolute_url()}") == (Verdict.WELCOME, "Welcome")


@pytest.mark.parametrize(
    "change", [lambda code: code[:-1] + ("A" if code[-1] != "A" else "B"), lambda _: "x", lambda _: ""]
)
def test_a_forged_code_is_refused_without_the_database(scan, ticket, change, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert scan(change(ticket.code)) == (Verdict.REFUSED, "This is no code of ours.")


def test_a_code_of_ours_without_a_ticket(scan):
    for code in (codes.sign(uuid.uuid4(), 1), codes.short(uuid.uuid4(), 1)):
        assert scan(code) == (Verdict.REFUSED, "There is no such ticket.")


def test_a_ticket_of_another_gig(scan, ticket, make_gig):
    other = make_gig(artist="Queen", city="London")
    elsewhere = buy(other, [ADA], "other").tickets[0]
    for code in (elsewhere.code, elsewhere.short_code):
        verdict, words = scan(code)
        assert (verdict, words[:47]) == (Verdict.REFUSED, "This ticket is for another gig: Queen, London 1")
    assert checkin.inside(other) == 0


def test_a_cancelled_ticket(scan, ticket):
    aftersales.cancel(ticket)
    assert scan(ticket.code) == (Verdict.REFUSED, "This ticket was cancelled.")


@pytest.mark.parametrize("code", ["code", "short_code"])
def test_the_first_owners_code_after_a_move(scan, ticket, sqs, code):
    aftersales.move(ticket, "Grace Hopper", "grace@example.com")
    words = "This code went to an earlier owner or address. The valid one was mailed to Grace Hopper."
    assert scan(getattr(ticket, code)) == (Verdict.REFUSED, words)
    ticket.refresh_from_db()
    assert scan(getattr(ticket, code)) == (Verdict.WELCOME, "Welcome")


def test_a_short_code_whose_last_characters_are_another_tickets_or_missing(scan, ticket):
    """What anybody can guess who knows the first ones."""
    wrong = f"{int(ticket.short_code[-4:], 16) ^ 1:04X}"
    assert scan(ticket.short_code[:-4] + wrong) == (Verdict.REFUSED, "There is no such ticket.")
    words = "The code's last four characters are missing: type them, too."
    assert scan(ticket.short_code[:14]) == (Verdict.REFUSED, words)


def test_of_two_tickets_with_the_same_number_the_one_that_was_meant(scan, ticket, gig):
    twin = Ticket.objects.get(pk=ticket.pk)
    twin.pk = uuid.UUID(int=ticket.pk.int ^ 1)
    twin.save(force_insert=True)
    assert ticket.short_code[:14] == twin.short_code[:14]
    for each in (ticket, twin):
        assert scan(each.short_code) == (Verdict.WELCOME, "Welcome")
        each.refresh_from_db()
        assert (each.checked_in_at is not None, checkin.inside(gig)) == (True, 1 if each is ticket else 2)


def test_who_is_undone_can_enter_again_and_it_is_on_record_why(scan, ticket, gig, person):
    scan(ticket.code)
    assert checkin.undo(ticket.pk, gig, person, "went to the wrong door") == ticket
    assert checkin.undo(ticket.pk, gig, person, "once more") is None
    assert (checkin.inside(gig), scan(ticket.code)[0]) == (0, Verdict.WELCOME)
    [entry] = LogEntry.objects.all()
    assert (entry.user, entry.object_id, entry.change_message) == (
        person,
        str(ticket.pk),
        "Check-in undone: went to the wrong door",
    )


def test_who_is_undone_while_another_door_scans_enters_there(scan, ticket, gig, person):
    """Between the statement that finds the ticket in and the one that reads since when."""
    scan(ticket.code)
    undone = []

    def undo(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        if sql.startswith("UPDATE") and not undone:
            undone.append(True)
            assert checkin.undo(ticket.pk, gig, person, "went to the wrong door")
        return answer

    with connection.execute_wrapper(undo):
        assert scan(ticket.code, door="South") == (Verdict.WELCOME, "Welcome")
    ticket.refresh_from_db()
    assert (undone, ticket.checked_in_door) == ([True], "South")


def test_nothing_is_undone_by_the_door_of_another_gig(scan, ticket, make_gig, person):
    scan(ticket.code)
    assert checkin.undo(ticket.pk, make_gig(), person, "why not") is None


# --- two doors at the same instant ------------------------------------------------------------------


on_postgres = pytest.mark.skipif("connection.vendor == 'sqlite'", reason="threads share SQLite's memory database")
DOORS = 6


def _at_once(ticket, person):
    barrier = threading.Barrier(DOORS)

    def one(i):
        barrier.wait()
        try:
            return checkin.check_in(ticket.code, ticket.gig, f"Door {i}", person, uuid.uuid4()).verdict
        finally:
            connection.close()

    with ThreadPoolExecutor(DOORS) as pool:
        return sorted(pool.map(one, range(DOORS)))


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_of_doors_that_scan_at_the_same_instant_one_lets_in(ticket, person):
    assert _at_once(ticket, person) == [Verdict.ALREADY] * (DOORS - 1) + [Verdict.WELCOME]


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_without_the_guard_all_of_them_would(ticket, person, monkeypatch):
    filter_ = TicketQuerySet.filter

    def unguarded(self, *args, **conditions):
        conditions.pop("checked_in_at", None)
        return filter_(self, *args, **conditions)

    monkeypatch.setattr(TicketQuerySet, "filter", unguarded)
    assert _at_once(ticket, person) == [Verdict.WELCOME] * DOORS


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_door_that_waits_for_another_sees_that_it_came_second(ticket, person, scan):
    """The second UPDATE has found the row while it was free, and waits: what it then does is decided anew."""

    def second():
        try:
            return scan(ticket.code, door="South")[0]
        finally:
            connection.close()

    def waits():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return cursor.fetchone()[0]

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert scan(ticket.code)[0] == Verdict.WELCOME
            other = pool.submit(second)
            eventually(waits)
        assert other.result() == Verdict.ALREADY
    assert Ticket.objects.get().checked_in_door == "North"


# --- the pages --------------------------------------------------------------------------------------


@pytest.fixture
def at_the_door(client, person, ticket):
    client.force_login(person)
    client.post("/door/", {"gig": ticket.gig.slug, "door": "North"})
    return client


def test_a_stranger_is_asked_to_sign_in(client, gig):
    answer = client.get(reverse("door", args=[gig.slug]))
    assert (answer.status_code, answer.url) == (302, f"/admin/login/?next=/door/{gig.slug}/")


def test_staff_without_the_permission_is_refused(client, gig):
    client.force_login(User.objects.create_user("organiser", is_staff=True))
    assert client.get("/door/").status_code == 403
    assert client.post(f"/door/{gig.slug}/undo/").status_code == 403


def test_the_door_is_chosen_first_and_remembered(client, person, ticket):
    client.force_login(person)
    slug = ticket.gig.slug
    assert client.get(f"/door/{slug}/").url == "/door/"
    assert client.post("/door/", {"gig": slug, "door": ""}).status_code == 422
    assert client.post("/door/", {"gig": slug, "door": "North"}).url == f"/door/{slug}/"
    assert client.get("/door/").context["form"].initial == {"door": "North"}


def test_what_is_wrong_with_the_choice_is_said_beside_it(client, person, ticket):
    client.force_login(person)
    page = client.post("/door/", {"gig": "sold-out-and-gone", "door": " "}).content.decode()
    for field, words in (("gig", "Choose the gig again."), ("door", "Say at which door you stand.")):
        assert f'<ul class="errorlist" id="id_{field}_error"><li>{words}</li></ul>' in page
        assert re.search(f'name="{field}"[^>]* aria-describedby="[^"]*id_{field}_error"', page)


def test_from_the_choice_there_is_a_way_to_the_box_office_for_whoever_has_something_to_see_there(client, person):
    client.force_login(person)
    assert 'href="/admin/"' not in client.get("/door/").content.decode()
    person.groups.add(Group.objects.get(name="organiser"))
    assert '<a href="/admin/">Box office</a>' in client.get("/door/").content.decode()


def test_a_code_is_answered_and_counted(at_the_door, ticket):
    form = {"code": ticket.code, "scan": str(uuid.uuid4())}
    page = at_the_door.post(f"/door/{ticket.gig.slug}/", form).content.decode()
    assert ('data-verdict="welcome"' in page, "Ada Lovelace" in page, "<b>1</b> of 1 in" in page) == (True, True, True)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ('8052-7D99-4CE1-17A"><b>', "8052-7D99-4CE1-17A&quot;&gt;&lt;b&gt;"),
        ("x" * 40, "x" * 40),
        ("x" * 41, ""),  # Nobody types that: it was scanned.
    ],
)
def test_a_code_that_is_refused_stays_to_be_compared_and_mended(at_the_door, ticket, code, shown):
    form = {"code": code, "scan": str(uuid.uuid4())}
    page = at_the_door.post(f"/door/{ticket.gig.slug}/", form).content.decode()
    assert re.search(r'data-verdict="(\w+)"', page)[1] == "refused"
    assert re.search(r'name="code" value="([^"]*)"', page)[1] == shown
    assert re.findall(r'<p class="door-code">(.*)</p>', page) == ([shown] if shown else [])


def test_of_a_code_that_is_answered_nothing_stays(at_the_door, ticket):
    for verdict in ("welcome", "already"):
        form = {"code": ticket.short_code, "scan": str(uuid.uuid4())}
        page = at_the_door.post(f"/door/{ticket.gig.slug}/", form).content.decode()
        assert re.search(r'data-verdict="(\w+)"', page)[1] == verdict
        assert 'name="code" value=""' in page


def test_a_look_costs_the_same_however_many_are_in(at_the_door, ticket, scan, django_assert_num_queries):
    for other in [ticket, *buy(ticket.gig, [ADA] * 3, "more").tickets]:
        scan(other.code)
        with django_assert_num_queries(6):  # session, user, permissions of both kinds, gig, count
            at_the_door.get(f"/door/{ticket.gig.slug}/")


def test_who_was_signed_out_before_undoing_comes_back_to_the_door(at_the_door, ticket):
    address = f"/door/{ticket.gig.slug}/"
    assert at_the_door.get(f"{address}undo/")["Location"] == address


def test_undo_needs_a_reason_and_says_whose_check_in_it_was(at_the_door, ticket, scan):
    scan(ticket.code)
    address = f"/door/{ticket.gig.slug}/undo/"
    for reason, status, words in (
        (" ", 422, ("Not undone yet", "Say why: it stands in the ticket's story.")),
        ("a slip", 200, ("Check-in undone", "Ada Lovelace can enter again.")),
        ("a slip", 422, ("Nothing to undo", "This check-in has been undone already.")),
    ):
        answer = at_the_door.post(address, {"ticket": str(ticket.pk), "reason": reason})
        page = answer.content.decode()
        found = re.search(r'<h1 class="door-title">(.*)</h1>\s*<p class="lead">(.*)</p>', page).groups()
        assert (answer.status_code, found) == (status, words)
        # It can be said there and then.
        assert (f'name="ticket" value="{ticket.pk}"' in page) == (reason == " ")


def test_the_camera_is_for_this_page_alone(at_the_door, ticket):
    door, choice = at_the_door.get(f"/door/{ticket.gig.slug}/"), at_the_door.get("/door/")
    assert "camera=(self)" in door["Permissions-Policy"]
    assert "camera=()" in choice["Permissions-Policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in door["Content-Security-Policy"] + ";"
    assert "wasm" not in choice["Content-Security-Policy"]
