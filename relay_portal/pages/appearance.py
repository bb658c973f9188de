"""How the portal looks: the settings of Unfold, its theme, and what its pages may load."""

from typing import Any

# There is no inline script anywhere, and Alpine, which Unfold is made with, comes in the build that
# reads its attributes without eval (`relay_portal/vendored`).
CONTENT_POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
}


def appearance(host: str) -> dict[str, Any]:
    """Return Unfold's settings; `host` is shown under the name."""
    return {
        "SITE_TITLE": "Ekiden",
        "SITE_HEADER": "Ekiden",
        "SITE_SUBHEADER": host,
        "SITE_URL": None,
        "SITE_SYMBOL": "directions_run",
        "SITE_FAVICONS": [
            {"rel": "icon", "type": "image/svg+xml", "href": "/static/relay_portal/icon.svg"}
        ],
        "SHOW_HISTORY": False,
        "SHOW_VIEW_ON_SITE": False,
        "SHOW_LANGUAGES": True,
        "STYLES": ["/static/relay_portal/portal.css"],
        "SCRIPTS": ["/static/relay_portal/alpine.js", "/static/relay_portal/portal.js"],
        "BORDER_RADIUS": "6px",
        "COLORS": {
            "primary": {
                "50": "oklch(97% .014 254.604)",
                "100": "oklch(93.2% .032 255.585)",
                "200": "oklch(88.2% .059 254.128)",
                "300": "oklch(80.9% .105 251.813)",
                "400": "oklch(70.7% .165 254.624)",
                "500": "oklch(62.3% .214 259.815)",
                "600": "oklch(54.6% .245 262.881)",
                "700": "oklch(48.8% .243 264.376)",
                "800": "oklch(42.4% .199 265.638)",
                "900": "oklch(37.9% .146 265.522)",
                "950": "oklch(28.2% .091 267.935)",
            }
        },
        "ACCOUNT": {"navigation": "relay_portal.pages.navigation.account"},
        "SIDEBAR": {"show_search": False, "navigation": "relay_portal.pages.navigation.sidebar"},
    }
