from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components import machine
from components.examples.tfrecord import serialized_examples_of
from components.ingest import merge_parts, worker_exchange
from components.ingest import step as ingest
from components.ingest.worker import Schema, write_part
from components.reading.find_files import FilePart, file_parts
from components.reading.source_rows import Source
from components.reading.sources import snapshot
from tasks import Bar, Category, Date, InputError, Model, Number, Part, Splits, Task, Text, Train

BOATS = Task(
    about="Boats",
    features=(Number("length"), Number("beam", when_missing="keep"), Text("name", when_missing="keep")),
    label=Category("sinks", (0, 1), names=("no", "yes")),
    sample=lambda: (),
    preprocess=lambda features: features,
    models={"mlp": Model(lambda: None, Train(epochs=1))},  # type: ignore[arg-type, return-value]
    gate=(Bar("accuracy", 0.5),),
)


def frame(start: int, stop: int) -> pd.DataFrame:
    numbers = list(range(start, stop))
    return pd.DataFrame(
        {
            "length": numbers,
            "beam": [None if number % 5 == 0 else number / 2 for number in numbers],
            "name": [f"boat {number}" for number in numbers],
            "sinks": [number % 2 for number in numbers],
        }
    )


def part(start: int, stop: int, split: Any = None, name: str = "") -> Part:
    return Part(name=name or f"{start} to {stop}", read=lambda: [frame(start, stop)], split=split)


def boats(examples: Path, *parts: Source) -> dict[str, Any]:
    return ingest.ingest(BOATS, parts, examples, [])


def ids(examples: Path, split: str) -> list[bytes]:
    return list(serialized_examples_of(map(str, sorted((examples / split).glob("examples-*.tfrecord.gz")))))


def aside(examples: Path) -> list[dict[str, str]]:
    lines = (line for path in sorted((examples / "rejected").iterdir()) for line in path.read_text().splitlines())
    return [json.loads(line) for line in lines]


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_every_row_is_in_one_split_and_counted(tmp_path: Path) -> None:
    found = boats(tmp_path, part(0, 1000))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eval", "rejected", "test", "train"]
    split = {name: ids(tmp_path, name) for name in ("train", "eval", "test")}
    assert {name: len(records) for name, records in split.items()} == found["rows"]
    assert len({record for records in split.values() for record in records}) == 1000
    assert found["rows"] == {"train": 640, "eval": 159, "test": 201}
    assert found["rejected"] == {"count": 0, "kept": 0, "reasons": {}, "examples": []}
    assert sum(found["columns"]["beam"][name]["missing"] for name in split) == 200
    assert found["duplicates"] == {"train": 0, "eval": 0, "test": 0}


def test_the_same_rows_give_the_same_bytes_and_a_row_keeps_its_split_when_the_data_grows(tmp_path: Path) -> None:
    one, again, grown = (tmp_path / name for name in ("one", "again", "grown"))
    first = boats(one, part(0, 200))
    assert boats(again, part(0, 200)) == first
    assert tree(one) == tree(again)
    more = boats(grown, part(100, 500), part(0, 100))
    for split in ("train", "eval", "test"):
        assert set(ids(one, split)) <= set(ids(grown, split))
    assert len({first["fingerprint"], more["fingerprint"]}) == 2
    # Parts with few rows share a shard.
    assert [path.name for path in (grown / "train").iterdir()] == ["examples-00000-of-00001.tfrecord.gz"]


def test_the_fingerprint_tells_apart_what_would_be_trained_on_in_another_order(tmp_path: Path) -> None:
    """A model depends on the order of its rows: so an equal fingerprint must not hide another order."""
    whole, parted, turned, swapped = (tmp_path / name for name in ("whole", "parted", "turned", "swapped"))
    backwards = Part(name="x", read=lambda: [frame(0, 200).iloc[::-1]])
    found = [
        boats(whole, part(0, 200)),
        boats(parted, part(0, 80), part(80, 200)),
        boats(turned, part(80, 200), part(0, 80)),
        boats(swapped, backwards),
    ]
    fingerprints = [one["fingerprint"] for one in found]
    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 3
    assert ids(whole, "train") == ids(parted, "train")
    assert ids(whole, "train") != ids(turned, "train")


def test_the_fingerprint_sees_labels_and_splits(tmp_path: Path) -> None:
    other = Part(name="x", read=lambda: [frame(0, 100).assign(sinks=1)])
    found = [boats(tmp_path, *parts) for parts in ([part(0, 100)], [other], [part(0, 100, "train")])]
    assert len({one["fingerprint"] for one in found}) == 3


