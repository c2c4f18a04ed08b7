"""Read every setting from the environment; .env.example lists them all.

What is missing or makes no sense raises ImproperlyConfigured in one line that names the variable and says what to do,
never its value: that may hold a password.
"""

import json
import re
from datetime import timedelta
from email.utils import parseaddr
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import environ
from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from limits import parse_many
from whitenoise.compress import Compressor

from tickets import privacy

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_DIR = BASE_DIR / ".local"  # What bin/serve keeps between runs; git-ignored.

env = environ.Env()
# Puts the file's values into os.environ, where boto3 finds its own (AWS_…).
env.read_env(Path(env("ENV_FILE", default=BASE_DIR / ".env")))
if "AWS_REGION" in env:  # What Lambda, ECS and the other SDKs say; boto3 reads AWS_DEFAULT_REGION alone.
    env.ENVIRON.setdefault("AWS_DEFAULT_REGION", env("AWS_REGION"))
if "SETTINGS_SECRET" in env:
    from timelessmusic import secret_store  # boto3 takes a quarter of a second

    for name, value in secret_store.read(env("SETTINGS_SECRET")).items():
        env.ENVIRON.setdefault(name, value)


def secret(name: str, default=env.NOTSET) -> str:
    """Read a text as it is: env() takes one that begins with $ for another variable's name, and quotes it if not."""
    return env.ENVIRON[name] if name in env else env(name, default=default)


def flag(name: str, default: bool) -> bool:
    """Read yes or no; env.bool takes every word it doesn't know for a no, a mistyped one for DEBUG among them."""
    value = env.str(name, default=str(default)).strip().lower()
    if value in ("true", "on", "yes", "1"):
        return True
    if value in ("false", "off", "no", "0", ""):
        return False
    raise ImproperlyConfigured(f"{name} must be true or false")


def address(name: str, default: str, schemes=("http", "https"), like="https://shop.example.com") -> str:
    """Read an address with one of `schemes`, or nothing where that is the default."""
    value = env.str(name, default=default)
    try:
        parts = urlsplit(value)
        sound = parts.scheme in schemes and parts.hostname and (parts.port or 1)
    except ValueError:  # A port that is no number, or a host in half a pair of brackets.
        sound = False
    if not sound and value != default:
        raise ImproperlyConfigured(f"{name} must be an address like {like}")
    return value


def origins(name: str) -> list[str]:
    """Read origins, separated by commas: scheme, host and port as a browser's Origin header has them."""
    values = env.list(name, default=[])
    if not all(re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]+)?", value) for value in values):
        raise ImproperlyConfigured(f"{name} must be origins like https://www.example.com, without a path or a slash")
    return values


DEBUG = flag("DEBUG", default=False)
SECRET_KEY = secret("SECRET_KEY")
if len(SECRET_KEY) < 50 and not DEBUG:
    raise ImproperlyConfigured("SECRET_KEY must have 50 characters or more: make one with `openssl rand -base64 48`")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "timelessmusic.apps.BoxOfficeConfig",  # django.contrib.admin, with a first screen of our own
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sitemaps",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_htmx",
    "csp",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_typer",  # for `manage.py shellcompletion`
    "tickets",
]
DT_RICH_TRACEBACK_CONFIG = False  # Rich's tracebacks show every variable: a card among them.

MIDDLEWARE = [
    "tickets.health.probes",
    "tickets.metrics.endpoint",
    "tickets.logs.requests",
    "corsheaders.middleware.CorsMiddleware",  # so far out that a refusal can be read by the other origin, too
    "tickets.api.always_json",
    # Security headers come first, so that static files and refusals have them, too.
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "tickets.headers.permissions_of_pages",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "tickets.headers.pages_for_our_origin",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Behind whitenoise, whose files are compressed already. No secret that a stranger could guess from a page's length
    # (BREACH): Django masks its CSRF token anew each time and pads what it compresses, a form's token is used once.
    "django.middleware.gzip.GZipMiddleware",
    "tickets.languages.ByCookieOrHeader",
    "tickets.errors.page_for_wrong_method",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "tickets.outages.DatabaseAway",
]

