"""Replacing the rows of one scope: all or nothing, other scopes untouched."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from imagelake.errors import CommitConflict
from imagelake.lake import replace
from imagelake.lake.lake import Lake
from imagelake.lake.replace import replace_rows
from imagelake.lake.session import Session
from imagelake.lake.tables import InvalidRows

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def rows(model: str, count: int, similarity: float = 0.5) -> pa.Table:
    facts = {"model_id": model, "rank": 1, "similarity": similarity, "run_id": "r", "computed_at": NOW}
    return pa.Table.from_pylist(
        [{"image_id": f"{i:064x}", "other_id": f"{i + 1:064x}", **facts} for i in range(count)]
        or [{"image_id": "", "other_id": "", **facts}]
    ).slice(0, count)


def counts(lake: Lake) -> dict[str, int]:
    with Session(lake) as session:
        return dict(session.execute("select model_id, count(*) from neighbours group by all").fetchall())


def put(lake: Lake, model: str, *tables: pa.Table) -> int:
    return replace_rows(lake, "run", "neighbours", {"model_id": model}, tables)


def test_a_scope_is_replaced_and_no_other(lake: Lake) -> None:
    assert put(lake, "it's", rows("it's", 5)) == 5
    assert put(lake, "b", rows("b", 3)) == 3
    assert put(lake, "it's", rows("it's", 2)) == 2
    assert counts(lake) == {"it's": 2, "b": 3}
    assert put(lake, "b") == 0
    assert counts(lake) == {"it's": 2}


def test_the_old_version_can_still_be_seen(lake: Lake) -> None:
    put(lake, "a", rows("a", 5))
    version = lake.delta("neighbours").version()
    put(lake, "a", rows("a", 1))
    with Session(lake, as_of=str(version)) as session:
        assert session.execute("select count(*) from neighbours").fetchall() == [(5,)]


def test_a_bad_row_leaves_everything_as_it_was(lake: Lake) -> None:
    put(lake, "a", rows("a", 5))
    with pytest.raises(InvalidRows, match="similarity"):
        put(lake, "a", rows("a", 1), rows("a", 2, similarity=3.0))
    assert counts(lake) == {"a": 5}


def test_an_error_on_the_way_is_told_as_it_is(lake: Lake) -> None:
    def broken() -> Iterator[pa.Table]:
        yield rows("a", 1)
        raise KeyError("ours")

    put(lake, "a", rows("a", 5))
    with pytest.raises(KeyError, match="ours"):
        replace_rows(lake, "run", "neighbours", {"model_id": "a"}, broken())
    assert counts(lake) == {"a": 5}


def test_rows_of_another_scope_are_refused(lake: Lake) -> None:
    with pytest.raises(InvalidRows, match="model_id"):
        put(lake, "a", rows("b", 1))
    assert counts(lake) == {}


def test_two_at_the_same_time(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that comes second is told so; the rows are those of the first."""
    put(lake, "a", rows("a", 5))
    write = replace._write

    def late(*arguments: object) -> None:
        monkeypatch.setattr(replace, "_write", write)
        put(lake, "a", rows("a", 2))
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(replace, "_write", late)
    with pytest.raises(CommitConflict, match="run this again"):
        put(lake, "a", rows("a", 3))
    assert counts(lake) == {"a": 2}
