"""Commits: no row lost, none twice, whoever writes at the same time."""

import multiprocessing as mp
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier

import duckdb
import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError

from imagelake.errors import CommitConflict
from imagelake.lake import commits
from imagelake.lake.commits import Committer
from imagelake.lake.fragments import Fragment, write_fragment
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from imagelake.lake.tables import InvalidRows, table_def, to_table


def image_rows(first: int, count: int, run_id: str = "run") -> pa.Table:
    row = {
        "uri": "blobs/x.tar",
        "offset_bytes": 0,
        "length_bytes": 1,
        "format": "JPEG",
        "width_px": 1,
        "height_px": 1,
        "mode": "RGB",
        "frames": 1,
        "has_alpha": False,
        "ingested_at": datetime.now(UTC),
        "run_id": run_id,
    }
    return to_table(table_def("images"), [{**row, "image_id": f"{i:064x}"} for i in range(first, first + count)])


def fragment(lake: Lake, first: int, count: int, run_id: str = "run") -> Fragment:
    with duckdb.connect() as con:
        return write_fragment(lake.storage, table_def("images"), image_rows(first, count, run_id), run_id, con)


def counts(lake: Lake) -> tuple[int, int]:
    with Session(lake) as session:
        found: tuple[int, int] = session.execute("select count(*), count(distinct image_id) from images").fetchall()[0]
        return found


def committer(lake: Lake, run_id: str = "run", repeats: tuple[str, ...] = ()) -> Committer:
    return Committer(lake, run_id, lake.ensure_tables(["images"]), repeats)


def test_second_writer_drops_what_the_first_wrote(lake: Lake) -> None:
    first, second = committer(lake, "a"), committer(lake, "b")
    first.add(fragment(lake, 0, 10, "a"))
    first.flush()
    second.add(fragment(lake, 5, 10, "b"))
    second.flush()
    assert counts(lake) == (15, 15)
    assert second.dropped["images"] == 5
    assert first.dropped["images"] == 0


def test_a_fragment_that_repeats_all_rows_is_not_committed(lake: Lake) -> None:
    first, second = committer(lake, "a"), committer(lake, "b")
    first.add(fragment(lake, 0, 4, "a"))
    first.flush()
    second.add(fragment(lake, 0, 4, "b"))
    second.flush()
    assert lake.delta("images").version() == 1
    left = [path for path, _, _ in lake.storage.list("tables/images") if path.endswith(".parquet")]
    assert len(left) == 1, "the dropped fragment is deleted"


def test_repeats_within_a_run_are_dropped(lake: Lake) -> None:
    run = committer(lake, repeats=("images",))
    run.add(fragment(lake, 0, 6))
    run.add(fragment(lake, 3, 6))
    run.flush()
    run.add(fragment(lake, 8, 2))
    run.flush()
    assert counts(lake) == (10, 10)
    assert run.dropped["images"] == 4


def test_two_processes_at_once_lose_and_double_nothing(lake: Lake) -> None:
    context = mp.get_context("spawn")
    together = context.Barrier(3)  # all three compute their pending work from the same snapshot
    writers = [context.Process(target=_write_all, args=(lake.root, name, together)) for name in ("a", "b", "c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert counts(lake) == (60, 60)


def _write_all(root: str, run_id: str, together: Barrier) -> None:
    lake = Lake(root)
    run = committer(lake, run_id, ("images",))
    together.wait()
    for i in range(12):
        run.add(fragment(lake, i * 5, 5, run_id))
        run.flush()


def test_commit_whose_answer_was_lost_is_recognised(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    run = committer(lake)
    table = run._tables["images"]
    real = table.create_write_transaction

    def lands_but_fails(*args: object, **kwargs: object) -> None:
        real(*args, **kwargs)
        raise OSError("connection reset")

    monkeypatch.setattr(table, "create_write_transaction", lands_but_fails)
    run.add(fragment(lake, 0, 3))
    run.flush()
    assert counts(lake) == (3, 3)
    assert lake.delta("images").version() == 1


def test_giving_up_is_one_clear_line(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    run = committer(lake)
    monkeypatch.setattr(commits, "ATTEMPTS", 2)

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise CommitFailedError("Concurrent transaction failed.")

    monkeypatch.setattr(run._tables["images"], "create_write_transaction", refuse)
    run.add(fragment(lake, 0, 3))
    with pytest.raises(CommitConflict, match="run the same command again"):
        run.flush()


def test_commits_without_the_fence_would_race(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: two stale handles and no fence give rows twice, so the fence is what prevents it."""
    first, second = committer(lake, "a"), committer(lake, "b")
    stale = second._tables["images"]
    monkeypatch.setattr(stale, "update_incremental", lambda: None)
    first.add(fragment(lake, 0, 2, "a"))
    first.flush()
    monkeypatch.setattr(commits, "ATTEMPTS", 2)
    second.add(fragment(lake, 0, 2, "b"))
    with pytest.raises(CommitConflict):  # refused for as long as it does not look
        second.flush()
    assert counts(lake) == (2, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_id": "short"}, "length"),
        ({"offset_bytes": -1}, "offset_bytes"),
        ({"format": None}, "format"),
    ],
)
def test_workers_hold_the_rules_of_the_table(lake: Lake, change: dict[str, object], said: str) -> None:
    rows = image_rows(0, 3).to_pylist()
    rows[1] |= change
    table = pa.Table.from_pylist(rows, schema=pa.schema([f.with_nullable(True) for f in table_def("images").schema]))
    with duckdb.connect() as con, pytest.raises(InvalidRows, match=said):
        write_fragment(lake.storage, table_def("images"), table, "run", con)


def test_a_key_twice_in_a_batch_is_refused(lake: Lake) -> None:
    twice = pa.concat_tables([image_rows(0, 2), image_rows(1, 1)])
    with duckdb.connect() as con, pytest.raises(InvalidRows, match="group by"):
        write_fragment(lake.storage, table_def("images"), twice, "run", con)


def test_a_retried_task_overwrites_its_own_fragment(lake: Lake) -> None:
    assert fragment(lake, 0, 3).path == fragment(lake, 0, 3).path
    assert fragment(lake, 0, 3).path != fragment(lake, 0, 4).path
