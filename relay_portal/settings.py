"""Every setting of the service, read once from the environment (documented in docs/settings.md)."""

import socket
from pathlib import Path

import environ
from django.utils.translation import gettext_lazy as _

from relay_portal import secret_key
from relay_portal.embedded import postgres_url, valkey_url

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()

# --- where things are -------------------------------------------------------------------------------------------------
EKIDEN_DATA = Path(env.str("EKIDEN_DATA", default=str(BASE_DIR / ".ekiden"))).absolute()
DATABASE_URL = env.str("DATABASE_URL", default="") or postgres_url(EKIDEN_DATA)
REDIS_URL = env.str("REDIS_URL", default="") or valkey_url(EKIDEN_DATA)
DATABASES = {"default": env.db_url_config(DATABASE_URL) | {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 60}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- the relay --------------------------------------------------------------------------------------------------------
EKIDEN_HOSTNAME = env.str("EKIDEN_HOSTNAME", default=socket.getfqdn()).lower()
EKIDEN_BIND = env.str("EKIDEN_BIND", default="127.0.0.1")
EKIDEN_SUBMISSION_PORT = env.int("EKIDEN_SUBMISSION_PORT", default=2587)
EKIDEN_SUBMISSIONS_PORT = env.int("EKIDEN_SUBMISSIONS_PORT", default=2465)
EKIDEN_MX_PORT = env.int("EKIDEN_MX_PORT", default=2525)
EKIDEN_PORTAL_PORT = env.int("EKIDEN_PORTAL_PORT", default=8000)
EKIDEN_SANDBOX_PORT = env.int("EKIDEN_SANDBOX_PORT", default=2526)
EKIDEN_LISTENERS = env.int("EKIDEN_LISTENERS", default=1)
EKIDEN_WORKERS = env.int("EKIDEN_WORKERS", default=1)
EKIDEN_DNS = env.list("EKIDEN_DNS", default=[])
EKIDEN_TLS_CERT = env.str("EKIDEN_TLS_CERT", default="")
EKIDEN_TLS_KEY = env.str("EKIDEN_TLS_KEY", default="")
EKIDEN_SOURCE = env.str("EKIDEN_SOURCE", default="")
EKIDEN_DELIVERY_PORT = env.int("EKIDEN_DELIVERY_PORT", default=25)
EKIDEN_PRIVATE_NETWORKS = env.list("EKIDEN_PRIVATE_NETWORKS", default=[])

# --- limits -----------------------------------------------------------------------------------------------------------
EKIDEN_MAX_MESSAGE_SIZE = env.int("EKIDEN_MAX_MESSAGE_SIZE", default=26_214_400)
EKIDEN_MAX_RECIPIENTS = env.int("EKIDEN_MAX_RECIPIENTS", default=100)
EKIDEN_MAX_SESSIONS = env.int("EKIDEN_MAX_SESSIONS", default=1000)
EKIDEN_MAX_SESSIONS_PER_ADDRESS = env.int("EKIDEN_MAX_SESSIONS_PER_ADDRESS", default=200)
EKIDEN_BARE_NEWLINES = env.str("EKIDEN_BARE_NEWLINES", default="refuse")
EKIDEN_CONNECTIONS_PER_LANE = env.int("EKIDEN_CONNECTIONS_PER_LANE", default=10)
EKIDEN_MESSAGES_PER_CONNECTION = env.int("EKIDEN_MESSAGES_PER_CONNECTION", default=100)
EKIDEN_CONNECTIONS_PER_WORKER = env.int("EKIDEN_CONNECTIONS_PER_WORKER", default=500)
EKIDEN_IDEMPOTENCY_HOURS = env.int("EKIDEN_IDEMPOTENCY_HOURS", default=24)
EKIDEN_DRAIN_SECONDS = env.int("EKIDEN_DRAIN_SECONDS", default=20)

# --- Django -----------------------------------------------------------------------------------------------------------
SECRET_KEY = env.str("EKIDEN_SECRET_KEY", default="") or secret_key.load_or_make(EKIDEN_DATA / "keys" / "secret-key")
DEBUG = False
ALLOWED_HOSTS = env.list("EKIDEN_ALLOWED_HOSTS", default=[EKIDEN_HOSTNAME, "localhost", "127.0.0.1", "[::1]"])
ROOT_URLCONF = "relay_portal.urls"
WSGI_APPLICATION = "relay_portal.wsgi.application"
AUTH_USER_MODEL = "relay_portal.User"
INSTALLED_APPS = [
    # BasicAppConfig: Unfold's default one replaces admin.site by its own and so throws our second factor away.
    "unfold.apps.BasicAppConfig",
    "relay_portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "domains",
    "suppressions",
    "deliveries",
    "smtp_listener",
    "relay_portal",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
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
            ]
        },
    }
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "relay_portal" / "locale"]
TIME_ZONE = env.str("EKIDEN_TIME_ZONE", default="UTC")
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static-root"

# --- jobs -------------------------------------------------------------------------------------------------------------
QUEUES = ("deliveries", "maintenance")
RQ_QUEUES = {
    name: {
        "URL": REDIS_URL,
        "SERIALIZER": "rq.serializers.JSONSerializer",
        "DEFAULT_TIMEOUT": 3600,
    }
    for name in QUEUES
}
