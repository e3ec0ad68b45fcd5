"""A baseline where there are no predictions: vectors and labels of the lake in, rows of `predictions` out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from imagelake.curate.labels.given import Given
from imagelake.curate.labels.knn_vote import NEIGHBOURS, knn_scores
from imagelake.curate.labels.probe import few_pictures, folds_of, probe_scores
from imagelake.curate.labels.rows import prediction_rows
from imagelake.curate.labels.scores import Scores
from imagelake.curate.shared import make_neighbours, neighbours_are_current
from imagelake.curate.vectors import load_vectors, the_model, vector_ids
from imagelake.errors import UsageError
from imagelake.lake.dedupe_runs import not_looked_for
from imagelake.lake.lake import Lake
from imagelake.lake.pending import bound
from imagelake.lake.replace import replace_rows
from imagelake.lake.session import Session

KINDS = ("probe", "knn")


@dataclass(frozen=True)
class Baseline:
    """How a baseline is made.

    Args:
        kind: one of `KINDS`.
        model: model_id of the vectors, or how it begins; None for the only one.
        folds: folds of the cross-validation, and the fewest pictures of a class.
        seed: of the folds.
    """

    kind: str = KINDS[0]
    model: str | None = None
    folds: int = 5
    seed: int = 0


def baseline_scores(
    lake: Lake, run_id: str, given: Given, baseline: Baseline
) -> tuple[Given, Scores, Mapping[str, object]]:
    """Make out-of-sample probabilities of labelled images from stored vectors, and keep them in `predictions`.

    Args:
        lake: the lake.
        run_id: the run.
        given: the labels.
        baseline: how.

    Returns:
        The labels of the images that have a vector and a class with enough pictures; their probabilities; what was left
        out and how duplicates were kept apart, for the report.

    Raises:
        UsageError: no vectors, or fewer than two classes with enough pictures.
        ModelUnavailable: scikit-learn is not installed.
        StorageError, CommitConflict: the rows could not be written.
    """
    with Session(lake) as session:
        bound(session)
        model_id = the_model(session, baseline.model)
        known = _with_vector(session, given, model_id)
        all_groups = _groups_of(session, known)
        few = few_pictures(known, all_groups, baseline.folds)
        usable = _without(known, few, baseline.folds)
        groups = np.unique(_at(known, usable, all_groups), return_inverse=True)[1]
        unknown = not_looked_for(session, "grouped_images")
    name = f"{baseline.kind}:{model_id}"
    folds, alone = None, 0
    if baseline.kind == "knn":
        values, voted = _votes(lake, run_id, model_id, usable, groups)
        alone = len(usable) - int(voted.sum())
    else:
        folds = folds_of(usable, groups, baseline.folds, baseline.seed)
        with Session(lake) as session:
            bound(session)
            vectors = load_vectors(session, model_id, usable.image_ids)[1]
        values = probe_scores(vectors, usable, folds)
    scores = Scores(name, values, usable.is_multilabel)
    rows = prediction_rows(usable, scores, folds, run_id)
    replace_rows(lake, run_id, "predictions", {"model_id": name, "task": given.task}, rows)
    told = {
        "without a vector": len(given) - len(known),
        f"classes left out (fewer than {baseline.folds} pictures)": ", ".join(few),
        "only in classes left out": len(known) - len(usable),
        "without a labelled neighbour": alone,
        "duplicates kept apart": len(groups) - (int(groups.max()) + 1),
        "duplicates": unknown,
    }
    return usable, scores, {key: value for key, value in told.items() if value}


def _with_vector(session: Session, given: Given, model_id: str) -> Given:
    has = pc.is_in(given.image_ids, value_set=vector_ids(session, model_id)).to_numpy(zero_copy_only=False)
    if not has.any():
        raise UsageError(
            f"task {given.task}: no labelled image has a vector of {model_id}: run `imagelake extract --embed`"
        )
    return given.of_images(has)


def _at(known: Given, some: Given, values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The values of some of the images."""
    found: NDArray[np.int64] = values[pc.index_in(some.image_ids, value_set=known.image_ids).to_numpy()]
    return found


def _groups_of(session: Session, given: Given) -> NDArray[np.int64]:
    """The same number for duplicates, 0..g-1; without `dedupe`, each image is a group of its own."""
    session.con.register("grouped_images", pa.table({"image_id": given.image_ids}))
    found = session.arrow(_GROUPS)["group_id"].combine_chunks()
    numbers: NDArray[np.int64] = found.dictionary_encode().indices.to_numpy().astype(np.int64)
    return numbers


def _without(given: Given, few: list[str], least: int) -> Given:
    classes = [name for name in given.classes if name not in set(few)]
    if len(classes) < 2:
        raise UsageError(
            f"task {given.task}: fewer than two classes have {least} pictures (duplicates counted once); classes:"
            f" {', '.join(given.classes)}. Label more, or use fewer --folds"
        )
    return given.of_classes(classes)


def _votes(
    lake: Lake, run_id: str, model_id: str, given: Given, groups: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    with Session(lake) as session:
        bound(session)
        current = neighbours_are_current(session, model_id, NEIGHBOURS)
    if not current:
        make_neighbours(lake, run_id, model_id, NEIGHBOURS)
    with Session(lake) as session:
        bound(session)
        return knn_scores(session, model_id, given, groups)


_GROUPS = """
select coalesce(g.group_id, i.image_id) as group_id
from grouped_images as i
left join groups as g on i.image_id = g.image_id and g.relation = 'duplicates'
order by i.image_id
"""