def test_official_test_rows_stay_test_and_are_set_aside_elsewhere(tmp_path: Path) -> None:
    found = boats(tmp_path, part(0, 120, "train"), part(100, 150, "test", "official"), part(140, 160))
    assert found["rows"]["test"] >= 50
    assert found["rejected"]["reasons"]["also in the test split"] >= 20
    assert found["rejected"]["count"] + sum(found["rows"].values()) == 190
    for number in range(100, 120):
        assert not any(f"boat {number}".encode() in record for record in ids(tmp_path, "train") + ids(tmp_path, "eval"))
    told = aside(tmp_path)[0]
    assert told["position"] == "0 to 120 row 101"
    assert told["reason"] == "also in the test split"
    assert json.loads(told["row"])["name"] == "boat 100"


def test_parts_of_train_are_divided_between_train_and_eval_alone(tmp_path: Path) -> None:
    found = boats(tmp_path, part(0, 1000, "train"), part(2000, 2010, "eval"))
    assert found["rows"]["test"] == 0
    assert found["rows"]["eval"] == pytest.approx(210, abs=30)


def test_duplicates_stay_together_and_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_parts, "IDS", 100)
    found = boats(tmp_path, part(0, 300), part(0, 300, name="again"))
    assert sum(found["duplicates"].values()) == 300
    splits = [set(ids(tmp_path, name)) for name in ("train", "eval", "test")]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 300


def test_bad_rows_are_set_aside_with_reason_and_position(tmp_path: Path) -> None:
    path = tmp_path / "boats.csv"
    path.write_text("name,sinks,beam,length\na,0,1,2\nb,maybe,1,2\n\nc,yes,?,3\nd,1,1\ne,1,x,y\n")
    found = boats(tmp_path / "out", *file_parts(str(path)))
    assert sum(found["rows"].values()) == 2
    assert [(row["position"], row["reason"], row["row"]) for row in aside(tmp_path / "out")] == [
        (f"{path} line 3", "sinks is not an integer: 'maybe'", "b,maybe,1,2"),
        (f"{path} line 6", "wrong number of fields: 3 instead of 4", "d,1,1"),
        (f"{path} line 7", "length is not a number: 'y'", "e,1,x,y"),
    ]
    assert found["rejected"]["reasons"] == {
        "sinks is not an integer": 1, "wrong number of fields": 1, "length is not a number": 1,
    }  # fmt: skip


def test_all_rows_bad_still_ends_with_statistics(tmp_path: Path) -> None:
    (tmp_path / "boats.csv").write_text("name,sinks,beam,length\n" + "a,0,1,x\n" * 50)
    found = boats(tmp_path / "out", *file_parts(str(tmp_path / "boats.csv")))
    assert found["rows"] == {"train": 0, "eval": 0, "test": 0}
    assert found["rejected"]["count"] == len(aside(tmp_path / "out")) == 50
    assert ids(tmp_path / "out", "train") == []


@pytest.mark.parametrize(
    ("name", "head", "row", "reason"),
    [
        ("boats.csv", "name,sinks,beam,length\n", "x\n", "wrong number of fields"),
        ("boats.jsonl", '{"name": "a", "sinks": 0, "beam": 1, "length": 2}\n', "x\n", "the line is not a JSON object"),
        ("boats.jsonl", '{"name": "a", "sinks": 0, "beam": 1, "length": 2}\n', "{\n", "the line is not a JSON object"),
        ("boats.csv", "name,sinks,beam,length\n", "a,0,1,x\n", "length is not a number"),
    ],
)
def test_a_flood_of_bad_rows_is_counted_and_does_not_write_more_than_it_has(
    tmp_path: Path, name: str, head: str, row: str, reason: str
) -> None:
    (tmp_path / name).write_text(head + row * 300_000)
    found = boats(tmp_path / "out", *file_parts(str(tmp_path / name)))
    assert found["rejected"]["reasons"] == {reason: 300_000}
    assert found["rejected"]["kept"] == len(aside(tmp_path / "out")) == 1000
    assert len({kept["position"] for kept in aside(tmp_path / "out")}) == 1000
    written = sum(len(content) for content in tree(tmp_path / "out").values())
    assert written < (tmp_path / name).stat().st_size


def test_of_a_very_long_row_set_aside_its_beginning_is_kept(tmp_path: Path) -> None:
    (tmp_path / "boats.csv").write_text("name,sinks,beam,length\n" + "a" * 150_000 + "\n")
    boats(tmp_path / "out", *file_parts(str(tmp_path / "boats.csv")))
    assert aside(tmp_path / "out")[0]["row"] == "a" * 100_000 + "… and 50,000 more characters"


