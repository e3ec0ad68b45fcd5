"""What people type about data sets: names, shares, references such as `birds@2`, class lists."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from imagelake.errors import UsageError
from imagelake.lake.script import parameters_of, read_statement

DEFAULT_SPLIT = "0.7/0.1/0.2"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHARE_NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "val", "test")}


def number_of(count: int, noun: str) -> str:
    """`1 image`, `2,000 images`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def checked_name(name: str, what: str = "NAME") -> str:
    """A name that is fit for references, folders and file names: letters, digits, `.`, `_`, `-`.

    Raises:
        UsageError: it is not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{what} {name!r}: use up to 100 letters, digits, '.', '_' and '-', the first a letter or digit"
        )
    return name


def reference(text: str) -> tuple[str, int | None]:
    """`NAME` or `NAME@VERSION` -> (name, version or None for the newest).

    Raises:
        UsageError: it is neither.
    """
    name, at, version = text.partition("@")
    if at and not (version.isascii() and version.isdecimal() and int(version) > 0):
        raise UsageError(f"{text}: write NAME or NAME@VERSION, such as {name or 'birds'}@2")
    return checked_name(name, "data set"), int(version) if at else None


def shares(text: str) -> dict[str, float]:
    """`0.7/0.1/0.2` (train, val, test; with two train, test) or `train=0.8,test=0.2` -> share by split, in order.

    Raises:
        UsageError: not such a text, a share that is not above 0, or shares that do not add up to 1.
    """
    named = "=" in text
    parts = [part.strip() for part in text.split("," if named else "/")]
    if not named and len(parts) not in _SHARE_NAMES:
        raise UsageError(f"--split {text}: with more than three shares name them: --split train=0.6,val=0.2,...")
    pairs = [part.partition("=")[::2] for part in parts] if named else zip(_SHARE_NAMES[len(parts)], parts, strict=True)
    found: dict[str, float] = {}
    for text_of_name, share in pairs:
        name = checked_name(text_of_name.strip(), "--split")
        if name in found:
            raise UsageError(f"--split {text}: {name} is there twice")
        found[name] = _share(text, share)
    if not math.isclose(sum(found.values()), 1, abs_tol=1e-6):
        raise UsageError(f"--split {text}: the shares add up to {sum(found.values()):.6g}, not to 1")
    return found


def _share(text: str, share: str) -> float:
    try:
        value = float(share)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise UsageError(f"--split {text}: {share.strip()!r} is no share above 0 and up to 1")
    return value


def check_labels(labels: Iterable[str], classes: Sequence[str]) -> None:
    """Hold the labels to the class list of --classes.

    Raises:
        UsageError: some are not in it.
    """
    if unknown := sorted(set(labels) - set(classes)):
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise UsageError(f"labels outside --classes: {', '.join(map(repr, unknown[:3]))}{more}")


def asked(config: Any) -> dict[str, Any]:
    """The columns of `datasets` that follow from the options of `dataset create` alone.

    Raises:
        UsageError: an option is wrong.
    """
    if bool(config.sql) == bool(config.file):
        raise UsageError("give the statement: --sql or --file")
    statement = config.sql or read_statement(config.file)
    _check_numbers(config)
    return {
        "dataset": checked_name(config.name),
        "statement": statement.strip(),
        "parameters": parameters_of(config.param),
        "task": config.task,
        "folds": config.folds,
        "seed": config.seed,
        "per_class": config.per_class,
    }


def _check_numbers(config: Any) -> None:
    if config.folds is not None and config.folds < 2:
        raise UsageError(f"--folds {config.folds}: give at least 2")
    if config.per_class is not None and config.per_class < 1:
        raise UsageError(f"--per-class {config.per_class}: give at least 1")
    if not 0 <= config.seed < 1 << 63:
        raise UsageError(f"--seed {config.seed}: give a number from 0 to 2^63 - 1")
    if not 0 <= config.burst_seconds < math.inf:
        raise UsageError(f"--burst-seconds {config.burst_seconds}: give 0 or more seconds")
