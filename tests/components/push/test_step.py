from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT

from components.push import fail_if_rejected
from components.push import step as push
from components.serving import provenance
from components.serving import versions as destination
from components.serving.report_outcome import banner, judged
from components.storage import atomic_files, store


@dataclass
class Candidate:
    """A trained model with its papers, as the steps before push leave them."""

    root: Path
    name: str
    champion: str = ""

    def __post_init__(self) -> None:
        (self.serving / "variables").mkdir(parents=True)
        (self.serving / "saved_model.pb").write_text(self.name)
        (self.serving / "variables" / "data").write_text(self.name * 9)
        (self.serving.parent / "model.keras").write_text("not served")
        atomic_files.write_json(
            self.root / self.name / "statistics.json", {"fingerprint": "f00d", "rows": {"train": 7}}
        )
        self.bless(blessed=True)
        self.rehearse()
        (self.root / self.name / "judged.html").write_text(f"before {banner(judged({'blessed': True}))} after")

    @property
    def serving(self) -> Path:
        return self.root / self.name / "model" / "serving"

    def bless(self, **changes: Any) -> Candidate:
        blessing = {
            "blessed": True,
            "reasons": [],
            "task": "auto_mpg",
            "model_name": "mlp",
            "model_sha256": atomic_files.tree_hash(self.serving),
            "champion": self.champion,
            "metrics": {"mae": 2.0},
            "predictions": {"rows": 3, "sha256": "beef"},
        }
        atomic_files.write_json(self.root / self.name / "blessing.json", blessing | changes)
        return self

    def rehearse(self, **changes: Any) -> Candidate:
        folder = self.root / self.name / "rehearsal"
        rehearsal = {
            "passed": True,
            "loaded": True,
            "loaders": {"python": "", "session": ""},
            "reasons": [],
            "model_sha256": atomic_files.tree_hash(self.serving),
        }
        atomic_files.write_json(folder / "rehearsal.json", rehearsal | changes)
        (folder / "tf_serving_warmup_requests").write_bytes(b"requests")
        return self

    def push(self, **changes: Any) -> push.Pushed:
        given: dict[str, Any] = {
            "champion": self.champion,
            "inputs": f"inputs of {self.name}",
            "run": "r1",
            "force": "",
            "destination": str(self.root / "serving"),
            "parameters": {"seed": "0"},
        }
        return push.run(
            task="auto_mpg",
            rehearsal=str(self.root / self.name / "rehearsal"),
            statistics=str(self.root / self.name / "statistics.json"),
            model=str(self.root / self.name / "model"),
            blessing=str(self.root / self.name / "blessing.json"),
            judged=str(self.root / self.name / "judged.html"),
            report=str(self.root / self.name / "report.html"),
            **given | changes,
        )

    @property
    def told(self) -> str:
        """What the finished report says of the outcome, without its markup."""
        page = (self.root / self.name / "report.html").read_text()
        assert page.startswith("before <!--outcome-->")
        assert page.endswith("<!--/outcome--> after")
        return re.sub("<[^>]*>", "|", page)


def pushed(root: Path) -> list[int]:
    return [version.number for version in destination.versions(root / "serving", "auto_mpg")]


def test_a_blessed_model_is_pushed_with_its_papers(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path, "first")
    result = candidate.push()
    assert result == (1, str(tmp_path / "serving" / "auto_mpg" / "1"), [])
    extra = Path(result.pushed) / "assets.extra"
    assert atomic_files.read_json(extra / "blessing.json")["blessed"] is True
    assert atomic_files.read_json(extra / "statistics.json")["fingerprint"] == "f00d"
    assert atomic_files.read_json(extra / "rehearsal.json")["passed"] is True
    assert (extra / "tf_serving_warmup_requests").read_bytes() == b"requests"
    assert (extra / "model_card.md").read_text().startswith("# auto_mpg / mlp\n\n## What it is for\n\nFuel consumption")
    papers = atomic_files.read_json(extra / "provenance.json")
    assert set(papers["versions"]) >= {"python", "tensorflow", "keras", "apache-beam"}
    assert papers["pushed_at"].endswith("+00:00")
    known = {key: value for key, value in papers.items() if key not in ("versions", "pushed_at", "git")}
    assert known == {
        "task": "auto_mpg",
        "model": "mlp",
        "run": "r1",
        "inputs": "inputs of first",
        "champion": "",
        "model_sha256": atomic_files.tree_hash(candidate.serving),
        "parameters": {"seed": "0"},
        "label_values": [],
        "metrics": {"mae": 2.0},
        "fingerprint": "f00d",
        "rows": {"train": 7},
        "rejected": 0,
        "source": {},
        "gate": [],
        "reasons": [],
        "predictions": {"rows": 3, "sha256": "beef"},
        "loaders": ["python", "session"],
        "force": "",
        "blessed": True,
        "copied_from": None,
    }
    assert sorted(path.name for path in Path(result.pushed).iterdir()) == [
        "assets.extra",
        "saved_model.pb",
        "variables",
    ]


