"""What a run of `dedupe` was asked for: options in, thresholds and layers out, and neighbours where they are old."""

from collections.abc import Sequence
from dataclasses import dataclass

from imagelake.curate.duplicates.calibrate import calibrated
from imagelake.curate.duplicates.pictures import Layer, Pictures, hash_layer, pixel_layer
from imagelake.curate.duplicates.vectors import default_similarity, embedding_layer
from imagelake.curate.shared import make_neighbours, neighbours_are_current
from imagelake.curate.vectors import the_model
from imagelake.errors import UsageError
from imagelake.lake.lake import Lake
from imagelake.lake.session import Session

LAYERS = ("pixels", "phash", "embedding")
DEFAULT_BITS = 10  # of 64: see docs/duplicates.md
NEIGHBOURS = 10  # of each picture, where the table has to be made


@dataclass(frozen=True)
class Thresholds:
    """What calls two pictures alike, and where the numbers are from: given, calibrated or default."""

    max_bits: int
    bits_from: str
    model_id: str
    min_similarity: float
    similarity_from: str

    @property
    def told(self) -> dict[str, object]:
        """The same for the report of the run."""
        lines: dict[str, object] = {"bits": f"at most {self.max_bits} of 64 ({self.bits_from})"}
        if self.model_id:
            lines["cosine"] = f"at least {self.min_similarity:g} ({self.similarity_from}) by {self.model_id}"
        return lines


def model_named(session: Session, asked: str | None) -> str:
    """The model of the lake that is meant.

    Raises:
        UsageError: there is none, or several.
    """
    if not session.execute("select 1 from embeddings limit 1").fetchall():
        raise UsageError(
            "the lake has no embeddings: run `imagelake extract --embed descriptor` (or another model), "
            "or leave them out: --layers pixels,phash"
        )
    return the_model(session, asked)


def settle(
    session: Session, layers: Sequence[str], model: str | None, max_bits: int | None, min_similarity: float | None
) -> Thresholds:
    """Thresholds as given, else as calibrated last, else the defaults.

    Raises:
        UsageError: a layer or a number that cannot be.
    """
    if unknown := sorted(set(layers) - set(LAYERS)):
        raise UsageError(f"--layers {','.join(unknown)}: choose from {','.join(LAYERS)}")
    if not layers:
        raise UsageError(f"nothing to compare: give --layers, of {','.join(LAYERS)}")
    if max_bits is not None and not 0 <= max_bits <= 16:
        raise UsageError(f"--max-bits {max_bits}: 0 to 16 of 64 bits; beyond that everything is alike")
    if min_similarity is not None and not 0 < min_similarity <= 1:
        raise UsageError(f"--min-similarity {min_similarity}: a cosine above 0, at most 1")
    model_id = model_named(session, model) if "embedding" in layers else ""
    known_bits, known_similarity = calibrated(session, model_id)
    bits, bits_from = _first((max_bits, "given"), (known_bits, "calibrated"), (DEFAULT_BITS, "default"))
    similarity, similarity_from = _first(
        (min_similarity, "given"), (known_similarity, "calibrated"), (default_similarity(model_id), "default")
    )
    return Thresholds(int(bits), bits_from, model_id, similarity, similarity_from)


def _first(*choices: tuple[float | None, str]) -> tuple[float, str]:
    return next((value, source) for value, source in choices if value is not None)


def compared(session: Session, pictures: Pictures, layers: Sequence[str], settled: Thresholds) -> list[Layer]:
    """The layers, the surest first."""
    make = {
        "pixels": lambda: pixel_layer(pictures),
        "phash": lambda: hash_layer(pictures, settled.max_bits),
        "embedding": lambda: embedding_layer(session, pictures, settled.model_id, settled.min_similarity),
    }
    return [make[name]() for name in LAYERS if name in layers]


def fresh_neighbours(lake: Lake, run_id: str, model_id: str) -> str:
    """Make the shared neighbours of a model unless they are up to date; says what they are."""
    with Session(lake) as session:
        sql = "select max(rank) from neighbours where model_id = $model_id"
        ((k,),) = session.execute(sql, {"model_id": model_id}).fetchall()
        if k is not None and neighbours_are_current(session, model_id, k):
            return "as they were"
    made = make_neighbours(lake, run_id, model_id, NEIGHBOURS)
    return "made, exact" if made.exact else f"made, approximate: recall {made.recall:.3f}"