def test_the_same_rows_from_every_format_are_the_same_examples(tmp_path: Path) -> None:
    table = frame(0, 50)
    table.to_csv(tmp_path / "boats.csv", index=False)
    table.to_json(tmp_path / "boats.jsonl", orient="records", lines=True)
    table.to_parquet(tmp_path / "boats.parquet")
    seen = []
    for name in ("boats.csv", "boats.jsonl", "boats.parquet"):
        boats(tmp_path / "out", *file_parts(str(tmp_path / name)))
        seen.append(tree(tmp_path / "out"))
    boats(tmp_path / "again", *file_parts(str(tmp_path / "out" / "train" / "*.tfrecord.gz")))
    assert seen[0] == seen[1] == seen[2]
    assert (
        tree(tmp_path / "again")["train/examples-00000-of-00001.tfrecord.gz"]
        == seen[0]["train/examples-00000-of-00001.tfrecord.gz"]
    )


def _broken() -> Iterator[pd.DataFrame]:
    yield frame(0, 10)
    raise OSError("the disk is gone")


def test_a_failure_leaves_nothing_final(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    boats(examples, part(0, 10))
    with pytest.raises(RuntimeError, match="bad part could not be ingested: the disk is gone"):
        boats(examples, part(0, 100), Part(name="bad part", read=_broken))
    assert tree(examples) == {}
    with pytest.raises(InputError, match="has no column 'name'"):
        boats(examples, part(0, 100), Part(name="x", read=lambda: [frame(0, 9).drop(columns="name")]))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"name,sinks,beam,length\n" * 99)[:-9])
    with pytest.raises(InputError, match=r"cut\.csv\.gz is damaged or cut off"):
        boats(examples, FilePart(name=str(tmp_path / "cut.csv.gz")))
    assert tree(examples) == {}


def test_leftovers_of_a_killed_attempt_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "examples-00000-of-00002.tfrecord.gz").write_bytes(b"half")
    (tmp_path / ingest.UNFINISHED / "part-00000").mkdir(parents=True)
    boats(tmp_path, part(0, 100))
    assert sorted(tree(tmp_path)) == [
        f"{name}/examples-00000-of-00001.tfrecord.gz" for name in ("eval", "test", "train")
    ]


def written(folder: Path, *numbers: int) -> None:
    """Parts as workers leave them behind."""
    place = worker_exchange.opened(str(folder))
    for number in numbers:
        attempt = place.attempt(number)
        write_part(Schema.of(BOATS), part(number, number + 1), attempt, {})
        place.done(attempt, number)


def test_a_part_that_did_not_come_back_stops_the_run(tmp_path: Path) -> None:
    written(tmp_path, 0, 2)
    with pytest.raises(RuntimeError, match=r"Expected 3 parts\. Received: 2, and the first that differs is part-0+1\."):
        merge_parts.load_summaries(Schema.of(BOATS), tmp_path, 3)
    written(tmp_path, 1)
    assert len(merge_parts.load_summaries(Schema.of(BOATS), tmp_path, 3)) == 3
    next((tmp_path / merge_parts.part_name(2)).glob("summary.*")).unlink()
    with pytest.raises(RuntimeError, match=r"Received: 2, and the first that differs is part-0+2\."):
        merge_parts.load_summaries(Schema.of(BOATS), tmp_path, 3)


def test_more_than_a_hundred_thousand_parts_keep_their_order(tmp_path: Path) -> None:
    written(tmp_path, 100_000, 99_999, 1_000_000)
    directories = merge_parts.part_directories(tmp_path)
    assert [int(directory.name.removeprefix("part-")) for directory in directories] == [99_999, 100_000, 1_000_000]
    worker_exchange.opened(str(tmp_path)).failed(tmp_path / "none", 100_001, {"input": False, "what": "torn"})
    with pytest.raises(RuntimeError, match="torn"):
        ingest._raise_first(tmp_path)


def test_what_workers_leave_behind_is_plain_data(tmp_path: Path) -> None:
    written(tmp_path, 0)
    left = {path.name for path in (tmp_path / merge_parts.part_name(0)).iterdir()}
    assert left - {"train-00000.tfrecord.gz"} == {"summary.json", "train.ids", "eval.ids", "test.ids"}


def test_many_rows_make_several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from components.ingest import worker as parts

    monkeypatch.setattr(parts, "SHARD_BYTES", 1000)
    monkeypatch.setattr(merge_parts, "FULL_BYTES", 0)

    def frames() -> Iterable[pd.DataFrame]:
        return (frame(start, start + 20) for start in range(0, 200, 20))

    found = boats(tmp_path, Part(name="many", read=frames))
    shards = sorted(path.name for path in (tmp_path / "train").iterdir())
    assert shards[0] == f"examples-00000-of-{len(shards):05d}.tfrecord.gz"
    assert len(shards) > 3
    assert len(ids(tmp_path, "train")) == found["rows"]["train"]


