"""What a task's definition and its sample promise. Knows no TensorFlow."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import tasks
from components.check_task.broken_promise import BrokenPromiseError, demand
from components.reading.check_rows import Rows, check
from components.reading.source_rows import part_batches
from components.reading.sources import source_parts
from tasks import Category, Date, Feature, InputError, Number, Part, Task


def docstring_gives_the_command(name: str) -> None:
    text = importlib.import_module(f"tasks.{name}").__doc__ or ""
    demand(f"sluice run {name}" in text, f"Its docstring does not say how to run it. Expected: sluice run {name}.")


def sample_is_the_same_every_time(name: str) -> None:
    first, again = tasks.get(name).sample(), tasks.get(name).sample()
    for one, other in zip(first, again, strict=True):
        demand(
            (one.name, one.version, one.split) == (other.name, other.version, other.split),
            f"The sample's part {one.name!r} is called otherwise when asked again: {other.name!r}.",
        )
        for rows, same in zip(checked(tasks.get(name), one), checked(tasks.get(name), other), strict=True):
            demand(
                rows.columns == same.columns,
                f"The sample's part {one.name!r} has other rows when it is read again. Use a RandomState with a seed.",
            )


def sample_fills_every_split(name: str) -> None:
    task, parts = tasks.get(name), tasks.get(name).sample()
    names = [part.name for part in parts]
    demand(len(set(names)) == len(names), f"The sample's parts need names that differ. Received: {names}.")
    splits = {part.split for part in parts}
    demand(
        splits in ({None}, {"train", "test"}, {"train", "eval", "test"}),
        f"The sample's parts name the splits {splits}. Expected none, train and test, or all three.",
    )
    demand(task.splits.fills("eval"), "The task's Splits leave no row to eval, which training watches.")


def sample_keeps_to_the_schema(name: str) -> None:
    task = tasks.get(name)
    for part in task.sample():
        for rows in checked(task, part):
            for row in rows.rejected[:1]:
                raise BrokenPromiseError(f"A row of the sample is set aside: {row.position}: {row.sentence}")
            for column in task.columns:
                _within(column, rows.columns[column.name])


def sample_has_every_value(name: str) -> None:
    task = tasks.get(name)
    for column in task.columns:
        if isinstance(column, Category):
            batches = (rows for part in task.sample() for rows in checked(task, part))
            found = {value for rows in batches for value in pc.unique(rows.columns[column.name]).to_pylist()}
            absent = [value for value in column.values if value not in found]
            demand(not absent, f"No row of the sample has {column.name} = {' or '.join(map(repr, absent[:5]))}.")


def missing_real_data_is_told(name: str) -> None:
    if tasks.get(name).real is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            source_parts(tasks.get(name), "real", folder)
        except InputError as error:
            demand(folder in str(error), f"`real` does not say which folder lacks the data. It says: {error}")
        else:
            raise BrokenPromiseError("`real` finds its data in an empty folder. Expected an InputError that says so.")


def gate_has_no_bar_twice(name: str) -> None:
    bars = [(bar.metric, bar.slices) for bar in tasks.get(name).gate]
    demand(len(set(bars)) == len(bars), f"The gate asks twice for the same. Received: {bars}.")


PROMISES: Mapping[str, Callable[[str], None]] = {
    "the docstring gives the command": docstring_gives_the_command,
    "the sample is the same every time": sample_is_the_same_every_time,
    "the sample fills every split": sample_fills_every_split,
    "rows of the sample keep to the schema": sample_keeps_to_the_schema,
    "the sample has every value of each category": sample_has_every_value,
    "real data that is not there is told": missing_real_data_is_told,
    "the gate has no bar twice": gate_has_no_bar_twice,
}


def checked(task: Task, part: Part) -> Iterator[Rows]:
    for batch in part_batches(part, task.columns):
        yield check(task.features, task.label, batch)


def _within(column: Feature, values: pa.Array) -> None:
    match column:
        case Category():
            strange = values.filter(pc.invert(pc.is_in(values, pa.array(column.values, values.type)))).drop_null()
            demand(not len(strange), f"The sample has {column.name} = {pc.unique(strange).to_pylist()[:3]}, no value.")
        case Date():
            present = values.drop_null().cast(pa.int64()).to_numpy(zero_copy_only=False)
            first, last = column.limits
            early = first is not None and (present < first).any()
            late = last is not None and (present > last).any()
            demand(not (early or late), f"The sample has {column.name} outside its minimum and maximum.")
        case Number():
            present = values.drop_null().to_numpy(zero_copy_only=False)
            low, high = column.minimum, column.maximum
            below = present < np.float32(-np.inf if low is None else low)
            wrong = present[below | (present > np.float32(np.inf if high is None else high))]
            demand(not wrong.size, f"The sample has {column.name} = {wrong[:1]}, outside its minimum and maximum.")
