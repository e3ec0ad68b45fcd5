"""Consensus of several annotators by cleanlab: CROWDLAB with predictions, a majority vote without.

In: who gave which image which class. Out: one class per image with its quality, and the quality of each annotator.
CROWDLAB: Goh, Tkachenko and Mueller 2022, "CROWDLAB: Supervised learning to infer consensus labels and quality scores
for data with multiple annotators" (arXiv 2210.06812).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from imagelake.curate.labels.given import SAID, Given, hold_task
from imagelake.curate.labels.scores import Scores
from imagelake.curate.optional import needed
from imagelake.errors import UsageError
from imagelake.lake.session import Session

_CELLS = 500_000_000  # of the matrix: 4 GB


@dataclass(frozen=True)
class Votes:
    """Who says what.

    Args:
        task: name of the labelling task.
        image_ids: text (n,), ascending.
        annotators: M names.
        classes: K names.
        said: float64 (n, M), the class that the annotator gave the image, 0..K-1; NaN for none.
        contradicted: images left out because one annotator gave them several classes.
    """

    task: str
    image_ids: pa.Array
    annotators: list[str]
    classes: list[str]
    said: NDArray[np.float64]
    contradicted: int = 0

    def given(self) -> Given:
        """All that was said as labels, several per image."""
        rows, columns = np.nonzero(~np.isnan(self.said))
        codes = self.said[rows, columns].astype(np.int64)
        return Given(self.task, self.image_ids, rows, codes, self.classes, False, self.annotators)

    def like(self, given: Given) -> "Votes":
        """The same for the images and in the classes of these labels, a part of what `given()` gave."""
        keep = pc.is_in(self.image_ids, value_set=given.image_ids).to_numpy(zero_copy_only=False)
        said = self.said[keep]
        rows, columns = np.nonzero(~np.isnan(said))
        said[rows, columns] = given.codes
        present = ~np.isnan(said).all(axis=0)
        names = [name for name, is_there in zip(self.annotators, present, strict=True) if is_there]
        return replace(self, image_ids=given.image_ids, annotators=names, classes=given.classes, said=said[:, present])


@dataclass(frozen=True)
class Settled:
    """The consensus on n images, and what it says of M annotators.

    Args:
        codes: int64 (n,).
        quality: float64 (n,), 0 to 1.
        agreement: float64 (n,): share of the image's annotators that gave the consensus.
        trust: float64 (M,), 0 to 1: quality of the annotator; NaN for one who shares no image with another.
        agreed: float64 (M,): share of the annotator's images where he gave the consensus.
        worst: int64 (M,): the class that the annotator gets wrong most often.
    """

    codes: NDArray[np.int64]
    quality: NDArray[np.float64]
    agreement: NDArray[np.float64]
    trust: NDArray[np.float64]
    agreed: NDArray[np.float64]
    worst: NDArray[np.int64]


def votes_of(session: Session, task: str, *, skip_contradictions: bool) -> Votes:
    """What the annotators of a task say now.

    Raises:
        UsageError: the task has no labels or one annotator, or an annotator gives an image several labels.
    """
    hold_task(session, task)
    session.execute(SAID, {"task": task, "annotator": None})
    session.execute(_CONTRADICTED)
    contradicted = int(session.execute("select count(*) from contradicted").fetchall()[0][0])
    if contradicted and not skip_contradictions:
        image_id, annotator, labels = session.execute(_EXAMPLE).fetchall()[0]
        raise UsageError(
            f"task {task}: annotators contradict themselves on {contradicted:,} images: {annotator} says that"
            f" {image_id} is {' and '.join(labels)}. Label such images anew (the newest label of an annotator counts),"
            " or use --skip-contradictions to leave them out. Where an image may have several labels there is no"
            f" consensus: use `imagelake curate label-issues --task {task} --multilabel --annotator {annotator}`"
        )
    return _votes(task, session.arrow(_VOTES), contradicted)


def _votes(task: str, found: pa.Table, contradicted: int) -> Votes:
    annotators, classes = (sorted(pc.unique(found[name]).to_pylist()) for name in ("annotator", "label"))
    if len(annotators) < 2:
        who = annotators[0] if annotators else "nobody"
        raise UsageError(f"task {task}: only {who} has labelled it: a consensus needs two annotators or more")
    ids = found["image_id"].combine_chunks().dictionary_encode()  # in the order of first appearance: ascending
    if len(ids.dictionary) * len(annotators) > _CELLS:
        size = f"{len(ids.dictionary):,} images by {len(annotators):,} annotators"
        raise UsageError(f"task {task}: {size} are too many for a consensus: their product is above {_CELLS:,}")
    said = np.full((len(ids.dictionary), len(annotators)), np.nan)
    columns, codes = (
        pc.index_in(found[name].combine_chunks(), value_set=pa.array(names, pa.string())).to_numpy()
        for name, names in (("annotator", annotators), ("label", classes))
    )
    said[ids.indices.to_numpy(), columns] = codes
    return Votes(task, ids.dictionary, annotators, classes, said, contradicted)


def settle(votes: Votes, scores: Scores | None) -> Settled:
    """The consensus.

    Ties of a majority vote go to the class that the predictions favour, then to the rarer class, then to the better
    annotators, then to chance, with a fixed seed (cleanlab.multiannotator.get_majority_vote_label).

    Args:
        votes: of n images.
        scores: their out-of-sample probabilities; None for a majority vote, whose quality is the agreement.

    Raises:
        UsageError: the annotators share no image, or agree on none.
        ModelUnavailable: cleanlab is not installed.
    """
    _hold_agreement(votes)
    size = (len(votes.said), max(2, len(votes.classes)))
    even = np.full(size, 1 / size[1])
    with _seeded():
        found = needed("cleanlab.multiannotator").get_label_quality_multiannotator(
            votes.said,
            even if scores is None else scores.values,
            consensus_method="majority_vote" if scores is None else "best_quality",
            quality_method="agreement" if scores is None else "crowdlab",
            return_detailed_quality=False,
            verbose=False,
        )
    images, people = found["label_quality"], found["annotator_stats"].sort_index()
    return Settled(
        codes=images["consensus_label"].to_numpy(np.int64),
        quality=images["consensus_quality_score"].to_numpy(np.float64).clip(0, 1),
        agreement=images["annotator_agreement"].to_numpy(np.float64).clip(0, 1),
        trust=people["annotator_quality"].to_numpy(np.float64).clip(0, 1),
        agreed=people["agreement_with_consensus"].to_numpy(np.float64).clip(0, 1),
        worst=people["worst_class"].to_numpy(np.int64),
    )


def _hold_agreement(votes: Votes) -> None:
    rows, columns = np.nonzero(~np.isnan(votes.said))
    if not (np.bincount(rows) > 1).any():
        raise UsageError(f"task {votes.task}: no image was labelled by two annotators: there is nothing to settle")
    cells = rows * len(votes.classes) + votes.said[rows, columns].astype(np.int64)
    counts = np.bincount(cells, minlength=len(votes.said) * len(votes.classes)).reshape(len(votes.said), -1)
    best = counts.max(axis=1)
    untied = (counts == best[:, np.newaxis]).sum(axis=1) == 1
    if not (best > 1).any() or not untied.any():
        raise UsageError(f"task {votes.task}: the annotators agree on no image: there is no consensus")


@contextmanager
def _seeded() -> Iterator[None]:
    """The same result every time: cleanlab draws the last ties from the global generator, and warns of each."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "breaking ties of examples", UserWarning)
            yield
    finally:
        np.random.set_state(state)


_CONTRADICTED = """
create or replace temp table contradicted as
select distinct image_id from (select image_id from said group by image_id, annotator having count(*) > 1)
"""

_EXAMPLE = """
select image_id, annotator, list(label order by label) as labels
from said
group by image_id, annotator
having count(*) > 1
order by image_id, annotator
limit 1
"""

_VOTES = """
select s.image_id, s.annotator, s.label
from said as s
anti join contradicted as c on s.image_id = c.image_id
order by s.image_id, s.annotator
"""
