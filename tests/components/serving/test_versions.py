from __future__ import annotations

import os
import random
import runpy
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from repository import ROOT, SUPPORT

from components.serving import versions
from components.storage import atomic_files, store
from tasks import InputError

OBJECT_STORE = SUPPORT / "object_store.py"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model" / "serving", "first")


def make_model(path: Path, content: str, many: int = 3) -> Path:
    (path / "variables").mkdir(parents=True)
    (path / "assets").mkdir()
    (path / "saved_model.pb").write_text(content)
    for i in range(many):
        (path / "variables" / f"{i}").write_text(content * (i + 1))
    return path


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def add(root: Path, model: Path, **options: object) -> versions.Version:
    papers = {"provenance.json": {"run": "r1", "model_sha256": atomic_files.tree_hash(model)}}
    return versions.add(root / "serving", "cars", model, papers, **options)  # type: ignore[arg-type]


def test_no_versions_where_nothing_was_pushed(tmp_path: Path) -> None:
    assert versions.versions(tmp_path / "nothing", "cars") == []
    assert versions.newest(tmp_path / "nothing", "cars") is None
    assert versions.free_number(tmp_path / "nothing", "cars") == 1
    assert not (tmp_path / "nothing").exists()


def test_a_version_is_the_model_and_its_papers(tmp_path: Path, model: Path) -> None:
    version = add(tmp_path, model)
    assert (version.number, version.path) == (1, tmp_path / "serving" / "cars" / "1")
    assert version.provenance == {"run": "r1", "model_sha256": atomic_files.tree_hash(model)}
    assert atomic_files.tree_hash(version.path) == atomic_files.tree_hash(model) == version.model_sha256
    assert version.champion == f"1:{atomic_files.tree_hash(model)}"
    assert (version.path / "assets").is_dir()
    assert names(tmp_path / "serving" / "cars") == ["1"]
    assert versions.versions(tmp_path / "serving", "cars") == [version]


def test_whoever_serves_may_read(tmp_path: Path, model: Path) -> None:
    before = os.umask(0o022)
    try:
        version = add(tmp_path, model)
    finally:
        os.umask(before)
    paths = (version.path, *version.path.rglob("*"))
    modes = {path.relative_to(version.path.parent).as_posix(): path.stat().st_mode & 0o777 for path in paths}
    assert {modes["1"], modes["1/variables"], modes["1/assets.extra"]} == {0o755}
    assert {modes["1/saved_model.pb"], modes["1/assets.extra/provenance.json"]} == {0o644}


def test_versions_are_the_complete_ones_in_the_order_of_numbers(tmp_path: Path, model: Path) -> None:
    for _ in range(11):
        add(tmp_path, model)
    task = tmp_path / "serving" / "cars"
    for name in ("20", "x", ".incoming-1", "-3", "1.5", "9" * 25):
        (task / name).mkdir()
    (task / "21").write_text("a file")
    assert [version.number for version in versions.versions(tmp_path / "serving", "cars")] == list(range(1, 12))
    assert add(tmp_path, model).number == 22


def test_a_version_pushed_by_hand_has_no_provenance_but_a_hash(tmp_path: Path, model: Path) -> None:
    make_model(tmp_path / "serving" / "cars" / "7", "first")
    version = versions.newest(tmp_path / "serving", "cars")
    assert version is not None
    assert version.provenance == {}
    assert version.champion == f"7:{atomic_files.tree_hash(model)}"


ODD = {
    "a number": b"5",
    "cut off": b"{",
    "withdrawn": b'{"withdrawn": 5}',
    "copied from": b'{"copied_from": 1e400}',
    "rows": b'{"rows": {"train": "many"}}',
    "deep": b"[" * 100_000,
    "no text": b"\xff",
}


