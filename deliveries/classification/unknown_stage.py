"""What an answer means where nobody knows what it answered."""

from dataclasses import replace

from deliveries.classification.classifier import Answer, Classified, classify
from deliveries.smtp.outcomes import Stage

# A reply to the recipient speaks of the address; to the whole message, or in a report, it may be
# the recipient's own filter.
EITHER = (Stage.RCPT, Stage.BODY)


def readings(answer: Answer) -> list[tuple[Stage | None, Classified]]:
    """Return what it means at each stage, or once, without a stage, where that is the same."""
    if answer.stage is not None:
        return [(None, classify(answer))]
    found = [(stage, classify(replace(answer, stage=stage))) for stage in EITHER]
    if len({(each.class_, each.is_hard) for _stage, each in found}) == 1:
        return [(None, found[0][1])]
    return list(found)