def test_a_rejected_model_is_declined_with_the_gates_reasons(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path, "first").bless(blessed=False, reasons=["mae 3 is above the bar 2"])
    assert candidate.push() == (0, "", ["mae 3 is above the bar 2"])
    assert pushed(tmp_path) == []


@pytest.mark.parametrize("blessed", [None, "false", "true", 1])
def test_only_true_is_blessed(tmp_path: Path, blessed: object) -> None:
    assert Candidate(tmp_path, "first").bless(blessed=blessed).push().version == 0


def test_a_force_goes_past_the_gate_and_into_the_provenance(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path, "first").bless(blessed=False, reasons=["no"])
    result = candidate.push(force="the old one is on fire")
    assert result.version == 1
    papers = atomic_files.read_json(Path(result.pushed) / "assets.extra" / "provenance.json")
    assert (papers["blessed"], papers["force"]) == (False, "the old one is on fire")


@pytest.mark.parametrize("force", ["", "because"])
@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_no_force_gets_past_a_missing_blessing(tmp_path: Path, content: str | None, force: str) -> None:
    candidate = Candidate(tmp_path, "first")
    blessing = tmp_path / "first" / "blessing.json"
    blessing.unlink() if content is None else blessing.write_text(content)
    result = candidate.push(force=force)
    assert result[:2] == (0, "")
    assert "no blessing" in result.reasons[0]
    assert pushed(tmp_path) == []


@pytest.mark.parametrize("force", ["", "because"])
def test_no_force_gets_past_a_blessing_of_another_model_or_task(tmp_path: Path, force: str) -> None:
    candidate = Candidate(tmp_path, "first")
    (candidate.serving / "variables" / "data").write_text("trained on after the evaluation")
    assert "another model" in candidate.push(force=force).reasons[0]
    candidate.bless(task="boats")
    assert "task 'boats'" in candidate.push(force=force).reasons[0]
    assert pushed(tmp_path) == []


def test_the_same_model_is_not_pushed_twice(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path, "first")
    first = candidate.push()
    assert candidate.push(inputs="other inputs", run="r2") == first
    assert pushed(tmp_path) == [1]
    assert atomic_files.read_json(Path(first.pushed) / "assets.extra" / "provenance.json")["run"] == "r1"


def test_a_served_model_that_another_gate_rejects_is_not_accepted(tmp_path: Path) -> None:
    first = Candidate(tmp_path, "first").push()
    rejected = Candidate(tmp_path / "later", "first").bless(blessed=False, reasons=["mae 3 is above the bar 2"])
    given = {"destination": str(tmp_path / "serving"), "inputs": "of another gate"}
    assert rejected.push(**given) == (1, first.pushed, ["mae 3 is above the bar 2"])
    assert rejected.push(**given, force="because") == first
    assert rejected.push(destination=given["destination"]) == first  # nothing has changed since it was pushed
    rejected.bless().rehearse(passed=False, reasons=["Asked with an empty text, it fails."])
    assert rejected.push(**given).reasons == ["Asked with an empty text, it fails."]
    assert pushed(tmp_path) == [1]


@pytest.mark.parametrize(("version", "reasons"), [(0, ["mae 3"]), (0, []), (1, ["mae 3"])])
def test_a_cluster_run_ends_as_failed_where_the_gate_rejected(version: int, reasons: list[str]) -> None:
    fail_if_rejected.run(publish=True, blessed=True, version=1, reasons=[])
    with pytest.raises(RuntimeError, match="The gate rejected the model"):
        fail_if_rejected.run(publish=True, blessed=False, version=version, reasons=reasons)


def test_a_model_of_the_same_inputs_is_serving_already(tmp_path: Path) -> None:
    """As when a retraining without cache comes out a little different: it is judged against the old baseline."""
    first = Candidate(tmp_path, "first").push(inputs="same")
    assert Candidate(tmp_path, "second").push(inputs="same") == first
    assert Candidate(tmp_path, "third").push(inputs="").version == 0


