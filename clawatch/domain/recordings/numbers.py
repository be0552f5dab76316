"""Columns: many values of one name, packed so that a group of them (an agent's) is had without the others.

Numbers are mostly decimals of few digits that change little from step to step. So they are kept as scaled integers,
each group as its first value and zigzag-coded differences, byte by byte in planes (all low bytes, then all high
ones), which is what a general compressor makes most of. A column that cannot be had back exactly is kept as doubles.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any, Final

import msgspec
from msgspec import Struct

_EXACT = 2**53
"""Integers up to here are doubles without loss."""
_MOST_DIGITS = 15
_TYPES = ((1, "B", 2**8), (2, "H", 2**16), (4, "I", 2**32), (8, "Q", 2**64))
_IS_BIG = sys.byteorder == "big"
_encode = msgspec.json.Encoder().encode


class _Missing:
    """No value at all, other than null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class Numbers(Struct, frozen=True, array_like=True):
    """``digits``: decimals; -1: integers; -2: doubles as they are, without firsts and differences."""

    digits: int
    width: int
    firsts: bytes
    planes: bytes


_INTEGERS, _DOUBLES = -1, -2


def pack_numbers(groups: Sequence[Sequence[int | float]]) -> Numbers:
    """Of finite floats and integers up to 2**53; an integer among floats comes back as the float of its value."""
    values = list(chain.from_iterable(groups))
    digits, scaled = _scaled(values)
    if digits == _DOUBLES:
        return Numbers(digits, 8, b"", _planes(array("d", values)))
    firsts, differences, start = [], [], 0
    for group in groups:
        end = start + len(group)
        if end > start:
            firsts.append(scaled[start])
            differences += [later - earlier for earlier, later in zip(scaled[start:end], scaled[start + 1 : end])]  # noqa: B905 (pairs)
        start = end
    zigzag = [d << 1 if d >= 0 else (-d << 1) - 1 for d in differences]
    largest = max(zigzag, default=0)
    width, code = next((width, code) for width, code, limit in _TYPES if largest < limit)
    return Numbers(digits, width, _little(array("q", firsts)), _planes(array(code, zigzag)))


def unpack_group(numbers: Numbers, counts: Sequence[int], group: int) -> list[Any]:
    """The values of one group; ``counts`` are the sizes of all."""
    count, before = counts[group], sum(counts[:group])
    if not count:
        return []
    if numbers.digits == _DOUBLES:
        return _from_planes(numbers.planes, 8, "d", before, count).tolist()
    place = sum(1 for size in counts[:group] if size)
    first = _from_little(numbers.firsts[place * 8 : place * 8 + 8], "q")[0]
    code = next(code for width, code, _ in _TYPES if width == numbers.width)
    zigzag = _from_planes(numbers.planes, numbers.width, code, before - place, count - 1)
    values = list(accumulate(((z >> 1) ^ -(z & 1) for z in zigzag), initial=first))
    if numbers.digits == _INTEGERS:
        return values
    scale = 10**numbers.digits
    return [value / scale for value in values]


def _scaled(values: list[int | float]) -> tuple[int, list[int]]:
    """The fewest decimals that give every value back exactly, and the values as integers of that scale."""
    if all(type(value) is int for value in values):
        return _INTEGERS, values  # type: ignore[return-value]
    digits = max(map(_digits, values[:16])) if max(map(abs, values)) < _EXACT else _MOST_DIGITS + 1
    while digits <= _MOST_DIGITS:
        scale = 10**digits
        scaled = [round(value * scale) for value in values]
        back = [k / scale for k in scaled]
        if back == values and max(map(abs, scaled)) < _EXACT:
            return digits, scaled
        wrong = next((value for value, found in zip(values, back, strict=True) if value != found), 0)
        digits = max(digits + 1, _digits(wrong))
    return _DOUBLES, []


def _digits(value: int | float) -> int:
    """Decimals that are written for a number."""
    mantissa, _, exponent = repr(value).partition("e")
    written = len(mantissa.partition(".")[2]) if not mantissa.endswith(".0") else 0
    return max(0, written - int(exponent or 0))


