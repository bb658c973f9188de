"""Looks for static files once for a worker.

Each client of a test has a stack of middleware of its own, and WhiteNoise looks for all static
files as it is made: that takes longer than most pages.
"""

from whitenoise.middleware import WhiteNoiseMiddleware

_look = WhiteNoiseMiddleware.add_files_from_finders
_found: dict = {}


def add_files_once(self):
    """Stand in for `WhiteNoiseMiddleware.add_files_from_finders`."""
    if not _found:
        _look(self)
        _found.update(self.files)
    self.files.update(_found)


WhiteNoiseMiddleware.add_files_from_finders = add_files_once
