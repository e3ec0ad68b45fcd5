"""Votes of the nearest neighbours: out-of-sample probabilities of classes from the shared table `neighbours`.

An image is no neighbour of itself, and its duplicates do not vote: copies would confirm their own wrong labels. (The
weights: Wu et al. 2018, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", section 3.4.)
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.lake.session import Session

NEIGHBOURS = 20
_TEMPERATURE = 0.07  # as in the paper
_PRIOR = 1.0  # votes shared out by how frequent the classes are: what no neighbour has is unlikely, not impossible


def knn_scores(
    session: Session, model_id: str, given: Given, groups: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Probabilities of each image by the labels of its neighbours.

    A neighbour's vote weighs exp((s - s1) / 0.07), s its cosine and s1 that of the nearest one that may vote; one more
    vote is shared out among the classes by their frequency.

    Args:
        session: a session that sees the model's rows of `neighbours`.
        model_id: the model of the vectors.
        given: labels of n images.
        groups: int64 (n,), the same number for duplicates.

    Returns:
        float32 (n, K), rows add up to 1 for one label per image; and which images have a neighbour that may vote,
        bool (n,): the others have the frequencies of the classes.
    """
    ids = pa.table({"image_id": given.image_ids, "place": np.arange(len(given)), "duplicates": groups})
    session.con.register("knn_images", ids)
    votes = session.arrow(_VOTES, {"model": model_id, "neighbours": NEIGHBOURS})
    image, other = (votes[name].to_numpy() for name in ("image", "other"))
    weights = np.exp((votes["similarity"].to_numpy() - votes["nearest"].to_numpy()) / _TEMPERATURE)
    # One row per label of the one who votes.
    starts = np.searchsorted(given.rows, np.arange(len(given) + 1))
    labels = np.diff(starts)[other]
    which = np.arange(labels.sum()) - np.repeat(np.cumsum(labels) - labels, labels)
    codes = given.codes[np.repeat(starts[other], labels) + which]
    cells = np.repeat(image, labels) * len(given.classes) + codes
    voted = np.bincount(cells, np.repeat(weights, labels), minlength=len(given) * len(given.classes))
    total = np.bincount(image, weights, minlength=len(given)) + _PRIOR
    prior = _PRIOR * given.counts() / len(given)
    scores = (voted.reshape(len(given), -1) + prior) / total[:, np.newaxis]
    return scores.astype(np.float32), np.bincount(image, minlength=len(given)) > 0


_VOTES = """
select i.place as image, o.place as other, n.similarity, max(n.similarity) over (partition by i.place) as nearest
from neighbours as n
join knn_images as i on n.image_id = i.image_id
join knn_images as o on n.other_id = o.image_id
where n.model_id = $model and n.rank <= $neighbours and i.duplicates <> o.duplicates
"""
