from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from components.examples import drift
from components.examples.rejected import Rejected, SetAside, grouped
from components.examples.statistics import STRANGERS, Numbers, Statistics, Values
from tasks import Category, Date, Image, Number, Text

COLUMNS = (Number("weight"), Category("origin", (1, 2, 3)), Text("review"), Image("picture", (1, 2)), Number("mpg"))
TRAIN, EVAL, TEST = 0, 1, 2


def gathered(*batches: tuple[list[int], dict[str, list[object]]]) -> Statistics:
    types = {"weight": pa.float32(), "origin": pa.int64(), "review": pa.string(), "picture": pa.binary()}
    statistics = Statistics(COLUMNS)
    for splits, columns in batches:
        arrays = {name: pa.array(values, types.get(name, pa.float32())) for name, values in columns.items()}
        statistics.add(np.array(splits, np.int8), arrays)
    return statistics


FIRST = (
    [TRAIN, TRAIN, EVAL, TRAIN],
    {
        "weight": [1.0, None, 5.0, 3.0],
        "origin": [1, 2, 9, None],
        "review": ["äbc", None, "", "x"],
        "picture": [b"\x00\x02", b"\x04\x04", None, b"\x00\x00"],
        "mpg": [1.0, 2.0, 3.0, 4.0],
    },
)
SECOND = ([TRAIN], {"weight": [8.0], "origin": [1], "review": ["xy"], "picture": [b"\x06\x06"], "mpg": [5.0]})


def test_numbers_are_summarised_by_split() -> None:
    summary = gathered(FIRST, SECOND).summary()
    assert summary["rows"] == {"train": 4, "eval": 1, "test": 0}
    weight = summary["columns"]["weight"]
    assert {name: weight["train"][name] for name in ("count", "missing", "min", "max", "mean")} == {
        "count": 3, "missing": 1, "min": 1.0, "max": 8.0, "mean": 4.0,
    }  # fmt: skip
    assert weight["train"]["std"] == pytest.approx(math.sqrt(26 / 3))
    assert len(weight["train"]["quantiles"]) == 101
    assert [weight["train"]["quantiles"][at] for at in (0, 50, 100)] == [1.0, 3.0, 8.0]
    assert weight["test"] == {"count": 0, "missing": 0}


def test_text_counts_characters_and_images_their_mean_pixel() -> None:
    columns = gathered(FIRST, SECOND).summary()["columns"]
    assert [columns["review"]["train"][name] for name in ("count", "missing", "min", "max", "mean")] == [3, 1, 1, 3, 2]
    assert [columns["picture"]["train"][name] for name in ("count", "missing", "min", "max")] == [4, 0, 0, 6]


def test_categories_are_counted_and_values_outside_named() -> None:
    origin = gathered(FIRST, SECOND).summary()["columns"]["origin"]
    assert origin["train"] == {
        "count": 3, "missing": 1, "top": [[1, 2], [2, 1]], "outside": {"count": 0, "values": []},
    }  # fmt: skip
    assert origin["eval"] == {"count": 1, "missing": 0, "top": [[9, 1]], "outside": {"count": 1, "values": [9]}}


def test_parts_merge_to_what_one_pass_would_have_found() -> None:
    first, second = (sent(gathered(batch)) for batch in (FIRST, SECOND))
    first.merge(second)
    assert json.dumps(first.summary()) == json.dumps(gathered(FIRST, SECOND).summary())


def sent(statistics: Statistics) -> Statistics:
    """As they come from a worker."""
    statistics.compact()
    return Statistics.of(COLUMNS, json.loads(json.dumps(statistics.state())))


def test_statistics_that_were_sent_merge_to_the_same_bits() -> None:
    generator = np.random.default_rng(0)
    kept, came = [], []
    for _ in range(3):
        numbers = generator.normal(size=(2, 20_000)).astype(np.float32)
        columns = {
            "weight": numbers[0],
            "origin": generator.integers(-6000, 6000, 20_000).tolist(),
            "review": ["ü" * (number % 9) for number in range(20_000)],
            "picture": [b"\1\3"] * 20_000,
            "mpg": numbers[1],
        }
        statistics = gathered((generator.integers(0, 2, 20_000).tolist(), columns))
        statistics.aside.add(grouped([Rejected(2, "x line 2", "weight is not a number", "'a\udcff'", "a\udcff")]))
        came.append(sent(statistics))
        kept.append(statistics)
    for first, *others in (kept, came):
        for other in others:
            first.merge(other)
    assert kept[0].summary() == came[0].summary()
    assert list(kept[0].aside.reasons.items()) == list(came[0].aside.reasons.items()) == [("weight is not a number", 3)]