def test_two_that_race_for_one_baseline(tmp_path: Path) -> None:
    winner, loser = Candidate(tmp_path, "first"), Candidate(tmp_path, "second")
    assert winner.push().version == 1
    declined = loser.push()
    assert declined[:2] == (0, "")
    assert "judged against no version, and the destination now has version 1" in declined.reasons[0]
    assert loser.push(force="it is better, I know").version == 2


def test_a_blessing_against_another_champion_is_declined(tmp_path: Path) -> None:
    Candidate(tmp_path, "first").push()
    serving = destination.versions(tmp_path / "serving", "auto_mpg")[-1].champion
    later = Candidate(tmp_path, "second", champion=serving)
    assert "judged against version 9" in later.bless(champion="9:beef").push().reasons[0]
    assert later.bless().push().version == 2


@pytest.mark.parametrize(
    ("before", "now", "declined"),
    [("real", "sample", True), ("cars.csv", "sample", True), ("sample", "sample", False), ("real", "cars.csv", False)],
)
def test_synthetic_rows_do_not_replace_real_ones(tmp_path: Path, before: str, now: str, declined: bool) -> None:
    Candidate(tmp_path, "first").push(parameters={"data": before})
    served = destination.versions(tmp_path / "serving", "auto_mpg")[-1]
    second = Candidate(tmp_path, "second", champion=served.champion)
    pushed = second.push(parameters={"data": now})
    assert (pushed.version == 0) == declined
    assert ["synthetic sample" in reason for reason in pushed.reasons] == [True] * declined
    if declined:
        assert second.push(parameters={"data": now}, force="a demonstration").version == 2


def test_a_rollback_in_between_changes_the_champion(tmp_path: Path) -> None:
    for name in ("first", "second"):
        known = destination.newest(tmp_path / "serving", "auto_mpg")
        Candidate(tmp_path, name, champion=known.champion if known else "").push()
    judged_against = destination.versions(tmp_path / "serving", "auto_mpg")[-1].champion
    destination.rollback(tmp_path / "serving", "auto_mpg", 1)
    assert "now has version 3" in Candidate(tmp_path, "third", champion=judged_against).push().reasons[0]


def test_of_many_that_push_at_once_for_one_baseline_one_wins(tmp_path: Path) -> None:
    candidates = [Candidate(tmp_path, f"model{i}") for i in range(8)]
    results: list[push.Pushed] = []
    threads = [threading.Thread(target=lambda c=c: results.append(c.push())) for c in candidates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.version for result in results) == [0] * 7 + [1]
    assert pushed(tmp_path) == [1]


@pytest.mark.parametrize("force", ["", "because"])
def test_no_force_gets_past_a_missing_rehearsal(tmp_path: Path, force: str) -> None:
    candidate = Candidate(tmp_path, "first")
    candidate.rehearse(model_sha256="beef")
    assert "with another model, of sha256 beef" in candidate.push(force=force).reasons[0]
    candidate.rehearse(passed=False, loaded=False, reasons=["Plain TensorFlow cannot load the exported model."])
    assert "cannot load" in candidate.push(force=force).reasons[0]
    (tmp_path / "first" / "rehearsal" / "rehearsal.json").unlink()
    assert "no rehearsal" in candidate.push(force=force).reasons[0]
    assert pushed(tmp_path) == []


def test_a_failed_rehearsal_is_a_rejection(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path, "first").rehearse(passed=False, reasons=["Asked with an empty text, it fails."])
    assert candidate.push() == (0, "", ["Asked with an empty text, it fails."])
    assert candidate.push(publish=False) == (0, "", ["Asked with an empty text, it fails."])
    forced = candidate.push(force="nobody sends empty texts")
    papers = atomic_files.read_json(Path(forced.pushed) / "assets.extra" / "provenance.json")
    assert papers["reasons"] == ["Asked with an empty text, it fails."]
    card = (Path(forced.pushed) / "assets.extra" / "model_card.md").read_text()
    assert "- It was pushed past the gate, by force: nobody sends empty texts." in card


