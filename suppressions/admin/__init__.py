"""The portal's pages about suppressions and the policies that make them."""

from suppressions.admin import policies, suppressions

__all__ = ["policies", "suppressions"]