def test_a_hundred_thousand_numbers_in_batches() -> None:
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    parts = [Numbers(), Numbers()]
    for number, start in enumerate(range(0, 100_000, 1000)):
        parts[number % 2].add(values[start : start + 1000])
    parts[0].merge(parts[1])
    summary = parts[0].summary()
    assert summary["mean"] == pytest.approx(values.mean(dtype=np.float64), abs=1e-12)
    assert summary["std"] == pytest.approx(values.std(dtype=np.float64), rel=1e-12)
    ranks = np.searchsorted(np.sort(values), summary["quantiles"][1:-1]) / 100_000
    np.testing.assert_allclose(ranks, np.arange(1, 100) / 100, atol=0.005)


def test_a_flood_of_unknown_values_is_counted_in_bounded_memory() -> None:
    values, other = Values(["a"]), Values(["a"])
    for start in range(0, 3 * STRANGERS, 1000):
        values.add(pa.array(["a", "common", *(str(number) for number in range(start, start + 1000))]))
    other.add(pa.array(["a", "b", None]))
    values.merge(other)
    summary = values.summary()
    assert (summary["count"], summary["missing"]) == (3 * STRANGERS + 60 + 2, 1)
    assert summary["outside"]["count"] == 3 * STRANGERS + 30 + 1
    assert summary["top"][:2] == [["a", 31], ["common", 30]]
    assert len(values.counts) < STRANGERS + 10
    assert len(summary["top"]) == 100


def test_rows_set_aside_are_counted_by_reason_with_a_few_examples() -> None:
    first, second = gathered(FIRST), gathered(SECOND)
    first.aside.add(grouped([Rejected(2, "x line 2", "weight is not a number", "'a'", "a" * 500)]))
    second.aside.add(grouped([Rejected(n, f"y line {n}", "weight is missing", "", "") for n in range(30)]))
    first.merge(second)
    rejected = first.summary()["rejected"]
    assert rejected["count"] == 31
    assert rejected["reasons"] == {"weight is not a number": 1, "weight is missing": 30}
    assert len(rejected["examples"]) == 20
    assert rejected["examples"][0]["reason"] == "weight is not a number: 'a'"
    assert len(rejected["examples"][0]["row"]) == 200


def numbers(values: np.ndarray) -> dict[str, object]:
    column = Numbers()
    column.add(values.astype(np.float32))
    return column.summary()


def categories(**counts: int) -> dict[str, object]:
    column = Values(sorted(counts))
    column.add(pa.array([value for value, count in counts.items() for _ in range(count)]))
    return column.summary()


def distance(before: dict[str, object], now: dict[str, object], name: str) -> drift.Distance:
    return next(found for found in drift.distances(before, now) if found.name == name)


def test_the_kolmogorov_smirnov_distance() -> None:
    even = np.arange(1000.0)
    assert distance(numbers(even), numbers(even), drift.KOLMOGOROV_SMIRNOV).value == 0
    assert distance(numbers(even), numbers(even + 5000), drift.KOLMOGOROV_SMIRNOV).value == 1
    assert distance(numbers(even), numbers(even + 300), drift.KOLMOGOROV_SMIRNOV).value == pytest.approx(0.3, abs=0.011)
    steps, more = np.repeat([4.0, 6.0, 8.0], 100), np.repeat([4.0, 8.0], [100, 200])
    assert distance(numbers(steps), numbers(more), drift.KOLMOGOROV_SMIRNOV).value == pytest.approx(1 / 3, abs=0.011)


def test_the_total_variation_distance() -> None:
    before = categories(a=50, b=50)
    assert distance(before, categories(a=500, b=500), drift.TOTAL_VARIATION).value == 0
    assert distance(before, categories(a=80, b=20), drift.TOTAL_VARIATION).value == pytest.approx(0.3)
    assert distance(before, categories(c=9), drift.TOTAL_VARIATION).value == 1


