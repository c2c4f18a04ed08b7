import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timelessmusic.settings")


def share_metrics() -> None:
    """Let the processes of this server count together: in files, in a folder named for their common parent.

    Nothing is cleaned while the server runs: a process that died has counted, too. What a server leaves behind, the
    next one removes.
    """
    base = Path(tempfile.gettempdir(), f"timelessmusic-metrics-{os.getuid()}")
    base.mkdir(mode=0o700, exist_ok=True)
    if base.lstat().st_uid != os.getuid():
        raise ImproperlyConfigured(f"{base} is another user's: set PROMETHEUS_MULTIPROC_DIR to a folder of the shop's")
    for folder in base.iterdir():
        if folder.name.isdigit() and not _alive(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)  # Another process of this server may be at it.
    own = base / str(os.getppid())
    own.mkdir(mode=0o700, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(own)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


try:
    if not settings.ALLOWED_HOSTS:  # The web server's need alone: the worker runs without.
        raise ImproperlyConfigured("Set the ALLOWED_HOSTS environment variable")
    # Ahead of the application: prometheus_client looks for the folder when it is first imported.
    if settings.METRICS_TOKEN and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        share_metrics()
    application = get_wsgi_application()
    # What is there by now stays. Looking through all of it for garbage held every thread up for a tenth of a second, at
    # one purchase in four hundred: the slowest in a hundred were mostly those.
    gc.freeze()
except ImproperlyConfigured as error:  # A wrong setting is the operator's to read: one line, no traceback.
    sys.exit(f"timelessmusic: {error}")
