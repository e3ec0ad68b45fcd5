"""Find pictures by example, by id or by text.

Reads: `embeddings` of one model (every vector: the answer is exact), `sightings`. Writes: nothing.
Usage: imagelake search --lake LAKE (--image FILE | --image-id ID | --text TEXT) [-k 10] [--model MODEL]
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imagelake.command import lake_option, option, run_job
from imagelake.curate.vectors import chosen_model, image_id_of, models_in, similar_images, stored_vector
from imagelake.errors import BadItem, ModelUnavailable, UsageError
from imagelake.extract.embedding import EmbeddingModel, load_model, parse_spec
from imagelake.image.decode import open_picture
from imagelake.lake.lake import Lake
from imagelake.lake.results import FORMATS, open_output, write_result
from imagelake.lake.session import Session

REPORTS = False
_FOUND = pa.schema([("rank", pa.int64()), ("image_id", pa.string()), ("similarity", pa.float64())])
_WITH_ORIGIN = """
with places as (
  select image_id, min(origin) as origin from sightings where image_id in (select image_id from found) group by image_id
)
select f.rank, f.image_id, f.similarity, p.origin
from found as f left join places as p on f.image_id = p.image_id
order by f.rank
"""


@dataclass(frozen=True)
class Config:
    """Options of `imagelake search`."""

    lake: str = lake_option()
    image: str | None = option("picture to compare with; need not be in the lake", None, metavar="FILE")
    image_id: str | None = option("picture of the lake to compare with: its id or how that begins", None, metavar="ID")
    text: str | None = option("words to compare with; for models that understand text", None)
    k: int = option("number of pictures", 10, short="-k")
    model: str | None = option("model_id in the lake, how it begins, or MODEL as for extract --embed", None)
    format: str = option("table, csv, json or parquet", "table", choices=FORMATS)
    output: str | None = option("file to write to (default: standard output)", None)


def run(config: Config, lake: Lake) -> None:
    """Make the query's vector, compare it with every vector of its model."""
    if sum(x is not None for x in (config.image, config.image_id, config.text)) != 1:
        raise UsageError("give one of --image, --image-id, --text")
    if config.k < 1:
        raise UsageError("-k must be at least 1")
    with Session(lake) as session:
        models = models_in(session)
        model_id = chosen_model(models, config.model)
        if config.image_id is not None:
            asked = image_id_of(session, config.image_id)
            model_id = model_id or _loaded(models, config.model or "")[0]
            query = stored_vector(session, asked, model_id)
        else:
            asked = None
            model_id, model = _loaded(models, model_id or config.model or "")
            query = _vector(config, model)
        found = similar_images(session, model_id, query, config.k + (asked is not None))
        _write(session, [row for row in found if row[0] != asked][: config.k], config)


def _write(session: Session, found: list[tuple[str, float]], config: Config) -> None:
    ranked = [{"rank": i, "image_id": row[0], "similarity": row[1]} for i, row in enumerate(found, 1)]
    session.con.register("found", pa.Table.from_pylist(ranked, _FOUND))
    with open_output(config.output, config.format) as out:
        write_result(session.execute(_WITH_ORIGIN).to_arrow_reader(), config.format, out)


def _loaded(models: list[str], asked: str) -> tuple[str, EmbeddingModel]:
    """The model of a model_id or of a text as for --embed, and its id in the lake.

    On the CPU: for one vector that is soon done, and the precision of the lake's vectors does not matter for it.

    Raises:
        ModelUnavailable: the weights are not here, or are others than the lake's.
    """
    name, digest, _ = asked.partition("@")
    spec = parse_spec("descriptor" if name.startswith("descriptor:") else name)
    try:
        model = load_model(spec, device="cpu")
    except ModelUnavailable as error:
        hint = f"; if they lie elsewhere: --model {spec.kind}:{spec.arch}/FILE" if digest else ""
        raise ModelUnavailable(f"{error}{hint}") from error
    for model_id in models:
        if model_id.removesuffix("+bf16") == model.model_id and (not digest or model_id == asked):
            return model_id, model
    there = asked if digest else ", ".join(models)
    raise ModelUnavailable(f"these weights are others than the lake's: {model.model_id} here, {there} there")


def _vector(config: Config, model: EmbeddingModel) -> NDArray[np.float32]:
    """The vector of --image or --text."""
    if config.text is not None:
        return model.embed_text([config.text]).ravel()
    try:
        data = Path(config.image or "").read_bytes()
        picture = open_picture(data, full=model.card.needs_full_decode, min_side_px=model.card.min_side_px)
        return model.embed(model.preprocess(picture.rgb)[np.newaxis]).ravel()
    except OSError as error:
        raise UsageError(f"--image {config.image}: {error.strerror or error}") from error
    except BadItem as error:
        raise UsageError(f"--image {config.image}: {error.message}") from error


if __name__ == "__main__":
    sys.exit(run_job(sys.modules[__name__], sys.argv[1:], "imagelake search"))
