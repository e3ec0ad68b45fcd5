"""How values read: raw values of a tag in, the text that exifread prints for them out."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import exifread.utils

ASCII = 2
RATIOS = frozenset({5, 10})  # field types RATIONAL and SRATIONAL
SHOWN = 20  # values shown of an array of more than 50
_UNREADABLE = (TypeError, ValueError, IndexError, KeyError, ZeroDivisionError, OverflowError)

Values = Sequence[Any] | str | bytes
Form = Callable[[Any], str] | dict[Any, str] | tuple[str, dict[int, Any]] | None


class Ratio(tuple[int, int]):
    """A rational (numerator, denominator) as stored; it reads reduced, or as it is when the denominator is 0."""

    __slots__ = ()

    def __repr__(self) -> str:
        num, den = self
        if den == 0:
            return f"{num}/{den}"
        factor = math.gcd(num, den) * (1 if den > 0 else -1)
        return str(num // factor) if den == factor else f"{num // factor}/{den // factor}"


def show(values: Values, count: int, kind: int, form: Form) -> str:
    """Word the values of a tag as exifread does.

    Args:
        values: text, bytes that are not UTF-8, or a sequence of int, `Ratio` or (float,).
        count: number of values that the tag claims to have; of more than 50, the first 20 are enough.
        kind: TIFF field type.
        form: exifread's second entry for the tag: a function, the words of a code, a sub-directory or None.

    Returns:
        The text; for values that the function cannot take, the values themselves as text.
    """
    if form is not None and not isinstance(form, tuple):
        return _show_as(values, kind, form)
    if isinstance(values, str):
        return values
    if count == 1 and kind != ASCII and values:
        return str(values[0])
    shown = values if isinstance(values, bytes) else list(values)
    if count > 50 and len(shown) > SHOWN:
        return f"{str(shown[:SHOWN])[:-1]}, ... ]"
    return str(shown)


def _show_as(values: Values, kind: int, form: Callable[[Any], str] | dict[Any, str]) -> str:
    """The wording of a code, or of bytes that are text in disguise."""
    if kind in RATIOS:  # as fractions, which equal the codes that they stand for
        values = [exifread.utils.Ratio(*value) for value in values if isinstance(value, Ratio)]
    if isinstance(form, dict):
        return "".join([form[value] if value in form else repr(value) for value in values])
    try:
        return form(values if isinstance(values, str | bytes) else list(values))
    except _UNREADABLE:
        return str(values)