ROOT_URLCONF = "timelessmusic.urls"
WSGI_APPLICATION = "timelessmusic.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -------------------------------------------------------------------------------------
# A file of our own choice is for bin/serve alone: in a container it would be gone, sales and all, with the next deploy.
DATABASE_URL = env("DATABASE_URL", default=f"sqlite:///{LOCAL_DIR / 'db.sqlite3'}" if DEBUG else env.NOTSET)
try:
    DATABASES = {"default": env.db_url_config(DATABASE_URL) if "://" in DATABASE_URL else {}}
except ValueError as error:
    raise ImproperlyConfigured("DATABASE_URL has a port that is no number") from error
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Options in the URL (…?sslmode=require) go on top of ours.
ENGINE = DATABASES["default"].get("ENGINE")
if ENGINE == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # A writer waits for its turn at BEGIN instead of failing in the middle of a sale.
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON;",
        "timeout": 20,
        **DATABASES["default"].get("OPTIONS", {}),
    }
    SILENCED_SYSTEM_CHECKS = ["models.W040"]  # Indexes for PostgreSQL include columns that SQLite leaves out.
elif ENGINE == "django.db.backends.postgresql" and DATABASES["default"]["NAME"]:
    # A pool, because persistent connections (CONN_MAX_AGE) are one for each thread and a server's threads come
    # and go; the health check costs a round trip and spares the first requests after a restart of PostgreSQL.
    # The pool doubles its pauses between tries to reconnect for `reconnect_timeout`, then starts anew on demand: with
    # its default of 300 s the shop would stay closed for minutes after PostgreSQL is back.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] = {
        "pool": {"min_size": 1, "max_size": 16, "timeout": 5, "reconnect_timeout": 5},
        # A server that vanished without a word (its machine is off, its address another one's) is given up soon: the
        # driver's own patience with it is two minutes to connect, and a quarter of an hour for an answer.
        "connect_timeout": 5,
        "tcp_user_timeout": 15_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        # A sale takes milliseconds. Who waits 5 s waits for one that hangs, and keeps a thread from everybody else. A
        # migration that can't have its lock gives up, too, rather than stop every sale behind it. And PostgreSQL gives
        # up a client that vanished: for two hours, else, it would keep the row of a gig that one was just selling.
        "options": "-c lock_timeout=5000"
        " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
        **DATABASES["default"].get("OPTIONS", {}),
    }
    # A pooler (RDS Proxy, PgBouncer) may refuse a connection that comes with any: …?options=%20 sends none, and leaves
    # them to the role's settings.
    if not DATABASES["default"]["OPTIONS"]["options"].strip():
        del DATABASES["default"]["OPTIONS"]["options"]
else:
    raise ImproperlyConfigured("DATABASE_URL must be like postgresql://user:password@host:5432/name or sqlite:///file")

# --- Queue ----------------------------------------------------------------------------------------
# The endpoint (AWS_ENDPOINT_URL_SQS), the region and the credentials are boto3's own to read.
SQS_QUEUE_URL = address("SQS_QUEUE_URL", default="")
SQS_QUEUE_NAME = env("SQS_QUEUE_NAME", default="timelessmusic-purchase")
if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", SQS_QUEUE_NAME):
    raise ImproperlyConfigured("SQS_QUEUE_NAME must have 1 to 80 letters, digits, - and _")

# --- E-mail ---------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="TimelessMusic <tickets@localhost>")
try:
    validate_email(parseaddr(DEFAULT_FROM_EMAIL)[1])
except ValidationError as error:
    raise ImproperlyConfigured("DEFAULT_FROM_EMAIL must be like Shop <tickets@example.com>") from error
# Who reads the answers, where that isn't whom the tickets come from.
REPLY_TO_EMAIL = env("REPLY_TO_EMAIL", default="")
try:
    if REPLY_TO_EMAIL:
        validate_email(parseaddr(REPLY_TO_EMAIL)[1])
except ValidationError as error:
    raise ImproperlyConfigured("REPLY_TO_EMAIL must be like Shop <help@example.com>") from error
