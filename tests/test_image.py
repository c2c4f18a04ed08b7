"""The Dockerfile's steps, done by hand in a clean directory: no container engine is needed."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from django.conf import settings
from django.core.management.utils import get_random_secret_key

DOCKERFILE = (settings.BASE_DIR / "Dockerfile").read_text()
SOURCES = [name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M) for name in line.split()]
ENVIRONMENT = dict(re.findall(r"^\s+(GRANIAN_\w+)=(\S+)", DOCKERFILE, re.M))
CHECK, COMMAND = (json.loads(line) for line in re.findall(r"^\s*CMD (\[.+\])$", DOCKERFILE, re.M))
SECONDS = 30


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture
def image(tmp_path):
    """Give a way to run a command as the image would: in its files, with its environment and nothing else."""
    for name in SOURCES:
        source = settings.BASE_DIR / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    environment = {
        **ENVIRONMENT,
        "GRANIAN_PORT": free_port(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SECRET_KEY": get_random_secret_key(),
        "DATABASE_URL": "sqlite:///:memory:",
        "ALLOWED_HOSTS": "shop.example.com",
        "BEHIND_PROXY": "true",
    }

    def run(*command, start=subprocess.run, **options):
        return start(command, cwd=tmp_path, env=environment, text=True, **options)

    run.folder, run.port = tmp_path, environment["GRANIAN_PORT"]
    return run


def test_what_is_copied_is_not_ignored():
    allowed = [line[1:] for line in (settings.BASE_DIR / ".dockerignore").read_text().splitlines() if line[:1] == "!"]
    assert sorted(set(SOURCES)) == sorted(allowed)


def test_the_web_server_starts_answers_and_stops(image):
    image("python", "manage.py", "collectstatic", "--no-input", check=True, capture_output=True, timeout=SECONDS)
    web = image(*COMMAND, start=subprocess.Popen, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        # granian says this for each worker that has loaded the shop.
        assert any("Started worker" in line for line in web.stdout)
        assert image(*CHECK, timeout=SECONDS).returncode == 0

        headers = {"Host": "shop.example.com", "X-Forwarded-Proto": "https"}
        specification = urlopen(Request(f"http://127.0.0.1:{image.port}/api/openapi.yml", headers=headers)).read()
        assert specification == (settings.BASE_DIR / "openapi.yml").read_bytes()

        name = json.loads((image.folder / "staticfiles" / "staticfiles.json").read_text())["paths"]["tickets/shop.css"]
        request = Request(
            f"http://127.0.0.1:{image.port}/static/{name}",
            headers={**headers, "Accept-Encoding": "br"},
        )
        answer = urlopen(request).headers
        assert (answer["Content-Encoding"], answer["Cache-Control"]) == (
            "br",
            "max-age=315360000, public, immutable",
        )
    finally:
        web.terminate()
        web.communicate(timeout=SECONDS)
    assert web.returncode == 0


def test_the_health_check_fails_without_a_web_server(image):
    assert image(*CHECK, timeout=SECONDS, stderr=subprocess.DEVNULL).returncode == 1
