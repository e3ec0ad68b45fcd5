"""imagelake search: the same answer as all pairs in numpy; by file, by id, by text; clear words where it cannot."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelake.cli import main
from imagelake.curate.neighbours import nearest
from imagelake.curate.vectors import chosen_model
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session
from tests.conftest import jpeg, picture
from tests.sql import small


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small.build(tmp_path_factory.mktemp("search"))


def batch(ids: list[str], vectors: np.ndarray) -> pa.RecordBatch:
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    kind = pa.list_(pa.float32())
    return pa.record_batch({"image_id": ids, "vector": pa.array(vectors.tolist(), kind), "norm": norms})


@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(1, 70), st.integers(1, 20))
def test_nearest_equals_all_pairs(seed: int, rows: int, k: int, step: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (rows, 4)).astype(np.float32)  # small integers: many ties, and vectors of zeros
    query = np.array([1, 2, -1, 0.5], np.float32)
    ids = [f"{i:03d}" for i in rng.permutation(rows)]
    batches = [batch(ids[i : i + step], vectors[i : i + step]) for i in range(0, rows, step)]
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1) * np.linalg.norm(query)
    cosines = np.where(norms > 0, vectors @ query / np.where(norms > 0, norms, 1), 0)
    expected = sorted(zip(ids, cosines.round(6).tolist(), strict=True), key=lambda found: (-found[1], found[0]))[:k]
    found = nearest(batches, query, k)
    assert [image_id for image_id, _ in found] == [image_id for image_id, _ in expected]
    assert np.allclose([c for _, c in found], [c for _, c in expected], atol=2e-6)


@pytest.mark.parametrize("query", [[0, 0], [float("nan"), 1], [1, 2, 3]])
def test_nearest_refuses(query: list[float]) -> None:
    with pytest.raises(ValueError, match=r"direction|numbers expected"):
        nearest([batch(["a"], np.ones((1, 2), np.float32))], np.array(query, np.float32), 1)


def search(lake: Lake, capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, object]]:
    assert main(["search", "--lake", lake.root, "--format", "json", *map(str, arguments)]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def refused(lake: Lake, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = main(["search", "--lake", lake.root, *map(str, arguments)])
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return code, error


def test_by_file_finds_the_picture_itself_first(made: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "query.png").parent.mkdir(exist_ok=True)
    picture(3).save(tmp_path / "query.png")  # the lake has it as JPEG
    found = search(made, capsys, "--image", tmp_path / "query.png", "-k", 4)
    assert [row["rank"] for row in found] == [1, 2, 3, 4]
    assert str(found[0]["origin"]).endswith("dogs/3.jpg")
    similarities = [float(str(row["similarity"])) for row in found]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] > 0.99 > similarities[1]


def test_by_id_leaves_itself_out(made: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    with Session(made) as session:
        [one, two] = session.execute("select unnest(image_ids) from duplicates").fetchall()
    found = search(made, capsys, "--image-id", one[0][:12].upper(), "-k", 100)
    assert len(found) == 10, "11 images have vectors"
    assert found[0]["image_id"] == two[0], "the same pixels in another file"
    assert found[0]["similarity"] == pytest.approx(1, abs=1e-6)
    assert one[0] not in [row["image_id"] for row in found]


def test_table_and_file(made: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.jpg").write_bytes(jpeg(1))
    assert main(["search", "--lake", made.root, "--image", str(tmp_path / "q.jpg"), "-k", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["rank", "image_id", "similarity", "origin"]
    out = tmp_path / "found.csv"
    command = [
        "search",
        "--lake",
        made.root,
        "--image",
        str(tmp_path / "q.jpg"),
        "--format",
        "csv",
        "--output",
        str(out),
    ]
    assert main(command) == 0
    assert len(out.read_text().splitlines()) == 11


def test_models_may_be_named(made: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.jpg").write_bytes(jpeg(1))
    with Session(made) as session:
        [[model_id]] = session.execute("select distinct model_id from embeddings").fetchall()
    for name in (model_id, model_id[:14], "descriptor"):
        assert search(made, capsys, "--image", tmp_path / "q.jpg", "--model", name, "-k", 1)


def test_which_model_is_meant() -> None:
    models = ["descriptor:classical/v1@aaa", "open_clip:ViT-B-32/openai@bbb", "open_clip:ViT-B-32/openai@bbb+bf16"]
    assert chosen_model(models[:1], None) == models[0]
    assert chosen_model(models, models[1]) == models[1], "although the third begins so too"
    assert chosen_model(models, "desc") == models[0]
    assert chosen_model(models, "timm:x") is None
    for unclear in (None, "open_clip:ViT-B-32"):
        with pytest.raises(UsageError, match=r"--model, one of: .*bbb"):
            chosen_model(models, unclear)


def test_refusals(made: Lake, lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.txt").write_text("no picture")
    assert refused(made, capsys)[0] == 2
    assert refused(made, capsys, "--text", "a", "--image", "b")[0] == 2
    assert refused(made, capsys, "--text", "a", "-k", 0)[0] == 2
    assert "extract --embed" in refused(lake, capsys, "--text", "a cat")[1]
    assert "--text needs an open_clip model" in refused(made, capsys, "--text", "a cat")[1]
    assert refused(made, capsys, "--image", tmp_path / "gone.jpg")[0] == 2
    assert "no known picture format" in refused(made, capsys, "--image", tmp_path / "x.txt")[1]
    assert "no image of the lake begins" in refused(made, capsys, "--image-id", "xyz")[1]
    assert "several images" in refused(made, capsys, "--image-id", "")[1]
    with Session(made) as session:
        failed = session.execute("select image_id from failures where job = 'extract'").fetchall()[0][0]
    assert "has no vector" in refused(made, capsys, "--image-id", failed)[1]


def test_text_finds_by_words_and_other_weights_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lake: Lake
) -> None:
    open_clip = pytest.importorskip("open_clip")
    torch = pytest.importorskip("torch")
    from imagelake.jobs import extract, ingest

    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    }
    config["text_cfg"] = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    (tmp_path / "tiny-search.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-search.json")
    weights = [tmp_path / "one.pt", tmp_path / "two.pt"]
    for seed, path in enumerate(weights):
        torch.manual_seed(seed)
        torch.save(open_clip.create_model("tiny-search").state_dict(), path)
    specs = [f"open_clip:tiny-search/{path}" for path in weights]
    (tmp_path / "photos").mkdir()
    for i in range(3):
        (tmp_path / "photos" / f"{i}.jpg").write_bytes(jpeg(i))
    ingest.run(ingest.Config((str(tmp_path / "photos"),), lake.root, quiet=True, engine="local"), lake)
    extract.run(extract.Config(lake.root, only=(), embed=(specs[0],), quiet=True, engine="local"), lake)
    found = search(lake, capsys, "--text", "a photo of a cat", "--model", specs[0])
    assert len(found) == 3
    assert len({row["similarity"] for row in found}) == 3
    code, error = refused(lake, capsys, "--text", "a cat", "--model", specs[1])
    assert code == 5
    assert "others than the lake's" in error
    code, error = refused(lake, capsys, "--text", "a cat")
    assert code == 5, "the path of the weights is not in the lake"
    assert "--model open_clip:tiny-search/FILE" in error