def test_data_that_changed_since_it_was_resolved_stops_the_run() -> None:
    parts = [part(0, 10)]
    ingest.check_snapshot(parts, snapshot(parts))
    with pytest.raises(RuntimeError, match="The data changed after the run had looked at it"):
        ingest.check_snapshot(parts, "another")


def test_official_ids_are_found_whatever_their_order() -> None:
    import pyarrow as pa

    from components.ingest.worker import without_official
    from components.reading.check_rows import check
    from components.reading.raw_batch import Batch

    batch = Batch(columns={"length": pa.array([1.0, 2.0, 3.0])}, numbers=np.array([4, 6, 9]), source="x", unit="line")
    rows = check([Number("length")], None, batch)
    kept, splits = without_official(rows, np.zeros(3, np.int8), {"test": np.sort(rows.ids[[2, 0]])}, batch)
    assert kept.columns["length"].to_pylist() == [2.0]
    assert kept.numbers.tolist() == [6]
    assert splits.tolist() == [0]
    assert [(row.position, row.reason) for row in kept.rejected] == [
        ("x line 4", "also in the test split"),
        ("x line 9", "also in the test split"),
    ]


@pytest.mark.slow
def test_workers_in_other_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for name, stop in (("a.csv", 300), ("b.csv", 500)):
        frame(stop - 300, stop).to_csv(tmp_path / name, index=False)
    parts = file_parts(str(tmp_path / "*.csv"))
    here = ingest.ingest(BOATS, parts, tmp_path / "here", [])
    several = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    assert ingest.ingest(BOATS, parts, tmp_path / "there", several) == here
    assert tree(tmp_path / "there") == tree(tmp_path / "here")


@pytest.fixture
def three_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every source were a large one, and the machine had three cores."""
    monkeypatch.setattr(ingest, "LARGE", 1)
    monkeypatch.setattr(machine, "cores", lambda: 3)


@pytest.fixture
def files(tmp_path: Path) -> list[FilePart]:
    (tmp_path / "in").mkdir()
    for number in range(5):
        frame(number * 100, number * 100 + 150).to_csv(tmp_path / "in" / f"{number}.csv", index=False)
    return file_parts(str(tmp_path / "in" / "*.csv"))


def test_a_large_source_is_read_in_a_process_for_each_core_to_the_same_bytes(
    tmp_path: Path, files: list[FilePart], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = boats(tmp_path / "one", *files)
    assert "processes" not in capsys.readouterr().out
    monkeypatch.setattr(ingest, "LARGE", 1)
    monkeypatch.setattr(machine, "cores", lambda: 3)
    assert boats(tmp_path / "three", *files) == one
    assert "reading 5 parts in 3 processes" in capsys.readouterr().out
    assert tree(tmp_path / "three") == tree(tmp_path / "one")


def test_whoever_names_a_number_of_workers_or_a_runner_has_that(files: list[FilePart], three_processes: None) -> None:
    assert ingest._workers(files, []) == 3
    assert ingest._workers(files[:2], []) == 2
    assert ingest._workers(files, ["--direct_num_workers=1"]) == 1
    assert ingest._workers(files, ["--runner=PortableRunner"]) == 1
    assert ingest._workers([part(0, 10)], []) == 1


def test_a_bad_file_and_a_killed_process_stop_the_run_in_a_sentence(
    tmp_path: Path, files: list[FilePart], three_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Path(files[3].name).read_bytes()
    Path(files[3].name).write_text("length,beam\n1,2\n")
    with pytest.raises(InputError, match=r"3\.csv"):
        boats(tmp_path / "out", *files)
    Path(files[3].name).write_bytes(good)

    def killed(schema: Schema, source: Source, *_: Any) -> None:
        if source.name == files[3].name:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(ingest, "write_part", killed)
    with pytest.raises(RuntimeError, match=r"3\.csv could not be ingested: its process was killed by SIGKILL\. Memory"):
        boats(tmp_path / "out", *files)
    assert not multiprocessing.active_children()


def test_a_split_by_time_finds_the_newest_date_with_several_processes(
    tmp_path: Path, three_processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dated = replace(
        BOATS, features=(*BOATS.features, Date("when")), splits=Splits(by="when", eval="1 week", test="1 week")
    )
    for number in range(3):
        days = pd.date_range("2026-01-01", periods=40).strftime("%Y-%m-%d")
        frame(number, number + 40).assign(when=days).to_csv(tmp_path / f"{number}.csv", index=False)
    parts = file_parts(str(tmp_path / "*.csv"))
    several = ingest.ingest(dated, parts, tmp_path / "several", [])
    monkeypatch.setattr(machine, "cores", lambda: 1)
    assert ingest.ingest(dated, parts, tmp_path / "one", []) == several
