"""The labels of a task as arrays: whose labels count, and what is refused because it contradicts itself.

In: a session over a lake. Out: `Given`, in the order of image_id, so that the same labels are always the same arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from imagelake.errors import UsageError
from imagelake.lake.session import Session

CONSENSUS = "consensus"


@dataclass(frozen=True)
class Wanted:
    """Which labels are judged.

    Args:
        task: name of the labelling task.
        annotator: only the labels of this one; None for all.
        consensus: those of `consensus_labels` instead.
        multilabel: whether an image may have several.
        skip_contradictions: leave out images with contradicting labels instead of refusing them.
    """

    task: str
    annotator: str | None = None
    consensus: bool = False
    multilabel: bool = False
    skip_contradictions: bool = False


@dataclass(frozen=True)
class Given:
    """Labels of images: label j says that image `rows[j]` is of class `codes[j]`.

    Args:
        task: name of the labelling task.
        image_ids: text (n,), ascending.
        rows: int64 (m,), ascending, 0..n-1; every image is there, once unless `is_multilabel`.
        codes: int64 (m,), 0..K-1.
        classes: K names.
        is_multilabel: whether an image may have several.
        annotators: who said so.
        contradicted: images left out because their labels contradict each other.
    """

    task: str
    image_ids: pa.Array
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    classes: list[str]
    is_multilabel: bool
    annotators: list[str]
    contradicted: int = 0

    def __len__(self) -> int:
        return len(self.image_ids)

    def onehot(self) -> NDArray[np.bool_]:
        """Which image has which label, (n, K)."""
        matrix = np.zeros((len(self), len(self.classes)), np.bool_)
        matrix[self.rows, self.codes] = True
        return matrix

    def counts(self) -> NDArray[np.int64]:
        """Images of each class, (K,)."""
        return np.bincount(self.codes, minlength=len(self.classes))

    def of_images(self, keep: NDArray[np.bool_]) -> "Given":
        """The same for some of the images: `keep` is (n,)."""
        stay = keep[self.rows]
        rows = np.cumsum(keep) - 1
        ids = self.image_ids.filter(pa.array(keep))
        return replace(self, image_ids=ids, rows=rows[self.rows[stay]], codes=self.codes[stay])

    def of_classes(self, classes: Sequence[str]) -> "Given":
        """The same with these classes in this order; labels of other classes are dropped, images without one, too."""
        places = {name: i for i, name in enumerate(classes)}
        recoded = np.array([places.get(name, -1) for name in self.classes], np.int64)[self.codes]
        keep = np.zeros(len(self), np.bool_)
        keep[self.rows[recoded >= 0]] = True
        stay = recoded >= 0
        known = replace(self, rows=self.rows[stay], codes=recoded[stay], classes=list(classes))
        return known.of_images(keep)


def hold_task(session: Session, task: str) -> None:
    """Hold that a task has labels.

    Raises:
        UsageError: it has none; names the tasks that there are.
    """
    tasks = _texts(session, "select distinct task from labels order by task")
    if not tasks:
        raise UsageError(
            "the lake has no labels: bring some in, such as with `imagelake ingest --labels-from-folders TASK`"
        )
    if task not in tasks:
        raise UsageError(f"no labels of task {task!r}: the lake has labels of {', '.join(tasks)}")


def given_labels(session: Session, wanted: Wanted) -> Given:
    """The current labels of a task.

    Raises:
        UsageError: the task, the annotator or the consensus has no labels; or one image has labels that contradict
            each other.
    """
    hold_task(session, wanted.task)
    session.execute(
        _CONSENSUS if wanted.consensus else SAID,
        {"task": wanted.task, **({} if wanted.consensus else {"annotator": wanted.annotator})},
    )
    if not _number(session, "select count(*) from said"):
        raise UsageError(_nothing_said(session, wanted))
    session.execute(_CONTRADICTED_MULTILABEL if wanted.multilabel else _CONTRADICTED)
    contradicted = _number(session, "select count(*) from contradicted")
    if contradicted and not wanted.skip_contradictions:
        raise UsageError(contradiction(session, wanted, contradicted))
    return _given(session, wanted, contradicted)


def _given(session: Session, wanted: Wanted, contradicted: int) -> Given:
    found = session.arrow(_GIVEN)
    if found.num_rows == 0:
        raise UsageError(f"task {wanted.task}: the labels of all {contradicted:,} images contradict each other")
    ids = found["image_id"].combine_chunks()
    first = np.ones(len(ids), np.bool_)
    first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    classes = sorted(pc.unique(found["label"]).to_pylist())
    codes = pc.index_in(found["label"].combine_chunks(), value_set=pa.array(classes, pa.string()))
    annotators = session.execute("select distinct annotator from said order by annotator").fetchall()
    return Given(
        wanted.task,
        ids.filter(pa.array(first)),
        np.cumsum(first) - 1,
        codes.to_numpy(zero_copy_only=False).astype(np.int64),
        classes,
        wanted.multilabel,
        [row[0] for row in annotators],
        contradicted,
    )


def contradiction(session: Session, wanted: Wanted, images: int) -> str:
    """What contradicts what, for the first image of table `contradicted`, and what can be done."""
    image_id, said, annotators = session.execute(_EXAMPLE).fetchall()[0]
    who = "; ".join(f"{one['annotator']} says {' and '.join(one['labels'])}" for one in said)
    start = f"task {wanted.task}: {images:,} images have labels that contradict each other, such as {image_id}: {who}."
    skip = "--skip-contradictions to leave such images out"
    if annotators > 1 and wanted.multilabel:
        return f"{start} Choose whose labels count with --annotator, or {skip}"
    if annotators > 1:
        settle = f"`imagelake curate consensus --task {wanted.task}` and then --consensus to settle them"
        return f"{start} Use {settle}, --annotator to choose whose labels count, or {skip}"
    several = "--multilabel if an image may have several labels"
    return f"{start} Label such images anew (the newest label of an annotator counts), or use {several}, or {skip}"


def _nothing_said(session: Session, wanted: Wanted) -> str:
    """Why a task that has labels has none that are wanted."""
    if wanted.consensus:
        return f"no consensus for task {wanted.task}: run `imagelake curate consensus --task {wanted.task}` first"
    said = "select distinct annotator from current_labels where task = $task order by annotator"
    annotators = _texts(session, said, {"task": wanted.task})
    return f"no labels of annotator {wanted.annotator!r} for task {wanted.task}: there are {', '.join(annotators)}"


def _texts(session: Session, sql: str, parameters: dict[str, object] | None = None) -> list[str]:
    return [row[0] for row in session.execute(sql, parameters).fetchall()]


def _number(session: Session, sql: str) -> int:
    return int(session.execute(sql).fetchall()[0][0])


SAID = """
create or replace temp table said as
select distinct image_id, label, annotator
from current_labels
where task = $task and annotator = coalesce($annotator, annotator)
"""

_CONSENSUS = f"""
create or replace temp table said as
select image_id, label, '{CONSENSUS}' as annotator from consensus_labels where task = $task
"""

_CONTRADICTED = """
create or replace temp table contradicted as
select image_id from said group by image_id having min(label) <> max(label)
"""

# Annotators of one image who do not all give the same set of labels.
_CONTRADICTED_MULTILABEL = """
create or replace temp table contradicted as
select image_id
from said
group by image_id
having count(distinct annotator) > 1 and count(distinct annotator) * count(distinct label) <> count(*)
"""

# One who contradicts himself is shown before several who contradict each other.
_EXAMPLE = """
with by_annotator as (
  select image_id, annotator, list(label order by label) as labels
  from said
  where image_id in (select image_id from contradicted)
  group by image_id, annotator
)
select
  image_id,
  list({'annotator': annotator, 'labels': labels} order by annotator) as who,
  count(*) as annotators
from by_annotator
group by image_id
order by max(len(labels)) desc, image_id
limit 1
"""

_GIVEN = """
select distinct s.image_id, s.label
from said as s
anti join contradicted as c on s.image_id = c.image_id
order by s.image_id, s.label
"""