def test_retraining_does_not_undo_a_rollback(tmp_path: Path) -> None:
    first = Candidate(tmp_path, "first")
    first.push()
    second = Candidate(tmp_path, "second", champion=newest(tmp_path).champion)
    assert second.push().version == 2
    destination.rollback(tmp_path / "serving", "auto_mpg", 1)
    again = Candidate(tmp_path, "third", champion=newest(tmp_path).champion)
    again.root.joinpath("third", "model", "serving", "saved_model.pb").write_text("retrained")
    declined = again.bless().rehearse().push(inputs="inputs of second")
    assert declined.version == 0
    assert "Version 3 is a rollback to version 1" in declined.reasons[0]
    assert "sluice release auto_mpg" in declined.reasons[0]
    assert first.push().version == 3  # the model rolled back to is the one that is served
    destination.release(tmp_path / "serving", "auto_mpg")
    assert again.push().version == 4


def test_a_force_replaces_a_rollback(tmp_path: Path) -> None:
    for name in ("first", "second"):
        Candidate(tmp_path, name, champion=newest(tmp_path).champion if pushed(tmp_path) else "").push()
    destination.rollback(tmp_path / "serving", "auto_mpg", 1)
    later = Candidate(tmp_path, "third", champion=newest(tmp_path).champion)
    assert later.push().version == 0
    assert later.push(force="mended").version == 4


def newest(root: Path) -> destination.Version:
    return destination.versions(root / "serving", "auto_mpg")[-1]


def test_only_so_many_versions_are_kept(tmp_path: Path) -> None:
    for i in range(5):
        champion = newest(tmp_path).champion if pushed(tmp_path) else ""
        Candidate(tmp_path, f"model{i}", champion=champion).push(keep=2)
    assert pushed(tmp_path) == [4, 5]


def test_a_push_to_an_object_store(tmp_path: Path) -> None:
    url = f"memory://push-{tmp_path.name}"
    result = Candidate(tmp_path, "first").push(destination=url)
    assert result == (1, f"{url}/auto_mpg/1", [])
    assert Candidate(tmp_path, "second").push(destination=url).version == 0


def test_a_rival_s_unfinished_upload_is_waited_for_and_then_declined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a rival has claimed the number and uploads, and then is killed."""
    url = f"memory://rival-{tmp_path.name}"
    store.opened(url, "auto_mpg").write(".claims/1", b"a rival")
    monkeypatch.setattr(push, "RIVAL_SECONDS", 0.1)
    declined = Candidate(tmp_path, "first").push(destination=url)
    assert "Version 1 is being uploaded by another run" in declined.reasons[0]
    assert Candidate(tmp_path, "second").push(destination=url, force="it is dead").version == 2


RACER = """
import sys, time
from pathlib import Path
from pipelines import lazy_imports
lazy_imports.install()
from components.push import step as push
url, root, name = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
here = Path(root, name)
print(push.run(task="auto_mpg", destination=url, champion="", inputs=name, run=name, force="", parameters={},
      statistics=str(here / "statistics.json"), model=str(here / "model"), blessing=str(here / "blessing.json"),
      rehearsal=str(here / "rehearsal"), judged=str(here / "judged.html"), report=str(here / "report.html")).version,
      flush=True)
