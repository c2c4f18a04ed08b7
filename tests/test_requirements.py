"""What is installed is what the requirements name, to the version, and nothing else."""

import re
import sys
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from django.conf import settings
from packaging.requirements import Requirement

FILES = ("requirements.txt", "requirements-dev.txt", "constraints.txt")


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.skipif(not (Path(sys.prefix) / "installed").exists(), reason="only the .venv of bin/test is ours")
def test_every_installed_package_is_pinned():
    lines = "\n".join((settings.BASE_DIR / name).read_text() for name in FILES)
    named = [Requirement(line) for line in re.findall(r"^[\w.-]+(?:\[.+\])?==[^#\n]+", lines, re.M)]
    here = [name for name in named if not name.marker or name.marker.evaluate()]
    pinned = {canonical(name.name): str(name.specifier).removeprefix("==") for name in here}
    installed = {canonical(found.name): found.version for found in distributions()}
    own = {"pip", "setuptools"}  # They come with the venv.
    assert {name: found for name, found in installed.items() if name not in own} == pinned


@pytest.mark.parametrize("package", ["Django", "boto3", "django-environ", "pytest-django", "moto"])
def test_the_packages_at_the_core_are_named(package):
    lines = "\n".join((settings.BASE_DIR / name).read_text() for name in FILES[:2])
    assert len(re.findall(rf"^{package}(?:\[.+\])?==", lines, re.M)) == 1


def test_django_is_the_long_term_release():
    assert version("Django").startswith("5.2.")
