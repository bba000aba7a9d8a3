"""The function `_rows` of a new task: made-up rows with the columns, the ranges and the shares that a file has."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.new_task.column_guesses import Guess, Guesses
from components.new_task.python_source import call, literal, number, text, tuple_of, values_name, words
from tasks import Category, Date, Number, Text
from transforms import iso_dates

COUNT = 600
# As numpy calls them, and their seconds.
UNITS = {"D": 86_400, "h": 3600, "m": 60, "s": 1}
# A word of so few rows might tell whose they are.
COMMON_ROWS = 5
COMMON, TELLING = 60, 12


def rows_function(found: Guesses, source: str) -> str:
    label = found.label
    grouped = isinstance(label.feature, Category)
    groups = _groups(label)
    lines = [
        f"def _rows(count: int = {max(COUNT, 20 * len(groups))}) -> pd.DataFrame:",
        f'    """Synthetic rows, of which each column resembles that of {source}; none is copied."""',
        "    random = np.random.RandomState(0)",
    ]
    shares = [int(group.sum()) for group in groups]
    columns = [_column(guess, groups, label) for guess in found.features]
    if grouped or any(re.search(r'\bkind\b(?!")', column) for column in columns):
        lines.append(call("    kind = _synthetic.kinds", ["random", "count", tuple_of(_hundred(shares))], 0))
    if grouped:
        columns.append(
            f'            "{label.feature.name}": np.array({values_name(label.feature)}, dtype=object)[kind],'
        )
    further = [] if grouped else [*_line(found)]
    further += [line for guess in found.features for line in _lacking(guess)]
    head = "    rows = pd.DataFrame(" if further else "    return pd.DataFrame("
    lines += [head, "        {", *columns, "        }", "    )", *further]
    return "\n".join([*lines, *(["    return rows"] if further else [])])


def _lacking(guess: Guess) -> list[str]:
    if guess.feature.when_missing == "reject" or isinstance(guess.feature, Text):
        return []
    share = max(guess.values.null_count / len(guess.values), 0.01)
    name = f'rows["{guess.feature.name}"]'
    return [f"    {name} = _synthetic.lacking(random, {name}, {share:.2g})"]


def _groups(label: Guess) -> list[np.ndarray]:
    """For each kind of label which rows have it; of numbers, those below and those above the middle."""
    if isinstance(label.feature, Category):
        return [_where(label.values, value) for value in label.feature.values]
    numbers = label.values.to_numpy(zero_copy_only=False)
    high = numbers > np.nanmedian(numbers)
    return [~high & ~np.isnan(numbers), high]


def _where(values: pa.Array, value: object) -> np.ndarray:
    equal = pc.fill_null(pc.equal(values, pa.scalar(value, values.type)), False)
    found: np.ndarray = equal.to_numpy(zero_copy_only=False)
    return found


def _column(guess: Guess, groups: list[np.ndarray], label: Guess) -> str:
    name = guess.feature.name
    match guess.feature:
        case Number():
            call_ = _numbers(guess, groups)
        case Category():
            call_ = _values(guess, groups)
        case Date():
            call_ = _dates(guess)
        case _:
            call_ = _texts(guess, groups, label)
    head, items = call_
    return call(f'"{name}": _synthetic.{head}', items, 12, ",")


def _numbers(guess: Guess, groups: list[np.ndarray]) -> tuple[str, list[str]]:
    """Each kind around its own mean, as far from it as in the file."""
    values = guess.values.to_numpy(zero_copy_only=False).astype(float)
    whole = not (np.nan_to_num(values) % 1).any()
    means = [float(np.nanmean(values[group])) if np.isfinite(values[group]).any() else 0.0 for group in groups]
    within = [float(np.nanstd(values[group])) for group in groups if np.isfinite(values[group]).any()]
    deviation = sum(within) / max(len(within), 1)
    decimals = 0 if whole else max(0, 2 - math.floor(math.log10(deviation))) if deviation else 3
    shown = [round(mean, decimals + 1) for mean in means]
    items = [
        "random", f"np.take({tuple_of(shown)}, kind)", number(float(f"{deviation:.3g}")),
        number(float(np.nanmin(values))), number(float(np.nanmax(values))), f"decimals={decimals}",
    ]  # fmt: skip
    return "numbers", items


def _values(guess: Guess, groups: list[np.ndarray]) -> tuple[str, list[str]]:
    assert isinstance(guess.feature, Category)
    shares = []
    for group in groups:
        counted = Counter(guess.values.filter(pa.array(group)).to_pylist())
        shares.append(_hundred([counted[value] for value in guess.feature.values]))
    listed = ", ".join(map(tuple_of, shares))
    return "values", ["random", "kind", values_name(guess.feature), f"({listed}{',' if len(shares) == 1 else ''})"]


def _dates(guess: Guess) -> tuple[str, list[str]]:
    """From all over the file's time, as fine as there."""
    moments = guess.values.drop_null().cast(pa.int64()).to_numpy(zero_copy_only=False) // 10**6
    unit = next(unit for unit, length in UNITS.items() if not (moments % length).any())
    ends = (text(iso_dates.written(int(moment) * 10**6).removesuffix("Z")) for moment in (moments.min(), moments.max()))
    return "dates", ["random", "count", *ends, f"unit={text(unit)}"]


