"""Every setting of the service, read once from the environment (documented in docs/settings.md)."""

from datetime import timedelta
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from relay_portal.pages.appearance import CONTENT_POLICY, appearance
from relay_portal.servers import surroundings
from relay_portal.servers.embedded import postgres_url, valkey_url
from relay_portal.setup import secret_key
from relay_portal.setup.environment import (
    POSTGRES,
    VALKEY,
    address,
    at_least,
    database,
    factor_words,
    fixed_port,
    host_name,
    issuer,
    listeners_by_cores,
    networks,
    one_of,
    own_host_name,
    port,
    resolver,
    resolvers,
    setting,
    time_zone,
    url_of,
    with_timeouts,
    words,
    workers_by_cores,
)

BASE_DIR = Path(__file__).resolve().parent.parent

# --- where things are -----------------------------------------------------------------------------
EKIDEN_DATA = setting("EKIDEN_DATA", Path, BASE_DIR / ".ekiden").absolute()
DATABASE_URL = setting("DATABASE_URL", url_of(*POSTGRES), postgres_url(EKIDEN_DATA))
REDIS_URL = setting("REDIS_URL", url_of(*VALKEY), valkey_url(EKIDEN_DATA))
if postgres_url(EKIDEN_DATA) == DATABASE_URL:
    surroundings.forget_other_postgresql()  # those of a server that a URL names are the operator's
DATABASES = {"default": database(DATABASE_URL) | {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 60}}
# Seconds; without it a host that does not answer holds a command for minutes.
# `domains.foundation.process.postgres_session` sets the rest on the connection.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 10)
EKIDEN_MAY_LOSE_MAIL = setting("EKIDEN_MAY_LOSE_MAIL", one_of("no", "yes"), "no")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- the relay ------------------------------------------------------------------------------------
EKIDEN_HOSTNAME = setting("EKIDEN_HOSTNAME", host_name, own_host_name())
EKIDEN_BIND = setting("EKIDEN_BIND", address, "127.0.0.1")
EKIDEN_SUBMISSION_PORT = setting("EKIDEN_SUBMISSION_PORT", port, 2587)
EKIDEN_SUBMISSIONS_PORT = setting("EKIDEN_SUBMISSIONS_PORT", port, 2465)
EKIDEN_MX_PORT = setting("EKIDEN_MX_PORT", port, 2525)
EKIDEN_PORTAL_PORT = setting("EKIDEN_PORTAL_PORT", fixed_port, 8000)
EKIDEN_SANDBOX_PORT = setting("EKIDEN_SANDBOX_PORT", fixed_port, 2526)
EKIDEN_LISTENERS = setting("EKIDEN_LISTENERS", at_least(1), listeners_by_cores())
EKIDEN_WORKERS = setting("EKIDEN_WORKERS", at_least(1), workers_by_cores())
EKIDEN_DNS: list[str] = setting("EKIDEN_DNS", resolvers, [])
EKIDEN_TLS_CERT = setting("EKIDEN_TLS_CERT", str, "")
EKIDEN_TLS_KEY = setting("EKIDEN_TLS_KEY", str, "")
EKIDEN_SOURCE = setting("EKIDEN_SOURCE", address, "")
EKIDEN_NODE = setting("EKIDEN_NODE", host_name, own_host_name())
EKIDEN_DELIVERY_PORT = setting("EKIDEN_DELIVERY_PORT", port, 25)
EKIDEN_ZONE_PORT = setting("EKIDEN_ZONE_PORT", port, 53)
EKIDEN_QUESTIONS = setting("EKIDEN_QUESTIONS", at_least(1), 50)
EKIDEN_KEY_ZONE = setting("EKIDEN_KEY_ZONE", host_name, "")
EKIDEN_KEY_ZONE_SERVER = setting("EKIDEN_KEY_ZONE_SERVER", resolver, "")
EKIDEN_PRIVATE_NETWORKS: list[str] = setting("EKIDEN_PRIVATE_NETWORKS", networks, [])

