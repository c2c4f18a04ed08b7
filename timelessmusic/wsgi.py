import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "timelessmusic.settings")

try:
    application = get_wsgi_application()
except ImproperlyConfigured as error:  # A wrong setting is the operator's to read: one line, no traceback.
    sys.exit(f"timelessmusic: {error}")
