"""Django's settings. Everything that differs between machines comes from `pomni_admin.env`."""

import os
import sys
from pathlib import Path

from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from cache_layer.errors import SettingsError
from pomni_admin import env, limits, logs

try:
    ENV = env.load(os.environ)
except SettingsError as error:
    sys.exit(f"pomni: cannot start: {error}")

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = ENV.debug
SECRET_KEY = ENV.secret_key
ALLOWED_HOSTS = list(ENV.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENV.trusted_origins)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "channels",
    "csp",
    "django_htmx",
    "pomni_admin.accounts",
    "pomni_admin.audit",
    "pomni_admin.bot",
    "pomni_admin.relay",
    "pomni_admin.summaries",
    "pomni_admin.dashboard",
    "pomni_admin.api",
]
if not ENV.is_production:
    INSTALLED_APPS.append("pomni_admin.demo")

MIDDLEWARE = [
    "pomni_admin.request_id.RequestId",
    "pomni_admin.api.middleware.AlwaysJson",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "pomni_admin.protection.Protection",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "pomni_admin.protection.Limits",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "pomni_admin.accounts.middleware.AccountGate",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "pomni_admin.dashboard.unrecorded.Unrecorded",
]

ROOT_URLCONF = "pomni_admin.urls"
APPEND_SLASH = False  # addresses have none; dashboard/urls.py takes off one that was typed
ASGI_APPLICATION = "pomni_admin.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "pomni_admin.dashboard.context.site",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
        },
    }
]

DATABASES = {"default": ENV.database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    # What libraries keep, such as codes that were used: in PostgreSQL, so that sign-in works without Redis (SPEC 1).
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "django_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
    # The pool that `pomni_admin.cache` takes its connections from; nothing else uses it.
    "redis": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": ENV.ordinary_redis_url or "redis://127.0.0.1:6379/0",
        "OPTIONS": {
            "CONNECTION_POOL_CLASS": "redis.connection.BlockingConnectionPool",
            "CONNECTION_POOL_KWARGS": {
                "max_connections": ENV.cache.max_connections,
                "timeout": ENV.cache.timeout.total_seconds(),
            },
            "SOCKET_CONNECT_TIMEOUT": ENV.cache.timeout.total_seconds(),
            "SOCKET_TIMEOUT": ENV.cache.timeout.total_seconds(),
        },
    },
}

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "dashboard:overview"
LOGOUT_REDIRECT_URL = LOGIN_URL
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

if ENV.mode == "test":
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a real one takes a third of a second

# Of django-allauth the sign-in in steps and the second factor; docs/decisions/0019 says why no more of it.
ACCOUNT_ADAPTER = "pomni_admin.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False  # accounts.throttle counts
MFA_ADAPTER = "pomni_admin.accounts.adapters.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "pomni_admin.accounts.forms.CodeForm",
    "activate_totp": "pomni_admin.accounts.forms.FirstCodeForm",
}
MFA_TOTP_ISSUER = "Pomni Admin"
MFA_TOTP_TOLERANCE = 1  # steps of 30 s: telephones' clocks differ; each code is taken once all the same
MFA_RECOVERY_CODES_SHOW_ONCE = True

# A browser takes a cookie of such a name only over TLS, and gives it to no other host: no neighbour can plant one.
HOST_ONLY = "__Host-" if ENV.is_production else ""

# Sessions live in PostgreSQL, so that sign-in works without Redis (SPEC 1).
SESSION_ENGINE = "pomni_admin.accounts.session_store"
SESSION_COOKIE_NAME = f"{HOST_ONLY}pomni_session"
SESSION_COOKIE_AGE = ENV.session_max_s
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = ENV.is_production
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True  # no script of ours reads them
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = (
    "Lax"  # "Strict" would break links from chats
)
CSRF_COOKIE_NAME = f"{HOST_ONLY}csrftoken"

# TLS ends at the host's proxy, which sets the header. What comes without TLS is sent there, but for the probes.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.is_production else None
SECURE_SSL_REDIRECT = ENV.is_production
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = ENV.hsts_s
SECURE_HSTS_INCLUDE_SUBDOMAINS = ENV.hsts_subdomains
SECURE_HSTS_PRELOAD = ENV.hsts_preload
SILENCED_SYSTEM_CHECKS = [
    "security.W005",
    "security.W021",
]  # HSTS for other hosts is for their owner to say, see env.py
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = limits.BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = limits.FIELDS
DATA_UPLOAD_MAX_NUMBER_FILES = 0
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]  # nothing touches the disk
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "object-src": [NONE],
        "frame-src": [NONE],
        "child-src": [NONE],
        "worker-src": [NONE],
        "manifest-src": [NONE],
        "media-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "upgrade-insecure-requests": ENV.is_production,
    }
}

LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", _("Russian")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "pomni_language"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles" if ENV.is_production else None  # else found where it is
WHITENOISE_USE_FINDERS = not ENV.is_production
STORAGES = {
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if ENV.is_production
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Celery only wakes workers up (G9); why each of these is set is told in docs/decisions.
CELERY_BROKER_URL = ENV.celery_broker_url
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "global_keyprefix": f"{ENV.cache.key_prefix}celery:",
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30.0
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "what is due": {"task": "summaries.start_due", "schedule": 60.0},
    "vectors": {
        "task": "summaries.repair_vectors",
        "schedule": crontab(hour=ENV.repair_at.hour, minute=ENV.repair_at.minute),
    },
    "retention": {"task": "summaries.roll_up", "schedule": crontab(minute=30)},
}

LOGGING = logs.configuration(ENV.log_level)
