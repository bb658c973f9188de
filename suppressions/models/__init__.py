"""The rows of this app: whom we must not write to, what was learned about addresses, and what a
project makes of it.
"""

from suppressions.models.brakes import Brake
from suppressions.models.imports import Import, ImportState
from suppressions.models.occurrences import Occurrence, OccurrenceKind
from suppressions.models.policies import Policy
from suppressions.models.suppressions import Suppression

__all__ = [
    "Brake",
    "Import",
    "ImportState",
    "Occurrence",
    "OccurrenceKind",
    "Policy",
    "Suppression",
]
