"""The stage that holds a model."""

import numpy as np
import pyarrow as pa
import pytest

from imagelake.errors import EngineError
from imagelake.extract import vectors
from imagelake.extract.embedding import load_model, parse_spec
from imagelake.extract.pictures import _pixel_table
from imagelake.lake.tables import InvalidRows

SPEC = parse_spec("descriptor")


def stage(number: int = 2) -> vectors.EmbedPictures:
    return vectors.embed_stage(SPEC, vectors.card_of(SPEC, None), None, number, "run")


def pixels(count: int) -> list[tuple[str, np.ndarray]]:
    side = vectors.card_of(SPEC, None).preprocess.size_px
    rng = np.random.default_rng(count)
    return [(f"{i:064x}", rng.integers(0, 256, (side, side, 3), dtype=np.uint8)) for i in range(count)]


def test_vectors_and_norms_are_the_models_own() -> None:
    made = pixels(5)
    (batch,) = stage().open()({"_pixels/2": _pixel_table(made), "_counts": pa.table({"read": [5]})})
    assert set(batch) == {"embeddings", "_counts"}
    expected = load_model(SPEC).embed(np.stack([array for _, array in made]))
    rows = batch["embeddings"].to_pylist()
    assert [row["image_id"] for row in rows] == [image_id for image_id, _ in made]
    np.testing.assert_array_equal(np.array([row["vector"] for row in rows], np.float32), expected)
    np.testing.assert_allclose([row["norm"] for row in rows], np.linalg.norm(expected, axis=1), rtol=1e-6)


def test_a_slice_embeds_its_own_pictures() -> None:
    table = _pixel_table(pixels(6))
    (whole,) = stage().open()({"_pixels/2": table})
    (part,) = stage().open()({"_pixels/2": table.slice(2, 3)})
    assert part["embeddings"]["vector"].to_pylist() == whole["embeddings"]["vector"].to_pylist()[2:5]


def test_a_worker_with_another_model_is_refused() -> None:
    card = vectors.card_of(SPEC, None)
    other = type(card)(card.model_id + "+bf16", *list(vars(card).values())[1:])
    with pytest.raises(EngineError, match="--device"):
        vectors.embed_stage(SPEC, other, None, 0, "run").open()


@pytest.mark.parametrize("wrong", [np.zeros((3, 511), np.float32), np.full((3, 512), np.nan, np.float32)])
def test_wrong_dimension_and_numbers_that_are_none_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InvalidRows, match="3 x 512 finite numbers"):
        stage()._rows(pa.chunked_array([["a" * 64] * 3]), wrong, "descriptor:x@1")
