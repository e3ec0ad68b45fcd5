"""imagelake sql: formats, parameters, mistakes, the prompt, time travel, the script for other programs."""

import csv
import io
import json
import math
import os
import pty
import resource
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imagelake.cli import main
from imagelake.lake.lake import Lake
from imagelake.lake.results import TABLE_ROWS, write_result
from imagelake.lake.session import Session
from imagelake.lake.startup import startup_script
from tests.sql import small

ODD_VALUES = """
select
  1::integer as i, sum(9007199254740993::hugeint)::hugeint as h, 0.1::double as d, 'nan'::double as n, null as x,
  'a"b,c
d' as t, '' as e, 'caf\u00e9 \u65e5' as u, true as b, 'ab'::blob as bytes, [1, null] as l, {'k': [1.5, null]} as s,
  map {'p q': 1, 'r': null} as m, timestamptz '2024-05-06 07:08:09.25+02' as z, timestamp '2024-05-06 07:08:09' as w,
  date '2024-05-06' as day, 1.50::decimal(9, 2) as dec, interval '1 day' as iv
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small.build(tmp_path_factory.mktemp("sql"))


def sql(lake: Lake, *arguments: str) -> int:
    return main(["sql", "--lake", lake.root, *arguments])


def test_table(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        sql(made, "select format, count(*) as n, repeat('x', 100) as long from images group by format order by n") == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["format", "n", "long"]
    assert [line[:10] for line in lines[2:4]] == ["PNG      2", "JPEG    10"], "numbers stand right, text left"
    assert lines[4] == "(2 rows)"
    assert "cut" in lines[5]


def test_table_counts_bytes_and_escapes_control_characters(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql(lake, "select 'abc'::blob as b, e'a\\x1b[2Jb\\nc' as t, null as n") == 0
    line = capsys.readouterr().out.splitlines()[2]
    assert line.split("  ") == ["<3 bytes>", "a\\x1b[2Jb\\nc", "null"]


def test_table_shows_the_first_rows_and_counts_all(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql(lake, "from range(25000)") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + TABLE_ROWS + 1
    assert lines[-1].startswith(f"({TABLE_ROWS:,} of 25,000 rows;")


def test_csv(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql(lake, "--format", "csv", ODD_VALUES) == 0
    row = next(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert row["h"] == "9007199254740993"
    assert row["t"] == 'a"b,c\nd'
    assert row["u"] == "caf\u00e9 \u65e5"
    assert (row["x"], row["e"], row["b"], row["bytes"]) == ("", "", "true", "YWI=")
    assert json.loads(row["m"]) == {"p q": 1, "r": None}
    assert row["z"] == "2024-05-06T05:08:09.250000Z"


def test_json(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql(lake, "--format", "json", ODD_VALUES + " union all " + ODD_VALUES) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first == second
    assert first["h"] == 9007199254740993
    assert first["n"] is None, "JSON has no NaN"
    assert first["s"] == {"k": [1.5, None]}
    assert first["z"] == "2024-05-06T05:08:09.250000Z"
    assert (first["w"], first["day"], first["dec"], first["bytes"]) == (
        "2024-05-06T07:08:09",
        "2024-05-06",
        1.5,
        "YWI=",
    )


def test_json_without_rows_is_an_empty_array(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql(lake, "--format", "json", "select * from images") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_parquet_to_a_file(made: Lake, tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    assert (
        sql(made, "--format", "parquet", "--output", str(file), "select * from images join exif using (image_id)") == 0
    )
    table = pq.read_table(file)
    assert table.num_rows == 12
    assert table.column_names.count("run_id") == table.column_names.count("run_id_1") == 1, "both tables have one"
    assert table.schema.field("ingested_at").type == pa.timestamp("us", "UTC")
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_query_leaves_no_file(lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failing = "select case when i = 90000 then cast('x' || i as integer) else i end as x from range(100000) as t(i)"
    assert sql(lake, "--format", "csv", "--output", str(tmp_path / "x.csv"), failing) == 6
    assert list(tmp_path.iterdir()) == [Path(lake.root)]
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("select * from imagse", 'Did you mean "images"?'),
        ("selec 1", "syntax error"),
        ("insert into images values (1)", "changed by jobs only"),
        ("update raw.images set mode = 'L'", "changed by jobs only"),
        ("delete from current_labels where true", "changed by jobs only"),
        ("drop view images", "changed by jobs only"),
        ("", "no statement"),
        ("-- nothing", "no statement"),
    ],
)
def test_mistakes_are_one_line(
    made: Lake, capsys: pytest.CaptureFixture[str], statement: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.sql"
    file.write_text(statement)
    assert sql(made, "--file", str(file)) == 6
    error = capsys.readouterr().err
    assert error.startswith("imagelake: ")
    assert error.count("\n") == 1
    assert told in error


def test_own_tables_and_files_may_be_written(made: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = f"""
    create temp table chosen as select image_id from images;
    delete from chosen where image_id in (select image_id from images limit 3);
    copy (select * from chosen) to '{tmp_path}/chosen.csv';
    select count(*) as left_over from chosen;
    """
    assert sql(made, "--format", "json", script) == 0
    assert json.loads(capsys.readouterr().out) == [{"left_over": 9}]
    assert len((tmp_path / "chosen.csv").read_text().splitlines()) == 10


def test_parameters(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    counting = "select count(*) as n from images where width_px >= $width and format = $format"
    assert sql(made, "--format", "json", counting, "--param", "width=60", "--param", "format=JPEG") == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 2}]
    assert sql(made, "select $a as a", "--param", "a=it's; drop") == 0
    assert "it's; drop" in capsys.readouterr().out
    assert sql(made, "select typeof($a) as a", "--param", 'a="12"') == 0
    assert "VARCHAR" in capsys.readouterr().out
    assert sql(made, counting, "--param", "width=60") == 2
    assert "--param format=VALUE" in capsys.readouterr().err
    assert sql(made, "select 1", "--param", "width=60") == 2
    assert sql(made, "select 1", "--param", "width") == 2


def test_one_result_per_file(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql(made, "select 1 as a; select 2 as b") == 0
    assert capsys.readouterr().out == "a\n-\n1\n(1 row)\nb\n-\n2\n(1 row)\n"
    assert sql(made, "--format", "csv", "select 1 as a; select 2 as b") == 6


def test_time_travel(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    counting = "select (select count(*) from images) as images, (select count(*) from hashes) as hashes"
    with Session(made) as session:
        first = session.execute("select run_id from runs where job = 'ingest' and status = 'succeeded'").fetchall()[0][
            0
        ]
    for when, expected in (("0", (0, 0)), (first, (12, 0)), ("999", (12, 11))):
        assert sql(made, "--format", "json", "--as-of", when, counting) == 0
        assert tuple(json.loads(capsys.readouterr().out)[0].values()) == expected, when


def test_catalogue_shows_tables_that_were_not_named(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        sql(made, "--format", "csv", "select table_name from information_schema.tables where table_schema = 'main'")
        == 0
    )
    assert {"images", "exif", "image_facts"} <= set(capsys.readouterr().out.replace('"', "").split())


def test_wrong_options(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql(made, "select 1", "--file", "x.sql") == 2
    assert sql(made, "--file", "/nowhere/x.sql") == 2
    assert sql(made, "select 1", "--output", "/nowhere/x.csv") == 2
    assert capsys.readouterr().err.count("\n") == 3


def test_prompt_through_a_pipe(made: Lake) -> None:
    typed = "select 1\n  as one;\n.tables\nselect nope;\nselect ';' as two;\n.nothing\nselect 3 as three"
    done = subprocess.run(
        [sys.executable, "-m", "imagelake.cli", "sql", "--lake", made.root, "--format", "csv"],
        input=typed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert '"one"\n1\n' in done.stdout
    assert "\nimage_facts\nimages\n" in done.stdout
    assert '"three"\n3\n' in done.stdout, "mistakes do not end it, and the last semicolon may be left out"
    assert done.returncode == 6
    assert "no command .nothing" in done.stderr


def test_prompt_in_a_terminal(made: Lake, tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "imagelake.cli", "sql", "--lake", made.root],
        stdin=terminal, stdout=terminal, stderr=terminal, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    ) as process:  # fmt: skip
        os.close(terminal)
        os.write(master, b"select count(*)\nas how_many from images;\nselect nope;\n.schema hashes\n.quit\n")
        seen = b""
        with suppress(OSError):  # the other side has hung up
            while select.select([master], [], [], 60)[0] and (data := os.read(master, 4096)):
                seen += data
        process.wait(timeout=60)
    os.close(master)
    assert process.returncode == 0, "the person has seen the mistake"
    text = seen.decode().replace("\r", "")
    assert "how_many\n--------\n      12\n" in text
    assert "phash  bigint" in text
    assert "select count(*)" in (tmp_path / "imagelake" / "sql_history").read_text()


def test_start_up_script_opens_the_lake_in_plain_duckdb(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    extension = pytest.importorskip("duckdb_extension_delta")
    assert sql(made, "--init") == 0
    script = capsys.readouterr().out
    file = next(Path(extension.__file__).parent.rglob("delta.duckdb_extension"))
    script = script.replace("install delta;\nload delta;", f"load '{file}';")
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as con, Session(made) as session:
        con.execute(script)
        for name in ("images", "hashes", "exif", "labels", "archives", "current_labels", "duplicates", "image_facts"):
            counting = f"select count(*) from {name}"
            assert con.execute(counting).fetchall() == session.execute(counting).fetchall(), name
        query = "select image_id, tags, captured_at, round(f_number, 3) from exif order by image_id"
        assert con.execute(query).to_arrow_table().to_pylist() == session.arrow(query).to_pylist()


def test_start_up_script_for_s3_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:password@localhost:9000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-of-somebody")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    script = startup_script(Lake("s3://bucket/prefix"))
    assert "provider credential_chain" in script
    assert "endpoint 'localhost:9000', url_style 'path', use_ssl false" in script
    assert "delta_scan('s3://bucket/prefix/tables/images')" in script
    assert not [word for word in ("very-secret", "key-of-somebody", "password") if word in script]


def test_memory_of_a_stream_is_flat(lake: Lake) -> None:
    import tracemalloc

    def peak(rows: int) -> int:
        with Session(lake) as session:
            reader = session.execute(f"select i, 'text ' || i as t from range({rows}) as r(i)").to_arrow_reader(1000)
            tracemalloc.start()
            before = pa.total_allocated_bytes()
            write_result(reader, "json", io.BytesIO() if rows < 0 else _Nowhere())
            found = tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before
            tracemalloc.stop()
        return found

    assert peak(60_000) < 2 * peak(6_000) + 100_000


class _Nowhere(io.RawIOBase):
    def write(self, data: object) -> int:
        return len(data)  # type: ignore[arg-type]


def test_start_up_imports_nothing_heavy(lake: Lake, imagelake: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    code = (
        "import sys; from imagelake.cli import main; "
        f"main(['sql', '--lake', {lake.root!r}, 'select count(*) from images']); "
        "print([m for m in ('PIL', 'ray', 'torch', 'pandas', 'jinja2', 'readline') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_numbers_that_are_not_finite_in_csv(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert sql(lake, "--format", "csv", "select 'inf'::double as a, 'nan'::double as b") == 0
    row = capsys.readouterr().out.splitlines()[1].split(",")
    assert math.isinf(float(row[0]))
    assert math.isnan(float(row[1]))


def test_what_does_not_fit_in_memory_goes_to_a_folder_of_its_own(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill, work = tmp_path / "spill", tmp_path / "work"
    spill.mkdir()
    work.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spill))
    monkeypatch.chdir(work)
    with Session(lake) as session:
        session.execute("set memory_limit = '60MB'")
        session.execute("set threads = 1")
        session.execute("create temp table big as select md5(i::varchar) as t from range(2000000) as r(i)")
        assert len(list(spill.iterdir())) == 1, "it did spill"
    assert [*work.iterdir(), *spill.iterdir()] == []


def test_start_up_is_quick(lake: Lake) -> None:
    """CPU time of the process, the best of three, against that of importing what it cannot do without."""

    def seconds(*command: str) -> float:
        found = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(found)

    bare = seconds("-c", "import duckdb, deltalake, pyarrow")
    assert seconds("-m", "imagelake.cli", "sql", "--lake", lake.root, "select 1") < 3 * bare
    assert seconds("-m", "imagelake.cli", "--help") < seconds("-c", "pass") + 0.5
