"""`extract` with quality: pending by method, hashes as before, both engines, verdicts in SQL, views."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagelake.errors import UsageError
from imagelake.jobs import extract, ingest
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.runs import RunReport
from imagelake.lake.script import read_statement, run_query
from imagelake.lake.session import Session
from tests.conftest import jpeg
from tests.jobs.same import contents

COLUMNS = "* exclude (run_id, computed_at)"
DIGIKAM = {"blur": 100, "noise": 100, "exposure": 100, "compression": 100, "rejected": 10, "accepted": 60}


def run_extract(lake: Lake, **options: object) -> RunReport:
    return extract.run(extract.Config(lake.root, **{"quiet": True, "engine": "local", **options}), lake)


def rows(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    with Session(lake) as session:
        return session.execute(sql).fetchall()


def ask(lake: Lake, **parameters: object) -> list[dict[str, object]]:
    text = read_statement("curation/quality_verdicts")
    with Session(lake) as session:
        given = {"method": "imagelake", "suppress": "", **DIGIKAM, **parameters}
        answer: list[dict[str, object]] = run_query(session, text, given).read_all().to_pylist()
        return answer


def textured(width: int, height: int) -> bytes:
    """A JPEG with something to judge at every scale."""
    rng = np.random.default_rng(width)
    pixels = sum(
        np.asarray(Image.fromarray(rng.integers(0, 64, (n, n, 3), dtype=np.uint8)).resize((width, height), 3), np.int16)
        for n in (4, 16, 64, 256)
    )
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
    return file.getvalue()


@pytest.fixture
def filled(lake: Lake, tmp_path: Path) -> Lake:
    """Five pictures of 40 x 30 to 2,600 x 1,900 pixels, one grey, one cut short."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "small.jpg").write_bytes(jpeg(1))
    for width, height in ((800, 600), (1300, 900), (2600, 1900)):
        (folder / f"{width}.jpg").write_bytes(textured(width, height))
    Image.new("L", (90, 90), 77).save(folder / "grey.png")
    (folder / "cut.jpg").write_bytes(jpeg(60)[:-80])
    ingest.run(ingest.Config((str(folder),), lake.root, quiet=True, engine="local"), lake)
    return lake


def test_quality_is_part_of_the_default_and_made_once(filled: Lake) -> None:
    report = run_extract(filled)
    assert (report.written, report.rejected) == (5, 1)
    assert rows(filled, "select method, count(*) from quality group by all") == [("imagelake", 5)]
    assert rows(filled, "select count(*) from quality where blur is null and noise is null") == [(1,)]
    assert run_extract(filled).written == 0


def test_the_methods_are_pending_each_on_its_own(filled: Lake) -> None:
    assert run_extract(filled, only=("quality",)).written == 5
    both = run_extract(filled, digikam_compatible=True, only=("quality",))
    assert (both.written, both.already_present) == (5, 0)
    counts = "select method, count(*), count(distinct image_id) from raw.quality group by all order by 1"
    assert rows(filled, counts) == [("digikam", 5, 5), ("imagelake", 5, 5)]
    assert run_extract(filled, digikam_compatible=True, only=()).written == 0
    with pytest.raises(UsageError, match="nothing to make"):
        run_extract(filled, only=())


def test_other_outputs_do_not_depend_on_quality(filled: Lake) -> None:
    """Digests, hashes, thumbnails and vectors are bit for bit those of a run without it."""
    other = Lake(create_lake(filled.root + "-other").root)
    folder = Path(filled.root).parent / "photos"
    ingest.run(ingest.Config((str(folder),), other.root, quiet=True, engine="local"), other)
    run_extract(filled, embed=("descriptor",))
    run_extract(other, embed=("descriptor",), only=("hashes", "exif", "thumbnails"))
    for table in ('"hashes"', "thumbnails", "embeddings"):
        sql = f"select {COLUMNS} from {table} order by image_id"
        assert rows(filled, sql) == rows(other, sql), table


def test_reduced_decoding_measures_the_same(filled: Lake) -> None:
    run_extract(filled, only=("quality",))
    other = create_lake(filled.root + "-other")
    folder = Path(filled.root).parent / "photos"
    ingest.run(ingest.Config((str(folder),), other.root, quiet=True, engine="local"), other)
    run_extract(other)  # in full, for pixel_hash
    sql = "select blur, noise, exposure, compression from quality order by image_id"
    for reduced, full in zip(rows(filled, sql), rows(other, sql), strict=True):
        assert reduced == pytest.approx(full, abs=0.03)


def test_both_engines_measure_the_same(filled: Lake, shared_ray: None) -> None:
    other = create_lake(filled.root + "-other")
    folder = Path(filled.root).parent / "photos"
    ingest.run(ingest.Config((str(folder),), other.root, quiet=True, engine="local"), other)
    run_extract(filled, digikam_compatible=True)
    run_extract(other, digikam_compatible=True, engine="ray")
    assert contents(filled)["quality"] == contents(other)["quality"]


def test_verdicts_in_sql_are_those_stored(filled: Lake) -> None:
    run_extract(filled)
    stored = {row[0]: row[1:] for row in rows(filled, "select image_id, score, verdict from quality")}
    asked = {row["image_id"]: (row["score"], row["verdict"]) for row in ask(filled)}
    assert asked.keys() == stored.keys()
    for image_id, (points, verdict) in stored.items():
        assert asked[image_id][0] == pytest.approx(points)
        assert asked[image_id][1] == verdict


def test_weights_thresholds_and_switches(filled: Lake) -> None:
    run_extract(filled)
    assert {row["verdict"] for row in ask(filled, rejected=100)} == {"rejected"}
    assert {row["verdict"] for row in ask(filled, rejected=-1, accepted=-1)} == {"accepted"}
    assert {row["verdict"] for row in ask(filled, rejected=-1, accepted=100, suppress="accepted,pending")} == {None}
    alone = ask(filled, blur=0, noise=0, compression=0)
    assert all(row["score"] == pytest.approx(100 * (1 - row["exposure"])) for row in alone)  # type: ignore[operator]
    nothing = ask(filled, noise=0, exposure=0, compression=0, blur=1)
    assert [row["blur"] for row in nothing if row["score"] is None] == [None]
    assert nothing[-1]["verdict"] is None, "what no detector judged comes last"


def test_views_know_quality(filled: Lake) -> None:
    run_extract(filled, digikam_compatible=True)
    facts = "select count(*), count(distinct image_id), count(score), count(verdict) from image_facts"
    assert rows(filled, facts) == [(6, 6, 5, 5)]
    assert rows(filled, "select reason from latest_failures") == [("truncated",)]


def test_a_failure_that_quality_has_overcome_is_none(filled: Lake) -> None:
    assert run_extract(filled, only=("quality",), max_pixels=1_000_000).rejected == 3
    reasons = "select reason, count(*) from latest_failures group by all order by 1"
    assert rows(filled, reasons) == [("too_many_pixels", 2), ("truncated", 1)]
    assert run_extract(filled, only=("quality",), retry_failed=True).written == 2
    assert rows(filled, reasons) == [("truncated", 1)]
