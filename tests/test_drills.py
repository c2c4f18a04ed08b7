"""A drill, for real: processes, servers, a worker that is killed. And one whose end is not as it should be."""

import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from rehearsal import drills


def _drill(name) -> list[str]:
    out = StringIO()
    call_command("drill", name, stdout=out)
    return out.getvalue().splitlines()


def test_a_worker_is_killed_and_nothing_is_lost():
    told = _drill("worker-killed")
    assert next(line for line in told if "killed" in line).endswith("the worker is killed, just before a mail")
    assert told[-2:] == ["         3 tickets, one mail each.", "The drill is over: all of it held."]


def test_a_mail_too_many_does_not_pass(monkeypatch):
    def mailed_twice(stage):
        """Somebody has the same mail twice."""
        stage.shop.worker()
        stage.shop.smtp.sink.after_mail = stage.shop.smtp.sink.mails.append
        stage.buy("ada")
        stage.mailed()

    monkeypatch.setitem(drills.DRILLS, "mailed-twice", mailed_twice)
    words = r"this did not hold: not one mail each: \['ada@example.com', 'ada@example.com'\]"
    with pytest.raises(CommandError, match=words) as error:
        _drill("mailed-twice")
    assert error.value.returncode == 1


def test_a_drill_that_there_is_not():
    with pytest.raises(CommandError, match="there is no drill 'flood', only sqs-away, mail-server-away, ") as error:
        _drill("flood")
    assert error.value.returncode == 2


def test_in_the_image_it_says_what_is_missing(monkeypatch):
    monkeypatch.delitem(sys.modules, "rehearsal.drills")
    monkeypatch.setitem(sys.modules, "rehearsal", None)
    with pytest.raises(CommandError, match="rehearsal is missing: a drill is for a developer's machine") as error:
        _drill("sqs-away")
    assert error.value.returncode == 2
