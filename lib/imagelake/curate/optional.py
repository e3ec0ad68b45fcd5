"""Packages of the extra `curate`, imported where they are used: SQL and ingest work without them."""

import importlib
from types import ModuleType

from imagelake.errors import ModelUnavailable, UsageError

_LARGEST_SEED = 2**31 - 1  # that all of them take


def needed(name: str) -> ModuleType:
    """Import a package of the extra `curate`, such as faiss, scipy.sparse.csgraph or cleanlab.filter.

    Raises:
        ModelUnavailable: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        raise ModelUnavailable(f"this needs {package}: pip install 'imagelake[curate]'") from error


def check_seed(seed: int) -> None:
    """Refuse what is no seed to all of these packages.

    Raises:
        UsageError: it is below 0 or above 2^31 - 1.
    """
    if not 0 <= seed <= _LARGEST_SEED:
        raise UsageError(f"--seed {seed}: give a number from 0 to 2^31 - 1")
