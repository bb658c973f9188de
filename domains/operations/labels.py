"""Colours of the labels in a list."""

from __future__ import annotations


class Labels(dict[str, str]):
    """A colour for each code; a code without one has none.

    Unfold shows the bare code in place of its words where a plain dictionary lacks it.
    """

    def __missing__(self, code: str) -> str:
        return ""