EMAIL_TIMEOUT = 10  # seconds; Django's default waits for ever
# Where the shop stands, for the links in a mail: there is no request to take it from.
SITE_URL = address("SITE_URL", default="http://localhost:8000").rstrip("/")
# The time from sale to mail that the shop means to keep; what takes longer is red on the dashboard.
mail_objective = env("MAIL_OBJECTIVE_SECONDS", default="60")
if not re.fullmatch("[1-9][0-9]{0,5}", mail_objective):
    raise ImproperlyConfigured("MAIL_OBJECTIVE_SECONDS must be a number of seconds, 1 or more")
MAIL_OBJECTIVE_SECONDS = int(mail_objective)

if DEBUG and find_spec("django_mail_preview"):
    # The mails of bin/serve: files in a folder, read at /mails/. Its views answer 404 unless DEBUG is on.
    INSTALLED_APPS.append("django_mail_preview")
    MAIL_PREVIEW_ROOT = LOCAL_DIR / "mails"
    MAIL_PREVIEW_MAX_MESSAGES = 1000
    EMAIL_BACKEND = "django_mail_preview.backends.EmailBackend"
if "EMAIL_URL" in env:
    try:
        mail_server = env.email("EMAIL_URL")
        if mail_server["EMAIL_BACKEND"].endswith(".smtp.EmailBackend") and not mail_server["EMAIL_HOST"]:
            raise ValueError("no host")
    except (ImproperlyConfigured, ValueError) as error:  # An unknown scheme; no host; a port that is no number.
        raise ImproperlyConfigured("EMAIL_URL must be like smtp+tls://user:password@host:587") from error
    vars().update(mail_server)
elif "EMAIL_PROVIDER" in env:
    # A provider's HTTP API, by django-anymail.
    provider = env("EMAIL_PROVIDER")
    if not re.fullmatch("[a-z_]+", provider) or find_spec(f"anymail.backends.{provider}") is None:
        raise ImproperlyConfigured("EMAIL_PROVIDER must be one of django-anymail's, like amazon_ses or postmark")
    EMAIL_BACKEND = f"anymail.backends.{provider}.EmailBackend"
    try:
        ANYMAIL = {"REQUESTS_TIMEOUT": EMAIL_TIMEOUT} | json.loads(secret("EMAIL_PROVIDER_SETTINGS", default="{}"))
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured('EMAIL_PROVIDER_SETTINGS must be like {"POSTMARK_SERVER_TOKEN": "…"}') from error

# --- Languages and time ---------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("it", "Italiano")]
FORMAT_MODULE_PATH = "timelessmusic.formats"
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 31_536_000  # seconds: a year
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files ---------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# For the page that shows the API. Not as an app: the package brings another viewer, too, twice as large.
SWAGGER_UI = files("drf_spectacular_sidecar") / "static/drf_spectacular_sidecar/swagger-ui-dist"
STATICFILES_DIRS = [("swagger-ui", SWAGGER_UI)]
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = [*Compressor.SKIP_COMPRESS_EXTENSIONS, "map"]  # for developers' tools alone
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
if not DEBUG:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

