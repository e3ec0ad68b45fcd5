"""The images of a data set: a statement in, checked rows with labels out.

The rows are sorted by image_id and have: `image_id`, `labels` (sorted, without repeats), and of the statement's columns
`split` and those that the groups are made of.
"""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from imagelake.datasets.options import number_of
from imagelake.errors import QueryError, UsageError
from imagelake.lake.labels import newer_labels
from imagelake.lake.script import run_query
from imagelake.lake.session import Session

_LABELS = pa.list_(pa.string())


def choose(session: Session, statement: str, parameters: Mapping[str, object], group_by: Sequence[str]) -> pa.Table:
    """Run the statement; returns its rows, sorted by image_id, without the columns that nobody needs.

    Raises:
        QueryError: the statement is wrong.
        UsageError: it gives no rows, or no image_id, or one that is null, there twice or not in the lake.
    """
    reader = run_query(session, statement, parameters)
    names = reader.schema.names
    wanted = [name for name in dict.fromkeys(("image_id", "label", "labels", "split", *group_by)) if name in names]
    if "image_id" not in names:
        raise UsageError(f"the statement gives no column image_id, only {', '.join(names)}: select it")
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise UsageError(f"the statement gives the column {twice[0]} twice: name the columns that you want")
    try:
        batches = [batch.select(wanted) for batch in reader]
    except (OSError, pa.ArrowException) as error:  # what goes wrong while the query runs on
        raise QueryError(str(error)) from error
    chosen = pa.Table.from_batches(batches, pa.schema([reader.schema.field(name) for name in wanted]))
    if not pa.types.is_string(chosen.schema.field("image_id").type):
        raise UsageError(f"the statement's image_id is {chosen.schema.field('image_id').type}, not a text")
    if not chosen.num_rows:
        raise UsageError("the statement gives no rows: nothing to make a data set of")
    _check_ids(session, chosen.select(["image_id"]))
    return chosen.sort_by("image_id")


def _check_ids(session: Session, ids: pa.Table) -> None:
    session.con.register("dataset_ids", ids)
    found = session.execute(
        "select count(*) filter (image_id is null), count(image_id) - count(distinct image_id) from dataset_ids"
    ).fetchall()
    nulls, repeats = found[0]
    if nulls:
        raise UsageError(f"the statement gives {number_of(nulls, 'row')} without an image_id: leave them out")
    if repeats:
        example = "select image_id from dataset_ids group by image_id having count(*) > 1 order by image_id limit 1"
        (one,) = session.execute(example).fetchall()[0]
        raise UsageError(
            f"the statement gives {number_of(repeats, 'row')} too many, such as {one} twice: use select distinct"
        )
    strangers = session.execute(
        "select count(*), min(d.image_id) from dataset_ids as d anti join images as i on d.image_id = i.image_id"
    ).fetchall()[0]
    if strangers[0]:
        raise UsageError(
            f"not in the lake: {number_of(strangers[0], 'image')} of the statement, such as {strangers[1]}"
        )


def labelled(
    session: Session, chosen: pa.Table, task: str | None, *, multi: bool
) -> tuple[pa.Table, dict[str, str | None]]:
    """Give every row its labels.

    Args:
        session: a session over the lake.
        chosen: as `choose` gives them.
        task: the task in `current_labels`; None where the statement gives the labels, or for a data set without any.
        multi: whether an image may have several labels.

    Returns:
        The rows, without images that have no label; and what there is to say about it.

    Raises:
        UsageError: unknown task, labels of a wrong type, several labels, annotators that disagree.
    """
    told: dict[str, str | None] = {}
    given = [name for name in ("label", "labels") if name in chosen.schema.names]
    if len(given) > 1:
        raise UsageError("the statement gives label and labels: select one of them")
    if given:
        labels = _given(session, chosen, given[0])
    elif task is not None:
        labels = _of_task(session, task, told)
    else:
        labels = pa.array([[]], _LABELS).take(pa.array([0] * chosen.num_rows))
    others = [name for name in chosen.schema.names if name != "labels"]  # label stays, for --group-by
    rows = chosen.select(others).append_column("labels", labels)
    rows = rows.filter(pc.is_valid(rows["labels"]))
    if missing := chosen.num_rows - rows.num_rows:
        told["left out"] = f"{number_of(missing, 'image')} without a label"
    if not rows.num_rows:
        raise UsageError("none of the images has a label: nothing to make a data set of")
    if not multi and given != ["labels"]:
        _check_single(rows)
    return rows, told


