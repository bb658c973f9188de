"""Where each page of the portal is.

What is not in `relay_portal.access.middleware.OPEN` demands a second factor.
"""

from django.contrib import admin
from django.urls import include, path
from django.views.decorators.http import require_POST
from two_factor.plugins.webauthn import urls as webauthn
from two_factor.views import QRGeneratorView

from relay_portal import apps
from relay_portal.access import accepting, account, confirming, own_language, own_time_zone
from relay_portal.openid import views as openid
from relay_portal.pages.health import health
from relay_portal.pages.metrics import metrics
from relay_portal.pages.unsubscribe import unsubscribe

apps.make_passkeys_ready()
admin.autodiscover()

# two_factor's own names, since its views look each other up; left out are its switch to do without
# a second factor, and phones.
account_pages = [
    path("login/", account.LogIn.as_view(), name="login"),
    path("invitation/", accepting.invitation, name="invitation"),
    path("invitation/<str:token>/", accepting.open_invitation, name="open_invitation"),
    path("logout/", require_POST(openid.log_out), name="logout"),
    path("confirm/", confirming.confirm, name="confirm"),
    path("confirm/repeat/", confirming.repeat, name="repeat"),
    path("provider/", openid.begin, name="provider"),
    path("provider/return/", openid.come_back, name="provider_return"),
    path("provider/end/", openid.end_sessions, name="provider_ends"),
    path("security/", account.Profile.as_view(), name="profile"),
    path("security/setup/", account.SetUp.as_view(), name="setup"),
    path("security/setup/qr/", QRGeneratorView.as_view(), name="qr"),
    path("security/codes/", account.RecoveryCodes.as_view(), name="backup_tokens"),
    path("security/remove/<path:factor>/", account.remove_factor, name="remove_factor"),
    path("security/time-zone/", own_time_zone.choose, name="time_zone"),
    path("security/sessions/end/", account.end_sessions, name="end_sessions"),
    path("security/sessions/<str:name>/end/", account.end_sessions, name="end_session"),
    path("security/passkey/", include(webauthn, "webauthn")),
]

urlpatterns = [
    path("health/", health, name="health"),
    path("metrics/", metrics, name="metrics"),
    path("u/<str:token>/", unsubscribe, name="unsubscribe"),
    path("language/", own_language.choose, name="set_language"),
    path("account/", include((account_pages, "two_factor"))),
    path("", admin.site.urls),
]

handler400 = "relay_portal.pages.errors.bad_request"
handler403 = "relay_portal.pages.errors.forbidden"
handler404 = "relay_portal.pages.errors.not_found"
handler500 = "relay_portal.pages.errors.failed"