# --- Security -------------------------------------------------------------------------------------
# bin/serve speaks plain HTTP on this machine; everywhere else the shop is behind TLS.
SECURE_SSL_REDIRECT = flag("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = 0 if DEBUG else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = not DEBUG
SECURE_HSTS_PRELOAD = not DEBUG
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
LANGUAGE_COOKIE_SECURE = not DEBUG
CSRF_FAILURE_VIEW = "tickets.errors.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
PROXY_COUNT = 0  # how many proxies of ours append to X-Forwarded-For
if flag("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    proxy_count = env("PROXY_COUNT", default="1")
    if not re.fullmatch("[1-9]", proxy_count):
        raise ImproperlyConfigured("PROXY_COUNT must be a number from 1 to 9")
    PROXY_COUNT = int(proxy_count)

# The API and the pictures it names may be read by pages of these origins. Never with cookies: the API reads none.
CORS_ALLOWED_ORIGINS = origins("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/(api|images)/"
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key"]
CORS_EXPOSE_HEADERS = ["Link", "Location", "Retry-After"]

CONTENT_SECURITY_POLICY = {
    # The mails of bin/serve are shown in frames, with the styles of their own; not there unless DEBUG is on.
    "EXCLUDE_URL_PREFIXES": ["/mails/"] if DEBUG else [],
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    },
}
# What a page could ask a browser for. The shop needs none of it; a page that does (a camera at the door) says so
# itself, by django_permissions_policy.decorators.permissions_policy_override.
PERMISSIONS_POLICY = {
    feature: []
    for feature in (  # noqa: SIM905
        "accelerometer autoplay browsing-topics camera clipboard-read display-capture encrypted-media "
        "fullscreen geolocation gyroscope hid identity-credentials-get idle-detection local-fonts magnetometer "
        "microphone midi otp-credentials payment picture-in-picture publickey-credentials-get screen-wake-lock serial "
        "storage-access usb window-management xr-spatial-tracking"
    ).split()
}

# Card data is hidden from error reports with DEBUG on, too.
DEFAULT_EXCEPTION_REPORTER_FILTER = "tickets.payment.CardFilter"
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024  # bytes; a purchase form has less than 2 KB

# --- Metrics --------------------------------------------------------------------------------------
METRICS_TOKEN = secret("METRICS_TOKEN", default="")
if METRICS_TOKEN and len(METRICS_TOKEN) < 16:
    raise ImproperlyConfigured("METRICS_TOKEN must have 16 characters or more: make one with `openssl rand -base64 24`")

# --- Limits ---------------------------------------------------------------------------------------
# What web processes share: how often an address has bought. Without it each of them counts for itself.
CACHE_URL = address("CACHE_URL", default="", schemes=("redis", "rediss"), like="rediss://:password@host:6379/0")
if CACHE_URL:
    import redis  # takes a tenth of a second

    try:
        redis.from_url(CACHE_URL).connection_pool.make_connection()  # Without connecting.
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured("CACHE_URL has an option that there isn't, or a wrong value for one") from error
# Purchases of one address. The form takes a person a minute, so 60 of an office or a campus can be at it at once;
# what comes faster, or for longer than ten such minutes an hour, is a machine. An empty value sets no limit.
try:
    purchase_limits = env("PURCHASE_LIMITS", default="60/minute;600/hour")
    PURCHASE_LIMITS = parse_many(purchase_limits) if purchase_limits else []
except ValueError as error:
    raise ImproperlyConfigured("PURCHASE_LIMITS must be like 60/minute;600/hour, or empty") from error

# Signing in. By address: a limit on the name would let anybody lock the organiser out. Ten tries in 15 minutes are 40
# an hour; OWASP ASVS 4.0 (2.2.1) allows 100.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
OTP_TOTP_ISSUER = "TimelessMusic"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True  # Who may take a device away need not see its secret.
AXES_LOCKOUT_PARAMETERS = ["ip_address"]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # Else the time that the page names would not be true.
AXES_CLIENT_IP_CALLABLE = "tickets.limits.client_address"
AXES_LOCKOUT_CALLABLE = "tickets.errors.sign_in_locked"
AXES_DISABLE_ACCESS_LOG = True  # Who signed in when, kept for ever: nobody asked for it.
AXES_ENABLE_ADMIN = False  # Tries are forgotten after those 15 minutes; `manage.py axes_reset` is for the impatient.
AXES_VERBOSE = False

# --- Logs -----------------------------------------------------------------------------------------
LOG_LEVEL = env("LOG_LEVEL", default="INFO")
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
LOG_FORMAT = env("LOG_FORMAT", default="console" if DEBUG else "json")
if LOG_FORMAT not in ("json", "console"):
    raise ImproperlyConfigured("LOG_FORMAT must be json or console")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "tickets.logs.formatter", "style": LOG_FORMAT}},
    "filters": {"one_line": {"()": "django.utils.log.CallbackFilter", "callback": privacy.one_line}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "strangers": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["one_line"]},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "django.request": {"level": "ERROR"},  # What is below has its line from logs.requests.
        "django.security": {"handlers": ["strangers"], "propagate": False},
        "axes": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
    },
}