@pytest.mark.parametrize("what", ODD)
def test_a_version_of_odd_provenance_counts_as_somebody_elses(tmp_path: Path, model: Path, what: str) -> None:
    version = add(tmp_path, model)
    tmp_path, content = tmp_path / "serving", ODD[what]
    (version.path / "assets.extra" / "provenance.json").write_bytes(content)
    [found] = versions.versions(tmp_path, "cars")
    assert (found.number, found.provenance) == (version.number, {})
    assert "provenance.json" in found.damage
    assert found.champion == version.champion
    assert versions.is_held(tmp_path, "cars", found)
    versions.release(tmp_path, "cars")
    assert not versions.is_held(tmp_path, "cars", found)


def test_a_pipe_in_the_place_of_a_document_keeps_nobody_waiting(tmp_path: Path, model: Path) -> None:
    place = add(tmp_path, model).path / "assets.extra" / "provenance.json"
    place.unlink()
    os.mkfifo(place)
    [found] = versions.versions(tmp_path / "serving", "cars")
    assert "is no plain file" in found.damage


@pytest.mark.parametrize("number", [999_999_999_999_999_999, 2**63 - 2])
def test_a_number_of_nineteen_digits_is_a_version_as_servers_take_it(tmp_path: Path, model: Path, number: int) -> None:
    (tmp_path / "serving" / "cars" / str(number)).mkdir(parents=True)
    assert add(tmp_path, model).number == number + 1
    assert versions.newest_number(tmp_path / "serving", "cars") == number + 1


def test_behind_the_last_number_there_is_none(tmp_path: Path, model: Path) -> None:
    (tmp_path / "serving" / "cars" / str(2**63 - 1)).mkdir(parents=True)
    with pytest.raises(InputError, match=r"No version of cars can come after number 9223372036854775807"):
        add(tmp_path, model)


def test_a_number_that_a_rival_has_taken(tmp_path: Path, model: Path) -> None:
    add(tmp_path, model, number=1)
    with pytest.raises(versions.TakenError):
        add(tmp_path, model, number=1)
    assert names(tmp_path / "serving" / "cars") == ["1"]


def test_a_copy_of_another_model_is_never_seen(tmp_path: Path, model: Path) -> None:
    with pytest.raises(RuntimeError, match="changed or is damaged"):
        add(tmp_path, model, model_sha256="0" * 64)
    assert names(tmp_path / "serving" / "cars") == []


