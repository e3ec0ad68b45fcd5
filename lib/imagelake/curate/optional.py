"""Packages of the extra `curate`, imported where they are used: SQL and ingest work without them."""

import importlib
from types import ModuleType

from imagelake.errors import ModelUnavailable


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
