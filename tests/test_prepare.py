import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command

from tickets.models import Gig

GIGS = settings.BASE_DIR / "data" / "gigs.json"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _password(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-password-of-our-own")


@pytest.mark.smoke
def test_it_works(capsys):
    call_command("prepare", GIGS)
    assert Gig.objects.count() == len(json.loads(GIGS.read_text()))
    assert User.objects.get(username="admin").check_password("a-password-of-our-own")
    assert User.objects.get().is_superuser


def test_a_second_run_leaves_everything_as_the_organiser_left_it(monkeypatch, capsys):
    call_command("prepare", GIGS)
    Gig.objects.order_by("pk").exclude(pk=Gig.objects.first().pk).delete()
    Gig.objects.update(capacity=7)
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "another")
    call_command("prepare", GIGS)
    assert list(Gig.objects.values_list("capacity", flat=True)) == [7]
    assert User.objects.get(username="admin").check_password("a-password-of-our-own")


def test_a_database_that_is_away_is_one_line():
    done = subprocess.run(
        [sys.executable, "manage.py", "prepare", GIGS],
        env={**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/shop"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "CommandError: The database can't be reached, check DATABASE_URL: connection failed: "
        'connection to server at "127.0.0.1", port 1 failed: Connection refused\n',
    )