def test_pushes_at_once_get_a_version_each(tmp_path: Path, model: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = [version.number for version in pool.map(lambda _: add(tmp_path, model), range(16))]
    assert sorted(numbers) == list(range(1, 17))


def test_only_stale_leftovers_are_swept(tmp_path: Path, model: Path) -> None:
    task = tmp_path / "serving" / "cars"
    for name, age in {".incoming-old": 7200, ".incoming-new": 60}.items():
        make_model(task / name, "x")
        for path in (task / name, *(task / name).rglob("*")):
            os.utime(path, (time.time() - age,) * 2)
    add(tmp_path, model)
    assert names(task) == [".incoming-new", "1"]


def test_a_model_of_old_files_does_not_look_stale_while_it_is_copied(tmp_path: Path, model: Path) -> None:
    for path in (model, *model.rglob("*")):
        os.utime(path, (0, 0))
    version = add(tmp_path, model)
    assert min(path.stat().st_mtime for path in version.path.rglob("*")) > time.time() - 60


def test_rollback_copies_and_says_so(tmp_path: Path, model: Path) -> None:
    first = add(tmp_path, model)
    (first.path / "assets.extra" / "warmup").write_text("requests")
    add(tmp_path, make_model(tmp_path / "second", "second"))
    back = versions.rollback(tmp_path / "serving", "cars", 1)
    assert back.number == 3
    assert back.provenance["copied_from"] == 1
    assert back.provenance["run"] == "r1"
    assert back.model_sha256 == first.model_sha256 == atomic_files.tree_hash(back.path)
    assert (back.path / "assets.extra" / "warmup").read_text() == "requests"


@pytest.mark.parametrize(
    ("pushed", "number", "message"),
    [
        (0, 1, "There is no version of cars"),
        (2, 5, "no version 5 of cars.*Expected one of: 1, 2"),
        (2, 2, "Version 2 of cars is the newest already"),
    ],
)
def test_rollback_to_what_is_not_there(tmp_path: Path, model: Path, pushed: int, number: int, message: str) -> None:
    for _ in range(pushed):
        add(tmp_path, model)
    with pytest.raises(InputError, match=message):
        versions.rollback(tmp_path / "serving", "cars", number)


def test_a_damaged_version_is_not_rolled_back_to(tmp_path: Path, model: Path) -> None:
    (add(tmp_path, model).path / "saved_model.pb").write_text("damaged")
    add(tmp_path, make_model(tmp_path / "second", "second"))
    with pytest.raises(RuntimeError, match="changed or is damaged"):
        versions.rollback(tmp_path / "serving", "cars", 1)
    assert [version.number for version in versions.versions(tmp_path / "serving", "cars")] == [1, 2]


def test_a_destination_that_cannot_be_used(tmp_path: Path, model: Path) -> None:
    (tmp_path / "serving").write_text("a file")
    with pytest.raises(InputError, match="cannot be used: Not a directory"):
        add(tmp_path, model)
    with pytest.raises(InputError, match="cannot be used: Not a directory"):
        versions.versions(tmp_path / "serving", "cars")
    with pytest.raises(InputError, match="cannot be used: Protocol not known: nowhere"):
        versions.versions("nowhere://bucket/serving", "cars")


def test_a_source_that_cannot_be_read_is_not_blamed_on_the_destination(tmp_path: Path, model: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    said = r"What is to be pushed cannot be read: Too many levels of symbolic links \('.*(loop|2)'\)\."
    with pytest.raises(RuntimeError, match=said):
        versions.add(tmp_path / "serving", "cars", model, {"card.md": loop})
    (model / "variables" / "2").unlink()
    (model / "variables" / "2").symlink_to(loop)
    with pytest.raises(RuntimeError, match=said):
        versions.add(tmp_path / "serving", "cars", model, {})
    with pytest.raises(RuntimeError, match=r"cannot be read: No such file or directory \('.*/gone'\)\."):
        versions.add(tmp_path / "serving", "cars", tmp_path / "gone", {})
    assert names(tmp_path / "serving" / "cars") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_destination_without_the_right_to_write(tmp_path: Path, model: Path) -> None:
    (tmp_path / "serving").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be used: Permission denied"):
        add(tmp_path, model)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A small file system of its own, with mount options."""
    disk = tmp_path / "serving"

    def mount(options: str) -> Path:
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small tmpfs needs root on Linux")
        return disk

    yield mount
    subprocess.run(["umount", str(disk)], capture_output=True)


def test_a_full_disk(mounted: Callable[[str], Path], tmp_path: Path, model: Path) -> None:
    disk = mounted("size=64k")
    (model / "big").write_bytes(b"x" * 200_000)
    with pytest.raises(RuntimeError, match=r"is full\. Nothing was pushed"):
        add(tmp_path, model)
    assert names(disk / "cars") == []


def test_a_file_system_for_reading_only(mounted: Callable[[str], Path], tmp_path: Path, model: Path) -> None:
    mounted("ro")
    with pytest.raises(InputError, match="cannot be used: Read-only file system"):
        add(tmp_path, model)


@pytest.fixture(params=["directory", "file", "memory", "plain"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A destination of each kind: directories, and object stores without renaming."""
    runpy.run_path(str(OBJECT_STORE))["register"]()
    urls = {"directory": str(tmp_path / "serving"), "memory": f"memory://{tmp_path.name}"}
    return urls.get(request.param, f"{request.param}://{tmp_path / 'serving'}")


def push(place: str, model: Path, **facts: object) -> versions.Version:
    papers = {"provenance.json": {"model_sha256": atomic_files.tree_hash(model), **facts}, "card.md": b"# A card"}
    return versions.add(place, "cars", model, papers, model_sha256=atomic_files.tree_hash(model))


def numbers(place: str) -> list[int]:
    return [version.number for version in versions.versions(place, "cars")]


def test_every_kind_of_destination_holds_versions(place: str, model: Path, tmp_path: Path) -> None:
    assert versions.versions(place, "cars") == []
    first = push(place, model, run="r1")
    assert (first.number, first.provenance["run"]) == (1, "r1")
    with versions.fetched(first) as path:
        assert atomic_files.tree_hash(path) == first.model_sha256
        assert (path / "assets.extra" / "card.md").read_bytes() == b"# A card"
    second = push(place, make_model(tmp_path / "second", "second"))
    assert versions.newest(place, "cars") == second
    assert versions.at(f"{place}/cars/2") == second
    assert versions.at(f"{place}/cars/3") is None
    assert versions.paper(second, "nothing.json") is None
    assert versions.numbered(place, "cars", 1) == first
    assert versions.unfinished(place, "cars") == []


def test_every_kind_of_destination_knows_rollback_release_and_prune(place: str, model: Path, tmp_path: Path) -> None:
    push(place, model, pushed_at="then")
    push(place, make_model(tmp_path / "second", "second"), champion="1:x")
    back = versions.rollback(place, "cars", 1)
    assert (back.number, back.copied_from, back.provenance["withdrawn"]) == (3, 1, [2])
    assert back.provenance["first_pushed_at"] == "then"
    with versions.fetched(back) as path:
        assert atomic_files.tree_hash(path) == atomic_files.tree_hash(model)
        assert (path / "assets.extra" / "card.md").exists()
    assert versions.is_held(place, "cars", back)
    versions.release(place, "cars")
    assert not versions.is_held(place, "cars", back)
    with pytest.raises(InputError, match="nothing to release"):
        versions.release(place, "cars")
    assert versions.prune(place, "cars", 0) == []
    assert versions.prune(place, "cars", 1) == [2]
    assert numbers(place) == [1, 3]
    assert versions.unfinished(place, "cars") == []
    assert push(place, model).number == 4


def test_pushes_at_once_get_a_version_each_wherever(place: str, model: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        pushed = [version.number for version in pool.map(lambda _: push(place, model), range(12))]
    assert sorted(pushed) == numbers(place) == list(range(1, 13))


@pytest.mark.parametrize(
    ("facts", "keep", "kept"),
    [
        ([{}, {}, {}, {}], 2, {3, 4}),
        ([{}, {}, {}, {}], 9, {1, 2, 3, 4}),
        ([{}, {}, {}, {"champion": "3:x"}], 1, {3, 4}),
        ([{}, {}, {}, {"copied_from": 1}], 1, {1, 4}),
        ([{}, {}, {"copied_from": 1}, {"champion": "3:x"}], 1, {1, 3, 4}),
        ([{}, {}, {"copied_from": 1}, {"copied_from": 3}], 1, {1, 3, 4}),
        ([{}, {}, {"copied_from": 1}, {}], 1, {4}),
        ([{"champion": "7:x"}], 1, {1}),
        ([], 1, set()),
    ],
)
def test_what_pruning_spares(facts: list[dict[str, object]], keep: int, kept: set[int]) -> None:
    known = [versions.Version(number, "", about) for number, about in enumerate(facts, 1)]
    assert versions.kept(known, keep) == kept


def test_a_number_that_was_passed_and_pruned_does_not_come_back(place: str, model: Path) -> None:
    for _ in range(3):
        push(place, model)
    versions.prune(place, "cars", 1)
    with pytest.raises(versions.TakenError):
        versions.add(place, "cars", model, {}, number=2)
    assert numbers(place) == [3]


def test_what_a_killed_upload_leaves_is_no_version_and_is_swept_when_stale(tmp_path: Path, model: Path) -> None:
    runpy.run_path(str(OBJECT_STORE))["register"]()
    url = f"plain://{tmp_path / 'serving'}"
    folder = tmp_path / "serving" / "cars"
    store.opened(url, "cars").write(".claims/1", b"a pusher")
    (folder / "1").mkdir()
    (folder / "1" / "weights").write_text("half")
    assert (numbers(url), versions.unfinished(url, "cars")) == ([], [1])
    assert push(url, model).number == 2
    assert (folder / "1").exists()
    for path in (folder / ".claims" / "1", folder / "1" / "weights"):
        os.utime(path, (time.time() - 7200,) * 2)
    assert versions.unfinished(url, "cars") == []
    assert push(url, model).number == 3
    assert not (folder / "1" / "weights").exists()


def test_the_file_without_which_nothing_is_served_comes_last(tmp_path: Path, model: Path) -> None:
    register = runpy.run_path(str(OBJECT_STORE))
    register["register"]()
    order: list[str] = []
    put = register["ObjectStore"]._put

    def noted(path: Path, content: bytes, *, only_if_absent: bool) -> None:
        order.append(path.name)
        put(path, content, only_if_absent=only_if_absent)

    register["ObjectStore"]._put = staticmethod(noted)
    push(f"plain://{tmp_path / 'serving'}", model)
    assert order[0] == "1"  # the claim
    assert order[-1] == "saved_model.pb"


def test_a_missing_driver_is_said() -> None:
    with pytest.raises(InputError, match="adlfs"):
        versions.versions("abfs://container/serving", "cars")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["", "plain://"])
def test_a_server_that_polls_never_sees_an_incomplete_version(tmp_path: Path, scheme: str) -> None:
    """While versions are pushed, rolled back to and pruned, and those who do so are killed.

    On an object store a version is there when its `saved_model.pb` is, and the newest of those is what is served.
    """
    model = make_model(tmp_path / "model", "weights", many=40)
    expected, root = atomic_files.tree_hash(model), tmp_path / "serving"
    stop, broken, seen = threading.Event(), [], set()

    def poll() -> None:
        while not stop.is_set():
            present = names(root / "cars") if (root / "cars").exists() else ()
            there = [int(name) for name in present if name.isdigit() and (root / "cars" / name).is_dir()]
            if scheme:
                there = [number for number in there if (root / "cars" / str(number) / "saved_model.pb").exists()]
            if there and (newest := max(there)) not in seen:
                seen.add(newest)
                folder = root / "cars" / str(newest)
                papers = {"provenance.json", "statistics.json"}
                whole = (folder / "assets.extra").exists() and papers <= set(names(folder / "assets.extra"))
                if not whole or atomic_files.tree_hash(folder) != expected:
                    broken.append(newest)

    server = threading.Thread(target=poll)
    server.start()
    moment, deadline = random.Random(0), time.monotonic() + 60
    try:
        while len(seen) < 4 and time.monotonic() < deadline:
            command = [sys.executable, str(OBJECT_STORE), f"{scheme}{root}", str(model)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            pusher = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
            assert pusher.stdout is not None
            for _ in range(moment.randint(1, 3)):
                assert pusher.stdout.readline() == b"pushing\n"
            time.sleep(moment.uniform(0, 0.2))
            pusher.kill()
            pusher.wait()
            pusher.stdout.close()
    finally:
        stop.set()
        server.join()
    assert broken == []
    assert len(seen) > 3
    left = versions.versions(root, "cars")
    assert len(left) >= 2
    assert max(seen) <= left[-1].number


def test_the_light_modules_stay_light() -> None:
    heavy = "{'tensorflow', 'keras', 'apache_beam', 'pandas', 'numpy', 'sklearn', 'pyarrow', 'kfp'}"
    light = (
        "components.serving.versions, components.storage.atomic_files, components.evaluate.gate, components.push.step"
    )
    code = f"import sys, {light}; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
