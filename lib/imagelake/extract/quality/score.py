"""One number and one word for four damages, by digiKam's rule (imagequalitycalculator.cpp).

sql/curation/quality_verdicts.sql holds the same rule for other weights and thresholds.
"""

import math
from collections.abc import Iterable

SEVERE = 0.9  # a damage above this weighs...
SEVERE_TIMES = 20  # ...so many times as much
REJECTED_TO, ACCEPTED_FROM = 10, 60  # of the score without its fraction


def score(damages: Iterable[float | None]) -> float | None:
    """100 x (1 - weighted mean of the damages); what is None was not judged and has no weight.

    Returns:
        0 to 100; None where nothing was judged.
    """
    judged = [damage for damage in damages if damage is not None]
    if not judged:
        return None
    weights = [SEVERE_TIMES if damage > SEVERE else 1 for damage in judged]
    mean = sum(w * d for w, d in zip(weights, judged, strict=True)) / sum(weights)
    return 100 * (1 - mean)


def verdict(points: float | None) -> str | None:
    """`rejected` up to a score of 10, `pending` up to 60, else `accepted`; fractions are cut off first, as there."""
    if points is None:
        return None
    whole = math.floor(points)
    if whole <= REJECTED_TO:
        return "rejected"
    return "pending" if whole <= ACCEPTED_FROM else "accepted"
