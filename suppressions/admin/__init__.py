"""The portal's pages about suppressions and the policies that make them."""

from suppressions.admin import imports, policies, suppressions

__all__ = ["imports", "policies", "suppressions"]