# --- limits ---------------------------------------------------------------------------------------
EKIDEN_MAX_MESSAGE_SIZE = setting("EKIDEN_MAX_MESSAGE_SIZE", at_least(1024), 26_214_400)
EKIDEN_MAX_RECIPIENTS = setting("EKIDEN_MAX_RECIPIENTS", at_least(1), 100)
EKIDEN_MAX_SESSIONS = setting("EKIDEN_MAX_SESSIONS", at_least(1), 1000)
EKIDEN_MAX_MX_SESSIONS = setting("EKIDEN_MAX_MX_SESSIONS", at_least(1), 200)
EKIDEN_INBOUND_BYTES_PER_DAY = setting("EKIDEN_INBOUND_BYTES_PER_DAY", at_least(1), 104857600)
EKIDEN_INBOUND_BYTES_PER_ADDRESS = setting(
    "EKIDEN_INBOUND_BYTES_PER_ADDRESS", at_least(1), 10485760
)
EKIDEN_REPORT_BYTES_PER_DAY = setting("EKIDEN_REPORT_BYTES_PER_DAY", at_least(1), 1073741824)
EKIDEN_DMARC_BYTES_PER_DAY = setting("EKIDEN_DMARC_BYTES_PER_DAY", at_least(1), 52428800)
EKIDEN_FORENSIC_REPORTS = setting("EKIDEN_FORENSIC_REPORTS", one_of("no", "yes"), "no")
EKIDEN_SIGNATURE_SAMPLE = setting("EKIDEN_SIGNATURE_SAMPLE", at_least(0), 1000)
EKIDEN_AUDIT_DAYS = setting("EKIDEN_AUDIT_DAYS", at_least(0), 0)
EKIDEN_LOW_DISK = setting("EKIDEN_LOW_DISK", at_least(0), 268435456)
EKIDEN_MAX_SESSIONS_PER_ADDRESS = setting("EKIDEN_MAX_SESSIONS_PER_ADDRESS", at_least(1), 200)
EKIDEN_BARE_NEWLINES = setting("EKIDEN_BARE_NEWLINES", one_of("refuse", "repair"), "refuse")
EKIDEN_CONNECTIONS_PER_WORKER = setting("EKIDEN_CONNECTIONS_PER_WORKER", at_least(1), 500)
EKIDEN_DRAIN_SECONDS = setting("EKIDEN_DRAIN_SECONDS", at_least(0), 20)

# --- the queues of jobs (docs/decisions/rq.md) ----------------------------------------------------
RQ_QUEUES = {
    name: {"URL": with_timeouts(REDIS_URL), "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name in ("deliveries", "maintenance")
}
RQ = {
    "QUEUE_CLASS": "deliveries.backends.stored_jobs.StoredQueue",
    "WORKER_CLASS": "deliveries.jobs.worker.TableWorker",
    # Who enqueues says what it waits for: a wake-up may come before the commit or without any.
    "COMMIT_MODE": "auto",
}
RQ_SHOW_ADMIN_LINK = False  # its pages stand in relay_portal.pages.queues
RQ_API_TOKEN = ""  # statistics are for operators, and /metrics/ has a token of its own

# --- the log --------------------------------------------------------------------------------------
EKIDEN_LOG_LEVEL = setting("EKIDEN_LOG_LEVEL", one_of("debug", "info", "warning", "error"), "info")
EKIDEN_LOG_FORMAT = setting("EKIDEN_LOG_FORMAT", one_of("text", "json"), "text")
LOGGING_CONFIG = "domains.foundation.process.logformat.configure"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "domains.foundation.process.logformat.LineFormatter"},
        "json": {"()": "domains.foundation.process.logformat.JSONFormatter"},
    },
    "handlers": {
        "stdout": {
            "class": "deliveries.backends.loglines.GroupedHandler",
            "formatter": EKIDEN_LOG_FORMAT,
            "filters": ["refusals"],
            "stream": "ext://sys.stdout",
        },
    },
    "root": {"handlers": ["stdout"], "level": "WARNING"},
    "loggers": {
        name: {"level": EKIDEN_LOG_LEVEL.upper()}
        for name in (
            "ekiden",
            "domains",
            "suppressions",
            "deliveries",
            "smtp_listener",
            "relay_portal",
        )
    },
    "filters": {"refusals": {"()": "relay_portal.serving.weblog.RefusedRequests"}},
}

