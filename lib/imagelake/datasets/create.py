"""Make a data set: rows of a statement in, rows of `dataset_images` with splits and groups out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from imagelake.datasets.components import components
from imagelake.datasets.options import DEFAULT_SPLIT, check_labels, checked_name, shares
from imagelake.datasets.sample import balanced, draw
from imagelake.datasets.split import Groups, assign, grouped
from imagelake.errors import UsageError

Indices = NDArray[np.int64]
_SHOWN = 3


@dataclass(frozen=True)
class Plan:
    """How the images are to be divided.

    Attributes:
        shares: share by split, in order; empty where every split is given, or with folds.
        folds: number of folds; None with splits.
        seed: of everything that is drawn.
    """

    shares: Mapping[str, float]
    folds: int | None
    seed: int


def classes_of(rows: pa.Table, given: Sequence[str] | None) -> list[str]:
    """The classes, sorted: those that are given, or those that occur.

    Raises:
        UsageError: a label is outside of those that are given.
    """
    found = set(pc.unique(pc.list_flatten(rows["labels"])).to_pylist())
    if given:
        check_labels(found, given)
    return sorted(set(given or found))


def flat_labels(rows: pa.Table, classes: Sequence[str]) -> tuple[Indices, Indices]:
    """Where the classes of each row start, and the class numbers of all of them."""
    lengths = pc.list_value_length(rows["labels"]).to_numpy()
    found = pc.index_in(pc.list_flatten(rows["labels"]), pa.array(classes, pa.string()))
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), found.to_numpy().astype(np.int64)


def sampled(rows: pa.Table, classes: Sequence[str], most: int | None, seed: int) -> tuple[pa.Table, str | None]:
    """At most so many rows per class, None for all; returns them, and a sentence on classes that have fewer.

    Raises:
        UsageError: there are no labels, of any class or of any image.
    """
    if most is None:
        return rows, None
    if not classes:
        raise UsageError("--per-class needs labels: give --task, or a column label in the statement")
    starts, flat = flat_labels(rows, classes)
    kept = balanced(draw(seed, rows["image_id"].to_pylist()), starts, flat, most)
    rows = rows.filter(pa.array(kept))
    if not rows.num_rows:
        raise UsageError(f"--per-class {most}: none of the images has a label, nothing to draw from")
    _, flat = flat_labels(rows, classes)
    few = [(classes[c], int(n)) for c, n in enumerate(np.bincount(flat, minlength=len(classes))) if n < most]
    listed = ", ".join(f"{name} {n:,}" for name, n in few[:10])
    more = f" and {len(few) - 10} more" if len(few) > 10 else ""
    return rows, f"{most:,} images per class" + (f"; fewer: {listed}{more}" if few else "")


def divided(rows: pa.Table, roots: Indices, classes: Sequence[str], plan: Plan) -> pa.Table:
    """Give every row its split or fold.

    Args:
        rows: image_id (sorted), labels, and `split` where it is given.
        roots: (n,) the least row of each row's group, as `components` gives it.
        classes: the classes.
        plan: shares or folds.

    Returns:
        image_id, labels, split, fold, group_id.

    Raises:
        UsageError: more folds than groups, or splits that are given and separate a group.
    """
    heads, group_of = np.unique(roots, return_inverse=True)
    starts, flat = flat_labels(rows, classes)
    images = np.repeat(np.arange(rows.num_rows), np.diff(starts))
    groups = grouped(group_of, images, flat, len(classes))
    heads_ids = rows["image_id"].take(pa.array(heads))
    order = draw(plan.seed, heads_ids.to_pylist()).view(np.int64)
    if plan.folds is not None:
        places = _folds(groups, order, plan.folds)
        split, fold = pa.nulls(rows.num_rows, pa.string()), pa.array(places[group_of], pa.int32())
    else:
        names, fixed = _given(rows, group_of, len(heads), list(plan.shares))
        places = assign(groups, list(plan.shares.values()), order, fixed) if plan.shares else fixed
        split, fold = pa.array(names).take(pa.array(places[group_of])), pa.nulls(rows.num_rows, pa.int32())
    group_id = heads_ids.take(pa.array(group_of))
    return pa.table(
        {"image_id": rows["image_id"], "labels": rows["labels"], "split": split, "fold": fold, "group_id": group_id}
    )


def _folds(groups: Groups, order: Indices, folds: int) -> Indices:
    if folds > len(groups.sizes):
        raise UsageError(f"--folds {folds}: there are only {len(groups.sizes)} groups that may be separated")
    return assign(groups, [1 / folds] * folds, order)


def _given(rows: pa.Table, group_of: Indices, count: int, names: list[str]) -> tuple[list[str], Indices]:
    """All names of splits, and for each group the number of the one that the statement gives it, else -1."""
    fixed = np.full(count, -1)
    if "split" not in rows.schema.names:
        return names, fixed
    column = rows["split"].combine_chunks()
    names = [*names, *sorted(set(pc.unique(column.drop_null()).to_pylist()) - set(names))]
    numbers = pc.fill_null(pc.index_in(column, pa.array(names, pa.string())), -1).to_numpy().astype(np.int64)
    known = numbers >= 0
    fixed[group_of[known]] = numbers[known]
    torn = np.unique(group_of[known & (fixed[group_of] != numbers)])
    if len(torn):
        pair = rows["image_id"].take(pa.array(np.flatnonzero(group_of == torn[0])[:_SHOWN])).to_pylist()
        raise UsageError(
            f"the statement's splits separate {len(torn):,} groups, such as {', '.join(pair)}: change the splits,"
            " or the --group-by by which they belong together"
        )
    return names, fixed


def planned(rows: pa.Table, split: str | None, folds: int | None, seed: int) -> Plan:
    """How the rows are to be divided, by the options and by whether the statement gives splits.

    Raises:
        UsageError: both or wrong ones are given, or rows are left without.
    """
    if split is not None and folds is not None:
        raise UsageError("--split and --folds: give one of them")
    if "split" not in rows.schema.names:
        return Plan({} if folds else shares(split or DEFAULT_SPLIT), folds, seed)
    column = rows["split"]
    if not pa.types.is_string(column.type):
        raise UsageError(f"the statement's column split is {column.type}, not a text")
    if folds is not None:
        raise UsageError("--folds: the statement gives splits already; leave out one of them")
    for name in pc.unique(column.drop_null()).to_pylist():
        checked_name(name, "split")
    if split is None and column.null_count:
        raise UsageError(
            f"the statement gives {column.null_count:,} images no split: say how to divide them by --split"
        )
    return Plan(shares(split) if split else {}, None, seed)


def groups_of(count: int, left: Indices, right: Indices) -> tuple[Indices, str]:
    """The group of each row, and a sentence on how many there are."""
    roots = components(count, left, right)
    sizes = np.unique(roots, return_counts=True)[1]
    several = sizes[sizes > 1]
    text = f"{len(sizes):,}, of which {len(several):,} hold several images"
    return roots, text + (f" (the largest {several.max():,})" if len(several) else "")


def places_told(images: pa.Table, plan: Plan) -> tuple[dict[str, float], str]:
    """The share of each split, as asked for or as it came; and a sentence with the images of each split or fold."""
    column = images["split" if plan.folds is None else "fold"].combine_chunks()
    counts = {str(row["values"]): row["counts"] for row in pc.value_counts(column).to_pylist()}
    asked = {str(f): 1 / plan.folds for f in range(plan.folds)} if plan.folds else dict(plan.shares)
    names = [*asked, *sorted(set(counts) - set(asked))]
    texts = []
    for name in names:
        n = counts.get(name, 0)
        wanted = f" for {100 * asked[name]:.4g} %" if name in asked else ""
        texts.append(f"{name} {n:,} ({100 * n / images.num_rows:.4g} %{wanted})")
    split_shares = {name: asked.get(name, counts.get(name, 0) / images.num_rows) for name in names}
    return {} if plan.folds else split_shares, ", ".join(texts)