def _given(session: Session, chosen: pa.Table, name: str) -> pa.ChunkedArray:
    """The labels of the statement's column `label` (one text) or `labels` (a list of texts)."""
    kind = chosen.schema.field(name).type
    if name == "labels" and not (pa.types.is_list(kind) and pa.types.is_string(kind.value_type)):
        raise UsageError(f"the statement's column labels is {kind}, not a list of texts: call one text label")
    if name == "label" and pa.types.is_nested(kind):
        raise UsageError(f"the statement's column label is {kind}: call a list of texts labels")
    session.con.register("dataset_given", chosen.select(["image_id", name]))
    made = "[label::varchar]" if name == "label" else "list_sort(list_distinct(labels))"
    sql = f"select if({name} is null, null, {made}) as labels from dataset_given order by image_id"
    return session.arrow(sql)["labels"].cast(_LABELS)


_OF_TASK = """
with said as (
  select l.image_id, l.annotator, list_sort(list_distinct(list(l.label))) as labels
  from current_labels as l
  semi join dataset_ids as d on l.image_id = d.image_id
  where l.task = $task
  group by l.image_id, l.annotator
),
heard as (
  select image_id, any_value(labels) as labels, count(distinct labels) as opinions
  from said
  group by image_id
),
settled as (
  select image_id, any_value(label) as label from consensus_labels where task = $task group by image_id
)
select
  d.image_id, h.opinions, s.label,
  case when h.opinions = 1 then h.labels when s.label is not null then [s.label] end as labels
from dataset_ids as d
left join heard as h on d.image_id = h.image_id
left join settled as s on d.image_id = s.image_id
order by d.image_id
"""


def _of_task(session: Session, task: str, told: dict[str, str | None]) -> pa.ChunkedArray:
    """What the annotators of a task say; where they disagree, the consensus."""
    known = [row[0] for row in session.execute("select distinct task from labels order by task").fetchall()]
    if task not in known:
        there = f"tasks: {', '.join(known)}" if known else "the lake has no labels"
        raise UsageError(f"--task {task}: no such labels; {there}")
    found = session.arrow(_OF_TASK, {"task": task})
    torn = pc.greater(found["opinions"], 1)
    unsettled = found.filter(pc.and_kleene(torn, pc.is_null(found["label"])))
    if unsettled.num_rows:
        raise UsageError(
            f"annotators disagree on {number_of(unsettled.num_rows, 'image')}, such as {unsettled['image_id'][0]},"
            f" and there is no consensus: run `imagelake curate consensus --task {task}`, or select the column label"
        )
    if settled := found.filter(torn).num_rows:
        told["consensus"] = f"consensus_labels settles {number_of(settled, 'image')} on which annotators disagree"
        if newer := newer_labels(session, task):
            told["labels newer than the consensus"] = f"{newer:,} (run curate consensus again)"
    return found["labels"].cast(_LABELS)


def _check_single(rows: pa.Table) -> None:
    several = rows.filter(pc.greater(pc.list_value_length(rows["labels"]), 1))
    if several.num_rows:
        one = several.slice(0, 1).to_pylist()[0]
        raise UsageError(
            f"{number_of(several.num_rows, 'image')} with several labels, such as {one['image_id']}:"
            f" {', '.join(one['labels'])}; give --multi-label if that is meant, or select the column label"
        )
