"""The portal's pages about suppressions and the policies that make them."""

from suppressions.admin import brakes, imports, policies, suppressions

__all__ = ["brakes", "imports", "policies", "suppressions"]
