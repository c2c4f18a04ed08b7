"""The shop's own settings with Django's persistent connections, one a thread, in place of the pool."""

from timelessmusic.settings import *  # noqa: F403
from timelessmusic.settings import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = None
del DATABASES["default"]["OPTIONS"]["pool"]
