"""The kinds of column a task's rows have, and what each promises."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, get_args

from transforms import iso_dates

WhenMissing = Literal["reject", "keep", "skip_training"]


def as_tuple(what: str, received: Any, kind: type | tuple[type, ...], such_as: str) -> Any:
    """A tuple of this kind, from a tuple or a list; ValueError from anything else."""
    if not isinstance(received, tuple | list) or not all(isinstance(one, kind) for one in received):
        raise ValueError(f"{what} must be a tuple. Expected a tuple such as {such_as}. Received: {received!r}.")
    return tuple(received)


def brief(received: Any) -> str:
    text = repr(received)
    return text if len(text) <= 100 else f"{text[:97]}..."


@dataclass(frozen=True)
class _Column:
    """What every kind of column has. `column` is what files call it, if not by its name."""

    name: str
    _: KW_ONLY
    when_missing: WhenMissing = "reject"
    drift: float = 0.25
    about: str = ""
    column: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.column, str) or self.column != self.column.strip():
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: column is what files call it, where that is no name of a "
                f"feature. Expected text without blanks around it. Received: {self.column!r}."
            )
        if self.when_missing not in get_args(WhenMissing):
            raise ValueError(
                f"{type(self).__name__} {self.name!r} has an unknown when_missing. "
                f"Expected {' or '.join(map(repr, get_args(WhenMissing)))}. Received: {self.when_missing!r}."
            )


@dataclass(frozen=True)
class Number(_Column):
    """A float; the preprocessing sees NaN where it is missing."""

    _: KW_ONLY
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.minimum is not None and self.maximum is not None and not self.minimum <= self.maximum:
            raise ValueError(
                f"Number {self.name!r} has a minimum above its maximum, which no value is between. "
                f"Expected a minimum of at most {self.maximum}. Received: {self.minimum}."
            )


@dataclass(frozen=True)
class Category(_Column):
    """One of a fixed set of integers or strings; the preprocessing sees -1 or "" where it is missing."""

    values: tuple[int, ...] | tuple[str, ...]
    _: KW_ONLY
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, kinds, such_as in (("values", object, '("left", "right")'), ("names", str, '("Left", "Right")')):
            made = as_tuple(f"The {name} of Category {self.name!r}", getattr(self, name), kinds, such_as)
            object.__setattr__(self, name, made)
        self._check_values()

    def _check_values(self) -> None:
        kinds = {type(value) for value in self.values}
        if len(self.values) < 2 or len(kinds) != 1 or not kinds <= {int, str}:
            raise ValueError(
                f"Category {self.name!r} needs at least two values, all integers or all strings. "
                f"Received: {self.values!r}."
            )
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"Category {self.name!r} needs values that differ. Received: {self.values!r}.")
        missing = -1 if self.integer else ""
        if missing in self.values and self.when_missing != "reject":
            raise ValueError(
                f"Category {self.name!r} cannot have the value {missing!r}, which stands for a missing one. Expected "
                f"other values, or when_missing='reject'. Received: {self.values!r} and {self.when_missing!r}."
            )
        if self.names and len(self.names) != len(self.values):
            raise ValueError(
                f"Category {self.name!r} needs one name for each of its {len(self.values)} values. "
                f"Received: {len(self.names)} names."
            )

    @property
    def integer(self) -> bool:
        return isinstance(self.values[0], int)

    @property
    def labels(self) -> tuple[str, ...]:
        """What people read for each value."""
        return self.names or tuple(str(value) for value in self.values)


@dataclass(frozen=True)
class Text(_Column):
    """UTF-8 text of any length."""


@dataclass(frozen=True)
class Date(_Column):
    """A day or a time; the preprocessing sees seconds since 1970 in UTC as float64, and NaN where it is missing.

    Files and requests have it in ISO 8601, or as a timestamp. What names no zone is taken as UTC.
    """

    _: KW_ONLY
    minimum: str | None = None
    maximum: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            if bound is not None and (not isinstance(bound, str) or iso_dates.microseconds(bound) is None):
                raise ValueError(
                    f"The {name} of Date {self.name!r} is an ISO date or time. Expected, for example, '2020-01-01'. "
                    f"Received: {bound!r}."
                )
        low, high = self.limits
        if low is not None and high is not None and low > high:
            raise ValueError(
                f"Date {self.name!r} has a minimum after its maximum, which no date is between. "
                f"Expected a minimum of at most {self.maximum}. Received: {self.minimum}."
            )

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """The minimum and the maximum in microseconds since 1970."""
        low, high = (iso_dates.microseconds(bound) if bound else None for bound in (self.minimum, self.maximum))
        return low, high


@dataclass(frozen=True)
class Image(_Column):
    """A picture. `Image("photo", 96, 96, channels=3)` takes files of any size, which the preprocessing resizes.

    `Image("image", (28, 28))` is the strict kind: grey pixels of exactly this size, as raw bytes or a PNG file.
    """

    shape: tuple[int, int]
    _: KW_ONLY
    channels: int = 1
    exact: bool = True

    def __init__(
        self,
        name: str,
        height: int | tuple[int, int],
        width: int | None = None,
        *,
        channels: int = 1,
        when_missing: WhenMissing = "reject",
        drift: float = 0.25,
        about: str = "",
        column: str = "",
    ) -> None:
        shape = height if isinstance(height, tuple) else (height, width)
        values = {"name": name, "shape": shape, "channels": channels, "exact": isinstance(height, tuple)}
        values |= {"when_missing": when_missing, "drift": drift, "about": about, "column": column}
        for key, value in values.items():
            object.__setattr__(self, key, value)
        self.__post_init__()
        if len(shape) != 2 or not all(isinstance(size, int) and size > 0 for size in shape) or channels not in (1, 3):
            raise ValueError(
                f"Image {name!r} needs a height and a width in pixels, and 1 or 3 channels. Expected, for example, "
                f"Image({name!r}, 96, 96, channels=3). Received: {height!r}, {width!r} and channels={channels!r}."
            )
        if self.exact and channels == 3:
            raise ValueError(
                f"Image {name!r} of exactly {shape[0]} by {shape[1]} pixels is grey. Expected colour pictures of any "
                f"size, Image({name!r}, {shape[0]}, {shape[1]}, channels=3). Received: channels=3 and {shape!r}."
            )

    @property
    def size(self) -> int:
        """The number of bytes of raw pixels."""
        return self.shape[0] * self.shape[1] * self.channels


Feature = Number | Category | Text | Image | Date
