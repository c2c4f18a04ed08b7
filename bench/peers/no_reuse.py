"""The shop's own settings with a connection to the database for each request, as Django comes."""

from timelessmusic.settings import *  # noqa: F403
from timelessmusic.settings import DATABASES

DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
del DATABASES["default"]["OPTIONS"]["pool"]
