"""compose.yaml starts what there is, with settings that there are; no container engine is needed to see that."""

import re

import pytest
import yaml
from django.conf import settings

from tests.test_settings import run

COMPOSE = yaml.safe_load((settings.BASE_DIR / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "timelessmusic"}


def _environment(service):
    """Give a service's environment with the defaults of its variables: ${NAME:-default}."""
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for name, value in service["environment"].items()}


def test_our_services_are_web_worker_and_what_prepares_for_them():
    assert sorted(OURS) == ["prepare", "web", "worker"]


def test_every_setting_is_one_that_there_is():
    known = set(re.findall(r"^#?([A-Z_]+)=", (settings.BASE_DIR / ".env.example").read_text(), re.M))
    assert {name for service in OURS.values() for name in service["environment"]} - known == set()


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_starts_with_its_environment(name):
    assert run("manage.py", "check", **_environment(OURS[name])) == (0, "")


@pytest.mark.parametrize("command", [["queue", "work"], ["queue", "create"], ["migrate"]])
def test_the_commands_are_those_that_there_are(command):
    lines = [" ".join(service.get("command", [])) for service in OURS.values()]
    assert any(f"manage.py {' '.join(command)}" in line for line in lines)
    assert run("manage.py", *command, "--help")[0] == 0


def test_everyone_a_service_waits_for_is_there():
    for service in OURS.values():
        assert set(service["depends_on"]) <= set(COMPOSE["services"])
    environment = _environment(OURS["web"])
    hosts = {re.search(r"://(?:[^@/]*@)?([^:/]+)", environment[name])[1] for name in environment if "_URL" in name}
    assert hosts - {"localhost"} == {"database", "sqs", "mails"}
