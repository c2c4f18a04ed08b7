"""Settings that stand in AWS Secrets Manager instead of the environment."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from django.core.management.utils import get_random_secret_key

from tests.test_settings import run

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:timelessmusic-AbCdEf"
LIKE = (
    "timelessmusic: SETTINGS_SECRET must name a secret that is a JSON object of texts, like "
    '{"DATABASE_URL": "postgresql://…"}\n'
)
AWS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def store():
    """Answer as Secrets Manager does, with `text` for its secret; give the environment in which it is found."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"ARN": asked["SecretId"], "SecretString": server.text}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    server.environment = AWS | {
        "SETTINGS_SECRET": ARN,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{server.server_port}",
    }
    yield server
    server.shutdown()
    server.server_close()


def test_what_the_environment_lacks_is_read_there(store):
    store.text = json.dumps({"SECRET_KEY": get_random_secret_key(), "DATABASE_URL": "sqlite:///:memory:"})
    assert run("manage.py", "check", **store.environment, SECRET_KEY=None, DATABASE_URL=None) == (0, "")


def test_the_environment_wins(store):
    store.text = json.dumps({"SITE_URL": "nonsense"})
    assert run("manage.py", "check", **store.environment, SITE_URL="https://shop.example.com") == (0, "")
    assert run("manage.py", "check", **store.environment)[0] == 1


@pytest.mark.parametrize("text", ["", "hunter2", "[]", '{"DATABASE_URL": 1}'])
def test_a_secret_of_another_shape_is_one_line_that_does_not_quote_it(store, text):
    store.text = text
    assert run("manage.py", "check", **store.environment) == (1, LIKE.replace("timelessmusic:", "manage.py:"))


def test_one_that_cannot_be_read_is_one_line(store):
    nowhere = store.environment | {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}
    status, said = run("manage.py", "check", **nowhere)
    assert (status, said) == (
        1,
        'manage.py: SETTINGS_SECRET can\'t be read: Could not connect to the endpoint URL: "http://127.0.0.1:1/"\n',
    )