def drawn(chances: list[float], rows: int, seed: int) -> dict[str, object]:
    counts = np.random.default_rng(seed).multinomial(rows, np.array(chances) / sum(chances))
    return categories(**{f"v{number}": int(count) for number, count in enumerate(counts)})


@pytest.mark.parametrize("rows", [(1_000_000, 1_000_000), (1_000_000, 20_000), (3000, 1_000_000)])
@pytest.mark.parametrize("chances", [[1.0] * 101, [1.0] * 200, [1 / n for n in range(1, 3000)]], ids=len)
def test_more_values_than_are_named_do_not_drift_by_themselves(chances: list[float], rows: tuple[int, int]) -> None:
    found = distance(*(drawn(chances, count, seed) for seed, count in enumerate(rows)), drift.TOTAL_VARIATION)
    assert found.value <= found.noise


def test_more_values_than_are_named_do_drift() -> None:
    even = drawn([1.0] * 200, 20_000, 0)
    risen, fewer = drawn([1.0] * 199 + [300.0], 20_000, 1), drawn([1.0] * 50, 20_000, 2)
    assert distance(even, risen, drift.TOTAL_VARIATION).value == pytest.approx(0.6, abs=0.02)
    assert distance(risen, even, drift.TOTAL_VARIATION).value == pytest.approx(0.6, abs=0.02)
    # Of the hundred values that are named of the even ones, about half have gone.
    assert distance(even, fewer, drift.TOTAL_VARIATION).value > 0.6
    assert distance(fewer, even, drift.TOTAL_VARIATION).value > 0.6


def test_the_distance_of_missing_shares() -> None:
    full, half = numbers(np.arange(100.0)), numbers(np.where(np.arange(100) % 2, np.nan, 1.0))
    assert distance(full, half, drift.MISSING).value == 0.5
    assert drift.distances({"count": 0, "missing": 0}, full) == []


@pytest.mark.parametrize("sizes", [(300, 60), (60, 60), (20_000, 300), (20_000, 20_000)])
def test_chance_alone_stays_below_the_allowance(sizes: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    over = 0
    for _ in range(100):
        sides = [numbers(generator.normal(size=size)) for size in sizes]
        over += any(found.value > found.noise for found in drift.distances(*sides))
        names = [generator.choice(list("abcdefgh"), size) for size in sizes]
        sides = [categories(**{value: int((side == value).sum()) for value in "abcdefgh"}) for side in names]
        over += any(found.value > found.noise for found in drift.distances(*sides))
    assert over <= 1


def test_all_rows_set_aside_are_counted_and_the_first_of_each_reason_kept() -> None:
    statistics = gathered(FIRST)

    def tell(at: int) -> Rejected:
        assert at < 1000, "a row that nobody keeps was made"
        return Rejected(at, f"x line {at}", "wrong number of fields", "1 instead of 2", "x")

    for _ in range(2):
        statistics.aside.add([SetAside("wrong number of fields", np.arange(600_000), tell)])
    rejected = statistics.summary()["rejected"]
    assert (rejected["count"], rejected["kept"]) == (1_200_000, 1000)
    assert rejected["reasons"] == {"wrong number of fields": 1_200_000}


def test_dates_have_a_first_and_a_last_and_merge_as_numbers_do() -> None:
    def of(*texts: str | None) -> Statistics:
        statistics = Statistics((Date("when"),))
        moments = [text and datetime.fromisoformat(text).replace(tzinfo=UTC) for text in texts]
        statistics.add(np.zeros(len(texts), np.int8), {"when": pa.array(moments, pa.timestamp("us", "UTC"))})
        return statistics

    whole = of("2026-11-24T18:03:01.25", None, "2026-11-25")
    whole.merge(Statistics.of((Date("when"),), json.loads(json.dumps(of("1969-12-31T23:59").state()))))
    found = whole.summary()["columns"]["when"]
    assert {name: value for name, value in found["train"].items() if name != "quantiles"} == {
        "count": 3, "missing": 1, "first": "1969-12-31T23:59Z", "last": "2026-11-25",
    }  # fmt: skip
    assert found["train"]["quantiles"][0] == -60.0
    assert found["test"] == {"count": 0, "missing": 0}
