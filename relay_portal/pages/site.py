"""The admin site of the portal: Unfold's, which demands a verified second factor and takes only
pages made for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from two_factor.admin import AdminSiteOTPRequiredMixin
from unfold.sites import UnfoldAdminSite

from domains.foundation import rights
from domains.operations.pages import Pages
from relay_portal.pages.navigation import Text, titles

FOUND = 302


# neither publishes types
class PortalSite(AdminSiteOTPRequiredMixin, UnfoldAdminSite):  # type: ignore[misc]
    """Unfold's admin site with a second factor; its index is the home page."""

    index_title = _("Overview")
    enable_nav_sidebar = True

    # Django's signature.
    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register pages of ours only: other apps' would show support staff all projects' rows, and
        the seeds of second factors.
        """
        if admin_class is not None and issubclass(admin_class, Pages):
            super().register(model_or_iterable, admin_class, **options)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from relay_portal.pages import home, queues, routes

        return [
            path("queues/", include(queues.urls(self.admin_view))),
            *(path(route, self._page(name, view), name=name) for route, name, view in routes.PAGES),
            path("home/figures/", self._page("index", home.figures), name="home_figures"),
            *(
                path(route, self.admin_view(view), name=name)
                for route, name, view in routes.OF_ROWS
            ),
            # Django's redirect to any row tells whether there is one
            *(each for each in super().get_urls() if getattr(each, "name", "") != "view_on_site"),
        ]

    def _page(self, name: str, view: Callable[[HttpRequest], HttpResponse]) -> Any:
        """Return the view for those who may see the page of this name."""

        def page(request: HttpRequest) -> HttpResponse:
            if not rights.may(request.user, rights.SEE, name):
                raise PermissionDenied
            return view(request)

        return self.admin_view(page)

    def title_of(self, model: str) -> Text:
        """Return what the sidebar calls the list of this model."""
        return titles()[model]

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """Return nothing for all apps together.

        The sidebar is `navigation`'s, and each page would work the list out once more.
        """
        return list(super().get_app_list(request, app_label)) if app_label else []

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Find nothing: the sidebar names all pages, and Unfold's search has no list of them."""
        return HttpResponse()

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from django.contrib.auth.views import PasswordChangeView

        from relay_portal.access import known_devices
        from relay_portal.access.account import note
        from relay_portal.access.password_forms import OwnPassword

        request.current_app = self.name
        answer = PasswordChangeView.as_view(
            form_class=OwnPassword,  # where Unfold has a form that writes the whole row back
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )(request)
        assert isinstance(answer, HttpResponse)
        # A form with mistakes is shown again.
        if request.method == "POST" and answer.status_code == FOUND:
            note(request, "change_password")
            assert request.user.is_authenticated
            known_devices.remember(answer, request.user)  # it was known by the old one
        return answer

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from relay_portal.openid import views

        return require_POST(views.log_out)(request)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from relay_portal.pages import home

        # Its numbers are of all projects; support staff begins where it works.
        return (
            home.page(request)
            if rights.may(request.user, rights.SEE, "index")
            else redirect("admin:deliveries_message_changelist")
        )
