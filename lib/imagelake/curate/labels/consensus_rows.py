"""A consensus -> rows of the tables `consensus_labels` and `annotators`."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from imagelake.curate.labels.consensus import Settled, Votes

_ROWS = 100_000


def consensus_rows(votes: Votes, settled: Settled, model_id: str | None, run_id: str) -> Iterator[pa.Table]:
    """One row per image."""
    classes = pa.array(votes.classes, pa.string())
    now = datetime.now(UTC)
    for start in range(0, len(votes.said), _ROWS):
        part = slice(start, start + _ROWS)
        size = len(votes.said[part])
        yield pa.table(
            {
                "task": pa.repeat(votes.task, size),
                "image_id": votes.image_ids[part],
                "label": classes.take(pa.array(settled.codes[part])),
                "consensus_quality": settled.quality[part],
                "agreement": settled.agreement[part],
                "annotators": (~np.isnan(votes.said[part])).sum(axis=1).astype(np.int32),
                "model_id": pa.repeat(pa.scalar(model_id, pa.string()), size),
                "run_id": pa.repeat(run_id, size),
                "computed_at": pa.repeat(pa.scalar(now), size),
            }
        )


def annotator_rows(votes: Votes, settled: Settled, run_id: str) -> pa.Table:
    """One row per annotator."""
    size = len(votes.annotators)
    return pa.table(
        {
            "task": pa.repeat(votes.task, size),
            "annotator": pa.array(votes.annotators, pa.string()),
            "images": (~np.isnan(votes.said)).sum(axis=0),
            "quality": pa.array(settled.trust, from_pandas=True),  # NaN as null
            "agreement_with_consensus": settled.agreed,
            "worst_class": pa.array(votes.classes, pa.string()).take(pa.array(settled.worst)),
            "run_id": pa.repeat(run_id, size),
            "computed_at": pa.repeat(pa.scalar(datetime.now(UTC)), size),
        }
    )
