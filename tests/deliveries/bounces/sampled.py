"""The samples and what is expected of them."""

import csv
from collections import defaultdict
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"


def table(name):
    with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def expected():
    """Map each file to its kind and to (recipient, class, whether hard) of each."""
    mails = defaultdict(list)
    for row in table("expected.tsv"):
        mails[row["file"], row["kind"]].append(
            (row["recipient"], row["class"], row["hard"] == "yes")
        )
    return [
        (file, kind, [each for each in fates if each[0]]) for (file, kind), fates in mails.items()
    ]