def _texts(guess: Guess, groups: list[np.ndarray], label: Guess) -> tuple[str, list[str]]:
    """Words that many rows have, and those that tell one kind of row from the others."""
    rows = [set(re.findall(r"[a-z']+", (value or "").lower())) for value in guess.values.to_pylist()]
    total = Counter(word for found in rows for word in found)
    common = [word for word, count in total.most_common(COMMON * 4) if count >= COMMON_ROWS][:COMMON]
    telling = []
    for at, group in enumerate(groups):
        inside = Counter(word for row, found in zip(group.tolist(), rows, strict=True) if row for word in found)
        own = int(group.sum()) / len(rows)
        lift = {word: count / (total[word] * own) for word, count in inside.items() if total[word] >= COMMON_ROWS}
        clear = [word for word in lift if lift[word] > 1.2]
        best = sorted(clear, key=lambda word: (-lift[word] * math.sqrt(inside[word]), word))[:TELLING]
        telling.append(" ".join(best) or f"kind{at}")
    length = int(np.mean([len((value or "").split()) for value in guess.values.to_pylist()])) or 3
    shown = call("", [text(each) for each in telling], 16).lstrip()
    return "texts", ["random", "kind", words(common or ["the", "a", "of"], 16), shown, f"length={min(length, 100)}"]


def _line(found: Guesses) -> Iterator[str]:
    """The label as a sum over the columns, by least squares, with the file's own scatter."""
    label = found.label.values.to_numpy(zero_copy_only=False).astype(float)
    known = np.isfinite(label)
    names, table = _regressors(found.features)
    solved, *_ = np.linalg.lstsq(table[known], label[known], rcond=1e-6)
    scatter = float(np.std(label[known] - table[known] @ solved))
    slopes: dict[str, float | dict[int | str, float]] = {}
    for (name, value), slope in zip(names, solved.tolist(), strict=True):
        if value is None:
            slopes[name] = _three(slope)
        else:
            of_values = slopes.setdefault(name, {})
            assert isinstance(of_values, dict)
            of_values[value] = _three(slope)
    del slopes[""]
    start = number(_three(solved[-1]))
    if slopes:
        yield "    slopes = {"
        yield from (f"        {text(key)}: {literal(slope)}," for key, slope in slopes.items())
        yield "    }"
        yield f"    label = _synthetic.line(rows, {start}, slopes)"
    else:
        yield f"    label = np.full(count, {start})"
    whole = not (label[known] % 1).any()
    decimals = 0 if whole else max(0, 2 - math.floor(math.log10(scatter or 1)))
    limits = [number(float(np.nanmin(label))), number(float(np.nanmax(label))), f"decimals={decimals}"]
    name = text(found.label.feature.name)
    yield call(f"    rows[{name}] = _synthetic.numbers", ["random", "label", number(_three(scatter)), *limits], 0)


def _regressors(features: list[Guess]) -> tuple[list[tuple[str, int | str | None]], np.ndarray]:
    """What a label may depend on, a column each, with its name and, of a category, the value; the last is constant."""
    names: list[tuple[str, int | str | None]] = []
    columns: list[np.ndarray] = []
    for guess in features:
        if isinstance(guess.feature, Number):
            values = guess.values.to_numpy(zero_copy_only=False).astype(float)
            names.append((guess.feature.name, None))
            columns.append(np.where(np.isnan(values), np.nanmean(values), values))
        elif isinstance(guess.feature, Category):
            names += [(guess.feature.name, value) for value in guess.feature.values]
            columns += [_where(guess.values, value).astype(float) for value in guess.feature.values]
    rows = len(features[0].values)
    return [*names, ("", None)], np.stack([*columns, np.ones(rows)], axis=1)


def _three(value: float) -> float:
    return float(f"{value:.3g}")


def _hundred(counts: list[int]) -> list[int]:
    """Shares of a hundred; what comes at all is one of them at least."""
    total = sum(counts)
    return [max(1, round(100 * count / total)) if count else 0 for count in counts] if total else [1] * len(counts)
