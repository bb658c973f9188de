"""The admin site of the portal."""

from unfold.sites import UnfoldAdminSite


class PortalSite(UnfoldAdminSite):
    """Unfold's admin site; the second factor is added where two_factor is set up."""
