import re
from importlib.metadata import version

import pytest
from django.conf import settings

LINES = [
    line
    for name in ("requirements.txt", "requirements-dev.txt")
    for line in (settings.BASE_DIR / name).read_text().splitlines()
    if line and not line.startswith(("#", "-"))
]


@pytest.mark.parametrize("package", ["Django", "boto3", "django-environ", "pytest-django", "moto"])
def test_the_packages_at_the_core_are_named(package):
    assert [line for line in LINES if re.match(rf"{package}(\[.+\])?==", line)] != []


@pytest.mark.parametrize("line", LINES)
def test_what_is_pinned_is_what_runs(line):
    name, _, pinned = re.sub(r"\[.+\]", "", line).partition("==")
    assert version(name) == pinned


def test_django_is_the_long_term_release():
    assert version("Django").startswith("5.2.")