def _planes(values: array[Any]) -> bytes:
    raw, width = _little(values), values.itemsize
    return raw if width == 1 else b"".join(raw[place::width] for place in range(width))


def _from_planes(planes: bytes, width: int, code: str, start: int, count: int) -> array[Any]:
    total = len(planes) // width
    raw = bytearray(width * count)
    for place in range(width):
        raw[place::width] = planes[place * total + start : place * total + start + count]
    return _from_little(bytes(raw), code)


def _little(values: array[Any]) -> bytes:
    if _IS_BIG:
        values.byteswap()
    return values.tobytes()


def _from_little(raw: bytes, code: str) -> array[Any]:
    values = array(code)
    values.frombytes(raw)
    if _IS_BIG:
        values.byteswap()
    return values


class Column(Struct, frozen=True, array_like=True):
    """Any values. ``codes``, one byte each, say what they are; empty: all are numbers."""

    codes: bytes
    numbers: Numbers | None
    words: bytes
    """Whatever is no number, each once: a list as JSON."""
    places: bytes
    """Which word, two or four bytes each; empty: one after the other."""


_ABSENT, _NUMBER, _WORD = 0, 1, 2


def pack_column(groups: Sequence[Sequence[Any]]) -> Column:
    """Any JSON values, or MISSING."""
    if {type(value) for group in groups for value in group} == {float}:
        return Column(b"", pack_numbers(groups), b"", b"")
    codes = [[_code(value) for value in group] for group in groups]
    numbers = [
        [value for value, code in zip(group, coded, strict=True) if code == _NUMBER]
        for group, coded in zip(groups, codes, strict=True)
    ]
    words, places = _words(
        value for group, coded in zip(groups, codes, strict=True)
        for value, code in zip(group, coded, strict=True) if code == _WORD
    )  # fmt: skip
    flat = bytes(chain.from_iterable(codes))
    is_plain = flat.count(_NUMBER) == len(flat)
    packed = pack_numbers(numbers) if any(numbers) else None
    return Column(b"" if is_plain else flat, packed, _encode(words) if words else b"", places)


def unpack_column(column: Column, counts: Sequence[int], group: int) -> list[Any]:
    """The values of one group; ``counts`` are the sizes of all."""
    if not column.codes:
        return unpack_group(column.numbers, counts, group) if column.numbers is not None else []
    bounds = [0, *accumulate(counts)]
    start, end = bounds[group], bounds[group + 1]
    codes = column.codes[start:end]
    numbers: list[Any] = []
    if column.numbers is not None and _NUMBER in codes:
        sizes = [column.codes.count(_NUMBER, bounds[i], bounds[i + 1]) for i in range(len(counts))]
        numbers = unpack_group(column.numbers, sizes, group)
    words = _unplace(column, column.codes.count(_WORD, 0, start), codes.count(_WORD))
    sources = {_ABSENT: iter([MISSING] * len(codes)), _NUMBER: iter(numbers), _WORD: iter(words)}
    return [next(sources[code]) for code in codes]


def _code(value: Any) -> int:
    if value is MISSING:
        return _ABSENT
    kind = type(value)
    return _NUMBER if kind is float or (kind is int and -_EXACT < value < _EXACT) else _WORD


def _words(values: Any) -> tuple[list[Any], bytes]:
    known: dict[bytes, int] = {}
    words: list[Any] = []
    places: list[int] = []
    for value in values:
        key = _encode(value)
        if key not in known:
            known[key] = len(words)
            words.append(value)
        places.append(known[key])
    if len(words) == len(places):
        return words, b""
    return words, _little(array("H" if len(words) < 2**16 else "I", places))


def _unplace(column: Column, start: int, count: int) -> list[Any]:
    words: list[Any] = msgspec.json.decode(column.words) if count else []
    if not column.places:
        return words[start : start + count]
    code, width = ("H", 2) if len(words) < 2**16 else ("I", 4)
    places = _from_little(column.places[start * width : (start + count) * width], code)
    return [words[place] for place in places]
