import pytest
from django.db import OperationalError
from django.test import RequestFactory

from tickets.outages import DatabaseAway


@pytest.fixture
def answer(rf: RequestFactory):
    return lambda error: DatabaseAway(lambda _: None).process_exception(rf.get("/"), error)


def test_it_works(answer, logs):
    response = answer(OperationalError("connection refused"))
    assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert "nothing is bought twice" in response.content.decode()
    assert logs("event", "cause") == [("the database is away", "OperationalError: connection refused")]


def test_what_was_looked_for_can_be_tried_again_and_what_was_sent_only_by_the_browser(rf):
    away = DatabaseAway(lambda _: None)
    pages = [
        away.process_exception(request, OperationalError("connection refused")).content.decode()
        for request in (rf.get("/?q=queen"), rf.post("/?q=queen"))
    ]
    assert ['class="button" href="/?q=queen">Try again<' in page for page in pages] == [True, False]


def test_another_error_is_somebody_elses(answer):
    assert answer(ValueError("a bug")) is None