"""


def test_processes_that_race_for_one_baseline(tmp_path: Path) -> None:
    names = [Candidate(tmp_path, f"model{i}").name for i in range(4)]
    command = [sys.executable, "-c", RACER, str(tmp_path / "serving"), str(tmp_path)]
    racers = [
        subprocess.Popen([*command, name], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in names
    ]
    assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * len(racers)
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    versions = [int(racer.communicate(timeout=60)[0].split()[-1]) for racer in racers]
    assert sorted(versions) == [0, 0, 0, 1]


def test_the_report_is_finished_when_the_outcome_is_known(tmp_path: Path) -> None:
    first = Candidate(tmp_path, "first")
    first.push(publish=False)
    assert "✓ Clears the gate|" in first.told
    version = first.push()
    assert f"✓ Pushed as version 1||It is served from {version.pushed}." in first.told
    first.push()
    assert "✓ Version 1 serves this model already" in first.told

    rival = Candidate(tmp_path, "rival")
    rival.push()
    assert "Held back||The model clears every bar of the gate, and was not pushed:" in rival.told
    assert "The champion changed: the model was judged against no version, and" in rival.told
    hung = Candidate(tmp_path, "hung", version_of(tmp_path)).rehearse(reasons=["It <hangs>."])
    hung.push()
    assert "Held back|" in hung.told
    assert "It &lt;hangs&gt;." in hung.told

    poor = Candidate(tmp_path, "poor", version_of(tmp_path)).bless(blessed=False, reasons=["mae 9 is above the bar."])
    poor.push()
    assert "✗ Rejected||Nothing was pushed:|" in poor.told
    assert "mae 9 is above the bar." in poor.told
    poor.push(force="it is dead")
    assert "Pushed by force as version 2|" in poor.told
    assert "The reason given: it is dead." in poor.told
    destination.rollback(tmp_path / "serving", "auto_mpg", 1)
    late = Candidate(tmp_path, "late", version_of(tmp_path))
    late.push()
    assert "Held back|" in late.told
    assert "Version 3 is a rollback to version 1" in late.told


def version_of(root: Path) -> str:
    newest = destination.newest(root / "serving", "auto_mpg")
    assert newest is not None
    return newest.champion


def test_what_no_evaluation_wrote_is_no_report(tmp_path: Path) -> None:
    candidate = Candidate(tmp_path, "first")
    (tmp_path / "first" / "judged.html").write_text("<!--outcome-->")
    with pytest.raises(ValueError, match="Expected a report that an evaluation wrote"):
        candidate.push()


def test_git_revision(tmp_path: Path) -> None:
    """From a copy of the code in a repository of its own: tracked, changed, and untracked."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@localhost"]
    for name in ("components/__init__.py", "components/serving/__init__.py", "components/serving/provenance.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
import components.serving
components.__path__.append({str(ROOT / "components")!r})
components.serving.__path__.append({str(ROOT / "components" / "serving")!r})
from components.serving import provenance
print(provenance.__file__, provenance.git_revision())
"""

    def revision() -> str:
        result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        path, _, found = result.stdout.strip().partition(" ")
        assert path == str(tmp_path / "components" / "serving" / "provenance.py")
        return found

    subprocess.run([*git, "init", "-q"], check=True)
    assert revision() == ""
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert revision() == head
    (tmp_path / "components" / "__init__.py").write_text("# changed\n")
    assert revision() == f"{head}-dirty"


def test_library_versions_are_json() -> None:
    found = provenance.library_versions()
    assert json.loads(json.dumps(found)) == found
    assert all(found.values())


def test_a_directory_of_eighteen_nines_does_not_keep_a_push_going(tmp_path: Path) -> None:
    (tmp_path / "serving" / "auto_mpg" / "999999999999999999").mkdir(parents=True)
    assert Candidate(tmp_path, "first").push().version == 10**18
    assert pushed(tmp_path) == [10**18]


def test_what_may_be_a_rollback_is_not_replaced(tmp_path: Path) -> None:
    first = Candidate(tmp_path, "first").push()
    (Path(first.pushed) / "assets.extra" / "provenance.json").write_text('{"withdrawn": 5}')
    second = Candidate(tmp_path, "second", champion=destination.newest(tmp_path / "serving", "auto_mpg").champion)
    [reason] = second.push().reasons
    assert "in which 'withdrawn' is of another kind. So version 1 may be a rollback" in reason
    destination.release(tmp_path / "serving", "auto_mpg")
    assert second.push().version == 2


def test_a_warm_start_under_a_split_by_time_knows_until_when_its_weights_learned(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"x")
    papers = {"provenance.json": {"trained_until": {"when": "2026-06-07T23:00Z"}}}
    destination.add(tmp_path / "serving", "bike_rentals", tmp_path / "model", papers)
    start = {"warm_start": f"{tmp_path}/serving/bike_rentals/1#x"}
    assert push.began_with("bike_rentals", start) == "2026-06-07T23:00Z"
    assert push.began_with("bike_rentals", {"warm_start": f"{tmp_path}/serving/bike_rentals/2#x"}) == ""
    assert push.began_with("bike_rentals", {}) == ""
    assert push.began_with("auto_mpg", start) == ""


def test_an_mlflow_server_that_is_down_holds_no_push_up_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    told: dict[str, Any] = {}
    assert Candidate(tmp_path, "first").push(told=told).version == 1
    assert told["mlflow"] == "MLflow was not told: http://127.0.0.1:1 does not answer: Connection refused."


def test_a_later_run_from_the_same_inputs_has_nothing_new_for_mlflow(tmp_path: Path) -> None:
    Candidate(tmp_path, "first").push()
    serving = str(tmp_path / "serving")
    assert push._nothing_new(serving, "auto_mpg", "inputs of first", "r2")
    assert not push._nothing_new(serving, "auto_mpg", "inputs of first", "r1")  # the run that has pushed it
    assert not push._nothing_new(serving, "auto_mpg", "inputs of another", "r2")
