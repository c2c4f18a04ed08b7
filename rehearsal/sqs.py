"""An SQS server in a process of its own."""

import json
import os
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from rehearsal.shop import Process, eventually


def start_sqs(folder: Path, port: int) -> Process:
    """Start an SQS server that keeps its state in `folder` when it is stopped, and return once it answers."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "SERVICES": "sqs",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": "us-east-1",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder),
        "LOG_LEVEL": "WARNING",
        "DOCKER_HOST": "unix:///nonexistent",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    server = ("hypercorn", "--workers", "0", "--bind", f"127.0.0.1:{port}", "--graceful-timeout", "1")
    command = [sys.executable, "-m", *server, "--log-level", "warning", "ministack.app:app"]
    process = Process(command, folder, environment, folder / "sqs.log")

    def answers():
        try:
            return urlopen(f"http://127.0.0.1:{port}/?Action=ListQueues", timeout=5).status == 200
        except (URLError, OSError):
            return False

    eventually(answers, why="the SQS server")
    return process


def ask(port: int, action: str, **parameters) -> dict:
    """Ask such a server for something, unsigned: it trusts whoever reaches it."""
    headers = {
        "X-Amz-Target": f"AmazonSQS.{action}",
        "Content-Type": "application/x-amz-json-1.0",
        # It takes account and region from there.
        "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/sqs/aws4_request",
    }
    request = Request(f"http://127.0.0.1:{port}/", json.dumps(parameters).encode(), headers)
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"{}")
