"""From a file to a task: what is guessed, what is written, and what is said when there is nothing to learn."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from repository import ROOT

import tasks
from components.check_task import definition
from components.new_task import column_guesses
from pipelines.__main__ import main
from tasks import Category, Date, Number, Task, Text


def penguins(count: int = 300) -> pd.DataFrame:
    random = np.random.RandomState(1)
    kind = random.randint(0, 3, count)
    frame = pd.DataFrame(
        {
            "rowid": range(1, count + 1),
            "Species": np.array(["Adelie", "Chinstrap", "Gentoo"])[kind],
            "Bill length (mm)": np.round(38 + 5 * kind + random.normal(0, 2, count), 1),
            "mass": np.round(3700 + 600 * kind + random.normal(0, 300, count)),
            "Insel": random.choice(["Biscoe", "Dream"], count),
            "year": random.choice([2007, 2008, 2009], count),
            "ring": [f"P-{number}" for number in range(count)],
            "tagged": True,
            "seen": ["a bird that was seen by " + " ".join(random.choice(list("abcdefgh"), 9)) for _ in range(count)],
        }
    )
    frame.loc[:4, "mass"] = np.nan
    return frame


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory in which one stands, with a table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_TASKS", "")
    penguins().to_csv("penguins.csv", index=False)
    for name in [name for name in sys.modules if name.startswith("tasks.zz_")]:
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(tasks, name.removeprefix("tasks."), raising=False)
    return tmp_path


def made(data: str, label: str, name: str = "zz_new") -> Task:
    assert main(["new", name, "--data", data, "--label", label]) == 0
    return tasks.get(name)


def test_each_column_becomes_what_it_holds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = made("penguins.csv", "Species")
    assert task.features[:-1] == (
        Number("bill_length_mm", minimum=23, maximum=63, column="Bill length (mm)"),
        Number("mass", minimum=1000, maximum=8000, when_missing="keep"),
        Category("insel", ("Biscoe", "Dream"), column="Insel"),
        Category("year", (2007, 2008, 2009)),
    )
    assert task.features[-1] == Text("seen")
    assert task.label == Category("species", ("Adelie", "Chinstrap", "Gentoo"), column="Species")
    said = capsys.readouterr().out
    assert "left out: rowid: it numbers the rows" in said
    assert "left out: ring: 300 different short texts in 300 rows, such as 'P-0'" in said
    assert "left out: tagged: always 'True'" in said
    assert "sluice run zz_new --data penguins.csv" in said


@pytest.mark.parametrize(("label", "metric"), [("Species", "accuracy"), ("mass", "mae"), ("Insel", "accuracy")])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_is_written_keeps_the_promises_and_reads_as_formatted(
    project: Path, label: str, metric: str, ending: str
) -> None:
    frame = penguins()
    {"csv": frame.to_csv, "parquet": frame.to_parquet}.get(
        ending, lambda path: frame.to_json(path, orient="records", lines=True)
    )(f"rows.{ending}")
    task = made(f"rows.{ending}", label)
    assert task.gate[0].metric == metric
    for promise in definition.PROMISES.values():
        promise("zz_new")
    assert_formatted(project)


def assert_formatted(project: Path) -> None:
    path = str(project / "tasks" / "zz_new.py")
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    assert ruff
    for words in (["check"], ["format", "--diff"]):
        config = ["--config", str(ROOT / "pyproject.toml")]
        done = subprocess.run([ruff, *words, *config, path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def sales(count: int = 400) -> pd.DataFrame:
    random = np.random.RandomState(2)
    when = pd.Timestamp("2025-03-01") + pd.to_timedelta(random.randint(0, 400 * 24, count), "h")
    joined = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.randint(0, 60, count), "D")
    frame = pd.DataFrame({"When sold": when, "joined": joined, "price": random.normal(20, 3, count).round(2)})
    frame.loc[:9, "joined"] = pd.NaT
    return frame


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_dates_become_features_of_the_calendar(project: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame = sales()
    if ending == "csv":
        frame["joined"] = frame["joined"].astype("string").str[:10].fillna("")
        frame.loc[20, "joined"] = "soon"
    {"csv": frame.to_csv, "parquet": frame.to_parquet}[ending](f"sales.{ending}", index=False)
    task = made(f"sales.{ending}", "price")
    assert task.features == (
        Date("when_sold", column="When sold"),
        Date("joined", when_missing="keep"),
    )
    source = (project / "tasks" / "zz_new.py").read_text()
    assert '"when_sold": ("month", "weekday", "hour"),' in source
    assert '"joined": ("weekday",),' in source
    assert 'splits=Splits(by="when_sold", eval="2 weeks", test="4 weeks")' in source
    if ending == "csv":
        assert "2020-01-01 to 2020-02-29; 10 of 400 rows lack it; 1 that are no dates will be set aside" in source
    for promise in definition.PROMISES.values():
        promise("zz_new")
    rows = pd.concat([frame for part in task.sample() for frame in part.read()])
    assert set(rows["joined"].dropna().dt.hour) == {0}
    assert len(set(rows["when_sold"].dt.hour)) == 24
    assert rows["joined"].isna().any()
    assert rows["when_sold"].between(frame["When sold"].min(), frame["When sold"].max()).all()
    assert_formatted(project)


def test_the_sample_copies_no_row_and_no_rare_word(project: Path) -> None:
    task = made("penguins.csv", "Species")
    frame = pd.concat([frame for part in task.sample() for frame in part.read()])
    own = set(penguins()["seen"])
    assert own.isdisjoint(frame["seen"])
    measured = set(map(tuple, penguins()[["Bill length (mm)", "mass"]].to_numpy().tolist()))
    assert len(measured & set(map(tuple, frame[["bill_length_mm", "mass"]].to_numpy().tolist()))) < 3


def test_a_baseline_is_the_gate(project: Path) -> None:
    pd.DataFrame({"x": range(100), "rare": [1] * 5 + [0] * 95, "price": [10.5, 20.5] * 50}).to_csv("t.csv", index=False)
    # `x` numbers the rows, so the other column is what is left.
    rare, price = made("t.csv", "rare", "zz_rare"), made("t.csv", "price", "zz_price")
    assert (rare.gate[0].metric, rare.gate[0].bar) == ("auc", 0.52)
    assert (price.gate[0].metric, price.gate[0].bar) == ("mae", 4.85)


def test_names_are_made_valid_and_differ() -> None:
    names = column_guesses.valid_names(["Größe (cm)", "größe cm", "2nd", "%", "ok_1", "日本"])
    assert list(names.values()) == ["grosse_cm", "grosse_cm_2", "column_2nd", "column_4", "ok_1", "column_6"] or list(
        names.values()
    ) == ["groe_cm", "groe_cm_2", "column_2nd", "column_4", "ok_1", "column_6"]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 1, (0, 1.5)), (30.7, 54.7, (10, 70)), (-5, 5, (-10, 10)), (7, 7, (0, 14))]
)
def test_ranges_have_room(low: float, high: float, expected: tuple[float, float]) -> None:
    assert column_guesses.limits(np.array([low, high])) == expected


def test_a_number_column_may_hold_a_few_cells_that_are_none() -> None:
    table = pa.table({"x": [*(str(number * 7 % 199) for number in range(398)), "n/k", "n/k"], "y": ["a", "b"] * 200})
    found = column_guesses.guesses(table, "y")
    assert isinstance(found.features[0].feature, Number)
    assert found.features[0].words == "0 to 198; 2 that are no numbers will be set aside"
    assert found.features[0].feature.when_missing == "reject"


WRONG = [
    (["zz_new", "--data", "nowhere.csv", "--label", "Species"], "There is no file 'nowhere.csv'"),
    (
        ["zz_new", "--data", "penguins.csv", "--label", "species"],
        "no column 'species' to learn. Did you mean 'Spe",
    ),
    (["zz_new", "--data", "penguins.csv", "--label", "tagged"], "The label 'tagged' has one value only: ['True']"),
    (["zz_new", "--data", "days.csv", "--label", "day"], "The label 'day' is a date, which cannot be learned."),
    (["zz_new", "--data", "many.csv", "--label", "ring"], "has 301 different values, which are no classes"),
    (["zz-new", "--data", "penguins.csv", "--label", "Species"], "lower case letters, digits and underscores"),
    (["auto_mpg", "--data", "penguins.csv", "--label", "Species"], "There is a task 'auto_mpg' already"),
    (["zz_new", "--data", "headless.csv", "--label", "a"], "headless.csv does not begin with the names of its columns"),
    (
        ["zz_new", "--data", "twice.csv", "--label", "a"],
        "twice.csv has 2 columns named 'a'. Expected one",
    ),
    (["zz_new", "--data", "alone.csv", "--label", "a"], "No column but 'a' is left to learn from: 'b': always 1."),
    (["zz_new", "--data", "empty.csv", "--label", "a"], "empty.csv has no rows. Expected some to learn from."),
    (["zz_new", "--data", "rows.tfrecord", "--label", "a"], "The columns of rows.tfrecord cannot be guessed."),
]


@pytest.mark.parametrize(("words", "sentence"), WRONG)
def test_what_cannot_be_is_told(
    project: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("headless.csv").write_text("1,2\n3,4\n")
    Path("twice.csv").write_text("a,a\n3,4\n")
    Path("days.csv").write_text("day,x\n2026-11-24,1\n2026-11-25,2\n")
    Path("alone.csv").write_text("a,b\n1,1\n2,1\n")
    Path("empty.csv").write_text("a,b\n")
    Path("rows.tfrecord").write_bytes(b"12345678")
    pd.DataFrame({"ring": [f"P{number}" for number in range(301)], "x": 1}).to_csv("many.csv", index=False)
    assert main(["new", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not (project / "tasks").exists()


def test_a_file_that_is_there_is_not_written_over(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tasks").mkdir()
    (project / "tasks" / "zz_new.py").write_text("x = 1\n")
    assert main(["new", "zz_new", "--data", "penguins.csv", "--label", "Species"]) == 2
    assert "tasks/zz_new.py exists already, and is not written over" in capsys.readouterr().err


@pytest.mark.slow
def test_two_commands_lead_from_a_file_to_a_pushed_model(project: Path) -> None:
    assert main(["new", "zz_new", "--data", "penguins.csv", "--label", "Species", "--tasks", "mine"]) == 0
    words = [sys.executable, "-m", "pipelines", "run", "zz_new", "--data", "penguins.csv", "--tasks", "mine", "--json"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["metrics"]["accuracy"] > 0.8
