import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timelessmusic.settings")

try:
    if not settings.ALLOWED_HOSTS:  # The web server's need alone: the worker runs without.
        raise ImproperlyConfigured("Set the ALLOWED_HOSTS environment variable")
    application = get_wsgi_application()
except ImproperlyConfigured as error:  # A wrong setting is the operator's to read: one line, no traceback.
    sys.exit(f"timelessmusic: {error}")
