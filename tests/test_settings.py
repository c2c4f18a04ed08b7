"""A missing or nonsensical setting stops every process with one line that names it."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.management.utils import get_random_secret_key

SOUND = {
    "SECRET_KEY": f"${get_random_secret_key()}",  # A $ is part of it, not the mark of another variable's name.
    "DATABASE_URL": "sqlite:///:memory:",
    "ALLOWED_HOSTS": "shop.example",
}
DATABASE_LIKE = "DATABASE_URL must be like postgresql://user:password@host:5432/name or sqlite:///file"
EMAIL_LIKE = "EMAIL_URL must be like smtp+tls://user:password@host:587"
CACHE_LIKE = "CACHE_URL must be an address like rediss://:password@host:6379/0"
LIMITS_LIKE = "PURCHASE_LIMITS must be like 60/minute;600/hour, or empty"
ADDRESS_LIKE = "must be an address like https://shop.example.com"
ORIGINS_LIKE = "CORS_ALLOWED_ORIGINS must be origins like https://www.example.com, without a path or a slash"


def run(*command, **changes):
    """Run `command` under sound settings and `changes` (None leaves one out); return status and standard error."""
    given = {name: value for name, value in {**SOUND, **changes}.items() if value is not None}
    done = subprocess.run(
        [sys.executable, *command],
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **given},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_it_works():
    assert run("manage.py", "check") == (0, "")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("SECRET_KEY", None, "Set the SECRET_KEY environment variable"),
        (
            "SECRET_KEY",
            "short",
            "SECRET_KEY must have 50 characters or more: make one with `openssl rand -base64 48`",
        ),
        ("DEBUG", "ture", "DEBUG must be true or false"),
        ("BEHIND_PROXY", "2", "BEHIND_PROXY must be true or false"),
        ("SECURE_SSL_REDIRECT", "never", "SECURE_SSL_REDIRECT must be true or false"),
        ("CACHE_URL", "localhost", CACHE_LIKE),
        ("CACHE_URL", "memcached://host", CACHE_LIKE),
        ("CACHE_URL", "redis://host:x", CACHE_LIKE),
        ("CACHE_URL", "redis://host?color=red", "CACHE_URL has an option that there isn't, or a wrong value for one"),
        ("CACHE_URL", "redis://host?db=first", "CACHE_URL has an option that there isn't, or a wrong value for one"),
        ("PURCHASE_LIMITS", "many", LIMITS_LIKE),
        ("PURCHASE_LIMITS", "60/fortnight", LIMITS_LIKE),
        ("DATABASE_URL", None, "Set the DATABASE_URL environment variable"),
        ("DATABASE_URL", "", DATABASE_LIKE),
        ("DATABASE_URL", "shop.db", DATABASE_LIKE),
        ("DATABASE_URL", "mysql://host/shop", DATABASE_LIKE),
        ("DATABASE_URL", "postgresql://host", DATABASE_LIKE),
        ("DATABASE_URL", "postgresql://user:secret@host:x/shop", "DATABASE_URL has a port that is no number"),
        ("EMAIL_URL", "", EMAIL_LIKE),
        ("EMAIL_URL", "pigeon://host", EMAIL_LIKE),
        ("EMAIL_URL", "smtp://", EMAIL_LIKE),
        ("EMAIL_URL", "smtp://host:x", EMAIL_LIKE),
        ("DEFAULT_FROM_EMAIL", "the shop", "DEFAULT_FROM_EMAIL must be like Shop <tickets@example.com>"),
        ("REPLY_TO_EMAIL", "the shop", "REPLY_TO_EMAIL must be like Shop <help@example.com>"),
        ("SITE_URL", "shop.example.com", f"SITE_URL {ADDRESS_LIKE}"),
        ("SITE_URL", "https://", f"SITE_URL {ADDRESS_LIKE}"),
        ("SITE_URL", "https://[::1", f"SITE_URL {ADDRESS_LIKE}"),
        ("SQS_QUEUE_URL", "timelessmusic-purchase", f"SQS_QUEUE_URL {ADDRESS_LIKE}"),
        ("SQS_QUEUE_NAME", "a queue", "SQS_QUEUE_NAME must have 1 to 80 letters, digits, - and _"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be json or console"),
        (
            "METRICS_TOKEN",
            "short",
            "METRICS_TOKEN must have 16 characters or more: make one with `openssl rand -base64 24`",
        ),
        ("CORS_ALLOWED_ORIGINS", "*", ORIGINS_LIKE),
        ("CORS_ALLOWED_ORIGINS", "www.example.com", ORIGINS_LIKE),
        ("CORS_ALLOWED_ORIGINS", "https://www.example.com,https://example.com/", ORIGINS_LIKE),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(name, value, line):
    assert run("manage.py", "check", **{name: value}) == (1, f"manage.py: {line}\n")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("SECRET_KEY", "Set the SECRET_KEY environment variable"),
        ("ALLOWED_HOSTS", "Set the ALLOWED_HOSTS environment variable"),
    ],
)
def test_the_web_server_stops_with_the_same_line(name, line):
    assert run("-c", "import timelessmusic.wsgi", **{name: None}) == (1, f"timelessmusic: {line}\n")


def test_a_web_servers_collector_looks_at_nothing_that_stays():
    code = (
        "import gc, timelessmusic.wsgi; raise SystemExit(0 if gc.get_freeze_count() > 50_000 else 'all is looked at')"
    )
    assert run("-W", "ignore", "-c", code) == (
        0,
        "",
    )  # But for the warning that none are collected.


def test_origins_may_be_several_with_ports():
    code = "from django.conf import settings; raise SystemExit(' '.join(settings.CORS_ALLOWED_ORIGINS))"
    changes = {
        "CORS_ALLOWED_ORIGINS": "https://www.example.com,http://localhost:5173,http://[::1]:5173",
        "DJANGO_SETTINGS_MODULE": "timelessmusic.settings",
    }
    assert run("-c", code, **changes) == (1, "https://www.example.com http://localhost:5173 http://[::1]:5173\n")


@pytest.mark.parametrize("value", ["0", "two", "-1", ""])
def test_proxies_are_counted_behind_a_proxy(value):
    wrong = run("manage.py", "check", BEHIND_PROXY="true", PROXY_COUNT=value)
    assert wrong == (1, "manage.py: PROXY_COUNT must be a number from 1 to 9\n")
    assert run("manage.py", "check", PROXY_COUNT=value) == (0, "")


@pytest.mark.parametrize(
    ("changes", "count"), [({}, 0), ({"BEHIND_PROXY": "true"}, 1), ({"BEHIND_PROXY": "true", "PROXY_COUNT": "2"}, 2)]
)
def test_without_a_proxy_of_ours_none_is_believed(changes, count):
    code = "from django.conf import settings; raise SystemExit(str(settings.PROXY_COUNT))"
    assert run("-c", code, DJANGO_SETTINGS_MODULE="timelessmusic.settings", **changes) == (1, f"{count}\n")


@pytest.mark.parametrize("value", ["", "5/second"])
def test_limits_may_be_other_ones_or_none(value):
    assert run("manage.py", "check", PURCHASE_LIMITS=value) == (0, "")


def test_options_in_the_database_url_are_kept():
    code = "from django.conf import settings; raise SystemExit(settings.DATABASES['default']['OPTIONS']['sslmode'])"
    changes = {
        "DATABASE_URL": "postgresql://host/shop?sslmode=require",
        "DJANGO_SETTINGS_MODULE": "timelessmusic.settings",
    }
    assert run("-c", code, **changes) == (1, "require\n")


@pytest.mark.parametrize(
    ("query", "sent"), [("", True), ("?options=%20", False), ("?options=-c%20lock_timeout=1", True)]
)
def test_a_pooler_that_refuses_options_is_sent_none(query, sent):
    code = "from django.conf import settings; raise SystemExit('options' in settings.DATABASES['default']['OPTIONS'])"
    changes = {"DATABASE_URL": f"postgresql://host/shop{query}", "DJANGO_SETTINGS_MODULE": "timelessmusic.settings"}
    assert run("-c", code, **changes) == (int(sent), "")