# --- Django ---------------------------------------------------------------------------------------
_given_key = setting("EKIDEN_SECRET_KEY", str, "")
HAS_SECRET_KEY_FROM_ENVIRONMENT = bool(_given_key)
# Empty where there is none yet: only `setup` makes one, and only for an empty database
# (relay_portal.setup.first_keys).
SECRET_KEY = _given_key or secret_key.load(EKIDEN_DATA / "keys" / "secret-key")
DEBUG = False
ALLOWED_HOSTS = setting(
    "EKIDEN_ALLOWED_HOSTS", words, [EKIDEN_HOSTNAME, "localhost", "127.0.0.1", "[::1]"]
)
ROOT_URLCONF = "relay_portal.urls"
WSGI_APPLICATION = "relay_portal.wsgi.application"
AUTH_USER_MODEL = "relay_portal.User"
INSTALLED_APPS = [
    # BasicAppConfig: Unfold's default one replaces admin.site by its own and so throws our second
    # factor away.
    "unfold.apps.BasicAppConfig",
    "relay_portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "two_factor",
    "relay_portal.apps.PasskeyConfig",
    "axes",
    "csp",
    "domains",
    "suppressions",
    "deliveries",
    "smtp_listener",
    "relay_portal",
    "django_rq",  # after ours: the command `rqworker` is ours
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "relay_portal.access.middleware.SecureCookies",
    "relay_portal.access.middleware.TryLater",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "relay_portal.access.middleware.Guard",
    "relay_portal.access.privacy.MaskAddresses",
    "axes.middleware.AxesMiddleware",
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
                "relay_portal.pages.context.sandbox",
                "relay_portal.pages.context.may",
                "relay_portal.pages.context.openid",
            ],
            "libraries": {
                "trail": "relay_portal.pages.trail",
                "words": "relay_portal.pages.words",
            },
        },
    }
]
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "relay_portal" / "locale"]
EKIDEN_PUBLIC_URL = setting("EKIDEN_PUBLIC_URL", url_of("https"), "")
# A hard suppression whose last bounce is older is lifted only after a second question.
EKIDEN_OLD_SUPPRESSION_DAYS = setting("EKIDEN_OLD_SUPPRESSION_DAYS", at_least(0), 180)
EKIDEN_METRICS_TOKEN = setting("EKIDEN_METRICS_TOKEN", str, "")
TIME_ZONE = setting("EKIDEN_TIME_ZONE", time_zone, "UTC")
USE_TZ = True
FORMAT_MODULE_PATH = ["relay_portal.formats"]

# Static files are served from the packages themselves: nothing to collect before a start, and no
# other host is asked for any.
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "relay_portal" / "vendored"]  # before the packages' own
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 600
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- who may enter the portal ---------------------------------------------------------------------
LOGIN_URL = "two_factor:login"
LOGIN_REDIRECT_URL = "admin:index"
LOGOUT_REDIRECT_URL = "two_factor:login"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# For people; an app's secret is random and needs no slow hash.
PASSWORD_HASHERS = ["relay_portal.access.hashers.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
TWO_FACTOR_WEBAUTHN_RP_NAME = "Ekiden"
TWO_FACTOR_WEBAUTHN_UV_REQUIREMENT = "preferred"

# What is dangerous asks for the second factor again (relay_portal.access.dangers)
EKIDEN_FACTOR_MINUTES = setting("EKIDEN_FACTOR_MINUTES", at_least(1), 15)
# An OpenID provider, which people may log in with as well (relay_portal.openid)
EKIDEN_OPENID_ISSUER = setting("EKIDEN_OPENID_ISSUER", issuer, "")
EKIDEN_OPENID_CLIENT_ID = setting("EKIDEN_OPENID_CLIENT_ID", str, "ekiden")
EKIDEN_OPENID_SECRET_FILE = setting("EKIDEN_OPENID_SECRET_FILE", str, "")
EKIDEN_OPENID_SCOPES = setting("EKIDEN_OPENID_SCOPES", words, ["openid", "profile", "email"])
EKIDEN_OPENID_GROUPS = setting("EKIDEN_OPENID_GROUPS", str, "groups")
EKIDEN_OPENID_FACTOR: list[str] = setting("EKIDEN_OPENID_FACTOR", factor_words, [])
EKIDEN_OPENID_NAME = setting("EKIDEN_OPENID_NAME", str, "")

# Limits and what counts: relay_portal.access.lockout. Success does not give tries back: who has one
# account could otherwise guess at the others for ever.
AXES_HANDLER = "relay_portal.access.lockout.Handler"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_CLIENT_IP_CALLABLE = "relay_portal.access.lockout.place"
CLIENT_ADDRESS = "relay_portal.access.lockout.client_address"
AXES_LOCKOUT_CALLABLE = "relay_portal.access.lockout.locked_out"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# A session ends an hour after its last use and twelve after its log-in, whichever comes first
# (relay_portal.access.middleware).
SESSION_IDLE = timedelta(hours=1)
SESSION_LONGEST = timedelta(hours=12)
SESSION_COOKIE_AGE = int(SESSION_LONGEST.total_seconds())
SESSION_ENGINE = "relay_portal.access.sessions"
SESSION_COOKIE_NAME = "ekiden_session"  # services on other ports of this host share its cookies
CSRF_COOKIE_NAME = "ekiden_csrf"
CSRF_FAILURE_VIEW = "relay_portal.pages.errors.form_refused"
LANGUAGE_COOKIE_NAME = "ekiden_language"
LANGUAGE_COOKIE_AGE = 31_536_000  # a year, for who is not logged in: a person's is kept with them
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 2_592_000  # told over https only
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {"DIRECTIVES": CONTENT_POLICY}

# --- how the portal looks -------------------------------------------------------------------------
UNFOLD = appearance(EKIDEN_HOSTNAME)
