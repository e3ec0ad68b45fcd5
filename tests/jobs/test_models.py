"""Embeddings by real networks, in the main job: both engines, resume, search."""

from pathlib import Path

import numpy as np
import pytest

from imagelake.errors import ModelUnavailable
from imagelake.jobs import search
from imagelake.lake.lake import Lake, create_lake
from imagelake.lake.session import Session
from tests.conftest import Make
from tests.jobs.test_main_job import run_extract, run_ingest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")


def saved(path: Path, seed: int) -> str:
    """A tiny network with random weights, as the text of --embed."""
    torch.manual_seed(seed)
    torch.save(timm.create_model("test_vit").state_dict(), path)
    return f"timm:test_vit/{path}"


def vectors(lake: Lake) -> dict[tuple[str, str], np.ndarray]:
    with Session(lake) as session:
        rows = session.execute("select model_id, image_id, vector from embeddings").fetchall()
    return {(model, image): np.array(vector, np.float32) for model, image, vector in rows}


def test_networks_on_both_engines(lake: Lake, tmp_path: Path, make_pictures: Make, shared_ray: None) -> None:
    photos = make_pictures(tmp_path / "photos", 70, width=200, height=150)
    first, second = saved(tmp_path / "first.pth", 1), saved(tmp_path / "second.pth", 2)
    run_ingest(lake, photos)
    assert run_extract(lake, embed=(first, "descriptor", second), only=()).written == 70
    other = create_lake(str(tmp_path / "other"))
    run_ingest(other, photos)
    assert run_extract(other, embed=(first, "descriptor", second), only=(), engine="ray").written == 70
    here, there = vectors(lake), vectors(other)
    assert set(here) == set(there)
    assert len(here) == 3 * 70
    for key, vector in here.items():
        np.testing.assert_allclose(vector, there[key], rtol=1e-4, atol=1e-4)
    assert run_extract(other, embed=(second, first), only=(), engine="ray").written == 0


def test_other_weights_are_another_model_and_search_tells_them_apart(
    lake: Lake, tmp_path: Path, make_pictures: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = make_pictures(tmp_path / "photos", 12)
    run_ingest(lake, photos)
    spec = saved(tmp_path / "net.pth", 1)
    run_extract(lake, embed=(spec,), only=())
    query = str(photos / "b" / "00004.jpg")
    search.run(search.Config(lake.root, image=query, k=1, format="csv", model=spec), lake)
    assert query in capsys.readouterr().out
    saved(tmp_path / "net.pth", 2)
    with pytest.raises(ModelUnavailable, match="others than the lake's"):
        search.run(search.Config(lake.root, image=query, k=1, model=spec), lake)
    assert run_extract(lake, embed=(spec,), only=()).written == 12
    with Session(lake) as session:
        assert session.execute("select count(distinct model_id) from embeddings").fetchall() == [(2,)]
