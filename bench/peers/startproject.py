"""What `django-admin startproject` writes: its middleware, and a database connection for each request."""

from timelessmusic.settings import *  # noqa: F403
from timelessmusic.settings import DATABASES

ROOT_URLCONF = "bench.peers.plain"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
del DATABASES["default"]["OPTIONS"]["pool"]
LOGGING = {}
