"""Reads the rules that people have added, for whoever classifies in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from deliveries.classification import classifier
from deliveries.classification.local_rules import LocalRules, ParsedLocalRule
from deliveries.models import LocalRule as Row
from deliveries.smtp.outcomes import Stage
from suppressions.classes import Class

_taken = ""  # what the rules that were read last are

COLUMNS = ("name", "category", "pattern", "is_hard", "detail", "providers", "stages", "codes")


def load() -> None:
    """Load the active rules, over Django's connection."""
    take(Row.objects.filter(is_active=True).values_list(*COLUMNS))


def take(rows: Iterable[Sequence[Any]]) -> None:
    """Use the rules in these rows of `COLUMNS`.

    A row that was stored once and is no longer valid is skipped, so that the others work.
    """
    rules = []
    rows = list(rows)
    for row in rows:
        try:
            made = rule_of(row)
            LocalRules([made])
        except ValueError:
            continue
        rules.append(made)
    classifier.add(LocalRules(rules) if rules else None)
    global _taken
    spelled = sorted(map(repr, map(list, rows)))
    _taken = f"+{hashlib.sha256(repr(spelled).encode()).hexdigest()[:8]}" if rules else ""


def version() -> str:
    """Return a digest of the shipped tables and the loaded rules; it changes with any rule."""
    return classifier.version() + _taken


def rule_of(row: Sequence[Any]) -> ParsedLocalRule:
    """Return the rule that a row holds; raise `ValueError`."""
    name, category, pattern, is_hard, detail, providers, stages, codes = row
    return ParsedLocalRule(
        name,
        Class(category),
        pattern,
        is_hard,
        detail,
        frozenset(providers),
        frozenset(map(Stage, stages)),
        frozenset(codes),
    )
