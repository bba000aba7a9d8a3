"""pipeline.yaml: by KFP's schema, with room and retries for every step, and what a backend would not do with it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from repository import ROOT

from pipelines import command_line
from pipelines.commands import compile as compile_command
from pipelines.kubeflow import backend_limits, kubernetes_names, profile, step_resources
from pipelines.kubeflow.profile import Profile
from tasks import InputError

CACHED = {"ingest", "validate", "transform", "train", "evaluate", "rehearse"}
ALL = {"resolve", "push"} | CACHED
EVERYTHING = Profile(
    image="registry.example/sluice:2",
    pull_policy="Always",
    pull_secrets=["registry"],
    gpus=2,
    shm="8Gi",
    node_selector={"pool": "ml"},
    gpu_node_selector={"gpu": "h200"},
    tolerations=["dedicated=ml:NoSchedule"],
    gpu_tolerations=["nvidia.com/gpu:NoSchedule"],
    volumes=["models:/serving"],
    secrets={"s3": {"key": "AWS_ACCESS_KEY_ID"}},
    env={"HF_HOME": "/tmp/hf"},
    labels={"team": "cars"},
    resources={"train": {"memory": "32Gi", "memory_limit": "64Gi"}},
)


Result = TypeVar("Result")
KEPT: dict[str, str] = {}


def in_a_thread(function: Callable[..., Result], *arguments: Any, **how: Any) -> Result:
    """KFP looks through the whole stack at each option of a step: for seconds, where pytest's workers stand below."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(function, *arguments, **how).result()


def anew(profile: Profile, **how: Any) -> str:
    return in_a_thread(step_resources.compiled, profile, **how)


def compiled(profile: Profile, **how: Any) -> str:
    """The same for the same words, which a test of its own proves; so each is compiled once."""
    words = repr((profile, how))
    if words not in KEPT:
        KEPT[words] = anew(profile, **how)
    return KEPT[words]


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def specs(text: str) -> tuple[Any, Any]:
    """By the schemas, which know no other fields."""
    spec, *platform = documents(text)
    return (
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec()),
        json_format.ParseDict(platform[0] if platform else {}, pipeline_spec_pb2.PlatformSpec()),
    )


def test_the_checked_in_pipeline_is_current() -> None:
    assert (ROOT / "pipeline.yaml").read_text() == anew(Profile()), "pipeline.yaml is old: `make pipeline`"


def test_compiling_twice_gives_the_same_bytes() -> None:
    assert anew(EVERYTHING) == anew(EVERYTHING)


@pytest.mark.parametrize("chosen", [Profile(), EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("concluding", [False, True])
def test_the_schema_is_kept(chosen: Profile, concluding: bool) -> None:
    spec, _ = specs(compiled(chosen, concluding=concluding))
    assert spec.schema_version == "2.1.0"
    assert set(spec.root.dag.tasks) == ALL | ({"conclude"} if concluding else set())


def test_every_step_has_room_and_further_attempts() -> None:
    spec = documents(compiled(Profile()))[0]
    for executor in spec["deploymentSpec"]["executors"].values():
        room = executor["container"]["resources"]
        assert {"resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit"} <= room.keys()
    for name, task in spec["root"]["dag"]["tasks"].items():
        assert task["retryPolicy"]["maxRetryCount"] == 2
        assert task["retryPolicy"]["backoffDuration"] == "30s"
        assert task["taskInfo"]["name"] == step_resources.TITLES[name] != name
        assert bool(task["cachingOptions"]) == (name in CACHED)


def test_every_parameter_is_described() -> None:
    spec = documents(compiled(Profile()))[0]
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert {name for name, about in parameters.items() if not about.get("description")} == set()
    assert spec["pipelineInfo"]["displayName"]


def test_nothing_of_a_cluster_is_in_the_plain_one() -> None:
    assert len(documents(compiled(Profile()))) == 1
    assert "accelerator" not in compiled(Profile())


def test_a_profile_reaches_every_step_and_the_gpus_the_trainer() -> None:
    text = compiled(EVERYTHING)
    spec, platform = documents(text)
    places = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert text.count("image: registry.example/sluice:2\n") == len(ALL)
    for name in ALL:
        there = places[f"exec-{name}"]
        assert there["pvcMount"][0]["mountPath"] == "/serving"
        assert there["secretAsEnv"][0]["keyToEnv"] == [{"envVar": "AWS_ACCESS_KEY_ID", "secretKey": "key"}]
        assert there["podMetadata"]["labels"] == {"team": "cars"}
        assert there["nodeSelector"]["labels"] == {"pool": "ml"} | ({"gpu": "h200"} if name == "train" else {})
        assert [each["key"] for each in there["tolerations"]] == ["dedicated"] + ["nvidia.com/gpu"] * (name == "train")
        assert ("emptyDirMounts" in there) == (name == "train")
        resources = spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]["resources"]
        assert ("accelerator" in resources) == (name == "train")
    assert places["exec-train"]["emptyDirMounts"] == [
        {"medium": "Memory", "mountPath": "/dev/shm", "sizeLimit": "8Gi", "volumeName": "shm"}
    ]
    assert resources_of(spec, "train")["resourceMemoryLimit"] == "64Gi"
    assert resources_of(spec, "train")["accelerator"]["resourceType"] == "nvidia.com/gpu"


def resources_of(spec: dict[str, Any], name: str) -> dict[str, Any]:
    return dict(spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"]["resources"])


def test_the_trainer_with_gpus_may_have_an_image_of_its_own_and_steps_a_user() -> None:
    own = Profile(image="r/s:1", gpu_image="r/s:1-gpu", gpus=1, run_as_user=1000, run_as_group=100)
    spec, platform = documents(compiled(own))
    images = {name: each["container"]["image"] for name, each in spec["deploymentSpec"]["executors"].items()}
    assert {name for name, image in images.items() if image == "r/s:1-gpu"} == {"exec-train"}
    assert set(images.values()) == {"r/s:1", "r/s:1-gpu"}
    for each in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        assert each["securityContext"] == {"runAsUser": "1000", "runAsGroup": "100"}


def test_every_cached_step_is_keyed_by_its_own_code() -> None:
    """KFP's key has a step's parameters and its image's name: so code behind a moved tag must be a parameter."""
    tasks = documents(compiled(Profile()))[0]["root"]["dag"]["tasks"]
    for name in CACHED:
        source = tasks[name]["inputs"]["parameters"]["code"]["taskOutputParameter"]
        assert source == {"producerTask": "resolve", "outputParameterKey": f"{name}_code"}
    assert not tasks["resolve"]["cachingOptions"]


def test_our_pipeline_has_nothing_that_a_backend_refuses() -> None:
    for how in ({}, {"sparing": True, "concluding": True, "scheduled": True}):
        assert backend_limits.findings(compiled(EVERYTHING, **how), "2.14.3") == []
    notes = backend_limits.findings(compiled(Profile()))
    assert [note.refused for note in notes] == [False, False]
    assert "display names, and a backend up to 2.5 loses" in notes[0].words
    assert "names no registry" in notes[1].words


@pytest.mark.parametrize(("backend", "named"), [("", True), ("2.14", True), ("2.5.0", False), ("3.0.1", True)])
def test_no_display_names_where_a_backend_would_lose_a_steps_outputs(backend: str, named: bool) -> None:
    text = compiled(Profile(image="r/i:1", backend=backend))
    tasks = documents(text)[0]["root"]["dag"]["tasks"]
    assert {task["taskInfo"]["name"] != name for name, task in tasks.items()} == {named}
    assert backend_limits.findings(text, backend or "2.16.0") == []


def test_where_nothing_is_new_nothing_runs_after_the_first_step() -> None:
    spec = documents(compiled(EVERYTHING, sparing=True, concluding=True))[0]
    steps = spec["root"]["dag"]["tasks"]
    (group,) = steps.keys() - {"resolve"}
    assert steps[group]["triggerPolicy"]["condition"].endswith("['pipelinechannel--resolve-serving']) == 0")
    below = spec["components"][steps[group]["componentRef"]["name"]]["dag"]["tasks"]
    assert below.keys() | {"resolve"} == ALL | {"conclude"}
    assert all(task["taskInfo"]["name"] == step_resources.TITLES[name] for name, task in below.items())


FEW = Profile(steps="few", resources={"ingest": {"cpu": "3"}, "validate": {"memory": "6Gi"}})


def test_few_steps_are_the_same_pipeline_with_cheap_neighbours_in_one_pod() -> None:
    few = documents(compiled(FEW))[0]
    steps = few["root"]["dag"]["tasks"]
    assert steps.keys() == {"resolve", "ingest-and-validate", "transform", "train", "evaluate-and-push"}
    whole = documents(compiled(Profile()))[0]
    for kept in ("resolve", "transform", "train"):
        assert (
            few["deploymentSpec"]["executors"][f"exec-{kept}"] == whole["deploymentSpec"]["executors"][f"exec-{kept}"]
        )
    assert few["root"]["inputDefinitions"] == whole["root"]["inputDefinitions"]
    assert {name for name, task in steps.items() if task["cachingOptions"]} == {
        "ingest-and-validate",
        "transform",
        "train",
    }
    keyed = steps["ingest-and-validate"]["inputs"]["parameters"]
    assert [keyed[f"{part}_code"]["taskOutputParameter"]["outputParameterKey"] for part in ("ingest", "validate")] == [
        "ingest_code", "validate_code",
    ]  # fmt: skip
    sent = compiled(replace(EVERYTHING, steps="few"), sparing=True, concluding=True, scheduled=True)
    assert backend_limits.findings(sent, "2.17.0") == []
    assert "evaluate_and_push" in sent


def pods(spec: dict[str, Any], dag: dict[str, Any]) -> int:
    """A driver for each group of steps, and for each step its driver and itself, as a backend of 2.17 starts them."""
    below = (spec["components"][task["componentRef"]["name"]] for task in dag["tasks"].values())
    return 1 + sum(pods(spec, component["dag"]) if "dag" in component else 2 for component in below)


def test_few_steps_save_six_pods() -> None:
    counted = []
    for how in ({}, {"sparing": True, "concluding": True}):
        specs = (documents(compiled(each, **how))[0] for each in (Profile(), FEW))
        counted.append([pods(spec, spec["root"]["dag"]) for spec in specs])
    assert counted == [[17, 11], [20, 14]]


def test_a_pod_that_is_shared_is_as_large_as_its_largest_step() -> None:
    spec = documents(compiled(FEW))[0]
    keys = ("resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit")
    assert [resources_of(spec, "ingest-and-validate")[key] for key in keys] == ["3", "4", "6Gi", "8Gi"]
    alone, shared = (documents(compiled(each))[0] for each in (Profile(), FEW))
    assert resources_of(shared, "evaluate-and-push") == resources_of(alone, "evaluate")


def test_without_cache_every_step_runs() -> None:
    assert "enableCache: true" not in compiled(Profile(), cached=False)


def step(**changes: Any) -> dict[str, Any]:
    """A pipeline of one step, as compiled, with changes."""
    container = {"image": "r/i:1", "resources": changes.pop("resources", {}), **changes.pop("container", {})}
    executor = changes.pop("executor", {"container": container})
    task = {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}, **changes}
    return {
        "pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": {"a": task}}}, "components": {"comp-a": {"executorLabel": "exec-a"}},
        "deploymentSpec": {"executors": {"exec-a": executor}},
    }  # fmt: skip


def constant(value: str) -> dict[str, Any]:
    return {"parameters": {"x": {"runtimeValue": {"constant": value}}}}


@pytest.mark.parametrize(
    ("spec", "refused", "words"),
    [
        (step(executor={"resolver": {}}), True, "is a resolver"),
        (step(executor={"customJob": {}}), True, "Google Cloud only"),
        (step(executor={"importer": {}}, triggerPolicy={"condition": "x"}), True, "importer under a condition"),
        (step(artifactIterator={}), True, "loops over artifacts"),
        (step() | {"schemaVersion": "2.0.0"}, True, "reads the schema 2.1.0"),
        (step() | {"pipelineInfo": {"name": "My Pipeline"}}, True, "lower-case letters"),
        (step(taskInfo={"name": "A step"}), False, "a backend up to 2.5"),
        (step(cachingOptions={"enableCache": True}), False, "a moved image tag would go unnoticed"),
        (step(inputs=constant("[[ScheduledTime.2006-01-02]]")), False, "leaves as it stands"),
        (step(inputs=constant("{{$.pipeline_root}}/x")), False, "leaves as it stands"),
        (step(container={"image": "sluice"}), False, "names no registry"),
        (step(container={"lifecycle": {}}), False, "lifecycle hook"),
        (step(resources={"accelerator": {"count": 1}}), False, "accelerators of no type"),
        (step(resources={"accelerator": {"type": "nvidia.com/gpu"}}), False, "without a toleration"),
        ({"a": 1}, True, "has no pipeline"),
    ],
)
def test_what_a_backend_refuses_or_ignores(spec: dict[str, Any], refused: bool, words: str) -> None:
    assert backend_limits.findings(yaml.safe_dump(step())) == []
    (finding,) = backend_limits.findings(yaml.safe_dump(spec))
    assert words in finding.words
    assert finding.refused == refused


def test_an_accelerator_with_its_toleration_is_fine() -> None:
    spec = step(resources={"accelerator": {"type": "nvidia.com/gpu"}})
    executors = {"exec-a": {"tolerations": [{"key": "nvidia.com/gpu"}]}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    assert backend_limits.findings(yaml.safe_dump_all([spec, platform])) == []


def test_profiles_lie_over_the_base_and_flags_over_both(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[tool.sluice.kubeflow]\nimage = "r/base:1"\ngpus = 1\nenv = {A = "1", B = "1"}\n'
        '[tool.sluice.kubeflow.prod]\nimage = "r/prod:1"\nenv = {B = "2"}\n'
        '[tool.sluice.kubeflow.prod.secrets.s3]\nk = "V"\n'
    )
    base = profile.load(directory=tmp_path)
    assert (base.image, base.gpus, base.env) == ("r/base:1", 1, {"A": "1", "B": "1"})
    prod = profile.load("prod", tmp_path, gpus=0, image="", env={"C": "3"})
    assert (prod.image, prod.gpus, prod.env) == ("r/prod:1", 0, {"A": "1", "B": "2", "C": "3"})
    assert prod.secrets == {"s3": {"k": "V"}}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("imgae = 'x'", "has no place for 'imgae' in a Kubeflow profile. Did you mean 'image'?"),
        ("gpus = 'two'", "gpus must be a int"),
        ("steps = 'some'", "steps must be all or few"),
        ("backend = 'new'", "backend must be a version of Kubeflow Pipelines"),
        ("gpus = true", "gpus must be a int"),
        ("volumes = ['models']", "A volume is CLAIM:/PATH"),
        ("env = {A = 1}", "env must hold only str values"),
        ("pull_policy = 'Sometimes'", "pull_policy must be Always"),
        ("resources = {train = {memory = '8GB'}}", "resources.train takes"),
        ("resources = {train = {memory = '8Gi', memory_limit = '4Gi'}}", "Expected at most memory_limit = '4Gi'"),
        ("resources = {train = {cpu = '1500m', cpu_limit = '1'}}", "cannot request more cpu than its limit"),
        ("labels = {'a b' = 'c'}", "A key in labels of a Kubeflow profile is not what Kubernetes takes"),
        ("labels = {'example.com/' = 'c'}", "A key in labels"),
        ("labels = {'Example.com/x' = 'c'}", "A key in labels"),
        ("labels = {team = 'a b'}", "A value in labels"),
        (f"labels = {{team = '{'x' * 64}'}}", "A value in labels"),
        ("node_selector = {pool = '-ml'}", "A value in node_selector"),
        ("gpu_node_selector = {'a/b/c' = 'd'}", "A key in gpu_node_selector"),
        ("env = {'MY-VAR' = 'a'}", "Expected letters, digits and '_', with no digit first. Received: 'MY-VAR'."),
        ("env = {PATH = 'a'}", "must not replace one that the image needs"),
        ("env = {SLUICE_KFP_TOKEN = 'abc'}", "env must not hold a token"),
        ("env = {KFP_COOKIE = 'abc'}", "env must not hold a token"),
        ("secrets = {My_Secret = {key = 'A'}}", "A name in secrets"),
        ("secrets = {s3 = {'a/b' = 'A'}}", "A key in secrets"),
        ("secrets = {s3 = {key = '1A'}}", "A variable in secrets"),
        ("secrets = {s3 = {key = 1}}", "A variable in secrets"),
        ("secrets = {s3 = {key = 'PATH'}}", "must not replace"),
        ("pull_secrets = ['Registry']", "One of the pull_secrets"),
        ("service_account = 'a_b'", "The service_account"),
        ("namespace = 'a.b'", "The namespace"),
        ("image = 'Repo/Sluice:1'", "with the name in lower case"),
        ("image = 'repo/sluice: 1'", "The image"),
        ("gpu_type = 'nvidia'", "a domain, '/' and a name, such as nvidia.com/gpu. Received: 'nvidia'"),
        ("gpu_type = ''", "The gpu_type"),
        ("pipeline_root = 'bucket/artifacts'", "pipeline_root must be a URL"),
        (
            "flink = 'http://flink:8099'",
            "flink is not as it should be: expected the address of Beam's Flink job server",
        ),
        ("flink = 'flink:8099'\npipeline_root = 's3://b/x'", "flink must name two addresses, JOB_SERVER,WORKERS"),
        ("flink = 'flink:8099,localhost:50000'", "flink needs a pipeline_root on s3:// or gs://"),
        ("flink = 'flink:8099,localhost:50000'\npipeline_root = 'minio://b/x'", "Received: 'minio://b/x'"),
        ("volumes = ['Models:/serving']", "The claim of a volume"),
        ("volumes = ['models:/']", "a volume is mounted below /"),
        ("volumes = ['a:/x', 'b:/x/']", "only one volume may be mounted at /x"),
        ("shm = '1Gi'\nvolumes = ['a:/dev/shm']", "only one volume may be mounted at /dev/shm"),
        ("tolerations = ['a b=c']", "The key of a toleration"),
        ("tolerations = ['a=b c']", "The value of a toleration"),
        ("image = ", "is not TOML that can be read"),
        ("[tool.sluice.kubeflow.prod]\nhots = 'x'", "Did you mean 'host'?"),
    ],
)
def test_a_profile_with_a_slip(tmp_path: Path, table: str, words: str) -> None:
    (tmp_path / "sluice.toml").write_text(f"[tool.sluice.kubeflow]\n{table}\n")
    with pytest.raises(InputError, match=re.escape(words)):
        profile.load("prod" if "prod" in table else "", tmp_path)


@pytest.mark.parametrize(
    "image",
    ["sluice", "r/s:2", "localhost/sluice", "localhost:5000/a/b__c:v1.0-X", "Registry.Example:443/team/s:1",
     f"gcr.io/x/s@sha256:{'0' * 64}"],
)  # fmt: skip
def test_an_image_reference(image: str) -> None:
    assert Profile(image=image).image == image


def test_what_kubernetes_takes_is_taken() -> None:
    Profile(
        labels={"example.com/a_b.C": "", "x" * 63: "A.b-c_1"}, namespace="a-1", service_account="a.b-c",
        secrets={"s3.keys": {"tls.crt_1-A": "_A1"}}, gpu_type="nvidia.com/mig-1g.5gb", pipeline_root="minio://b/x",
        volumes=["a:/x", "a:/x/y"], tolerations=["nvidia.com/gpu", "a=:NoSchedule"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "room"),
    [
        ({"memory": "32Gi"}, ("2", "8", "32Gi", "32Gi")),
        ({"memory_limit": "2Gi"}, ("2", "8", "2Gi", "2Gi")),
        ({"cpu": "12500m"}, ("12500m", "12500m", "4Gi", "16Gi")),
        ({"memory": "5000M"}, ("2", "8", "5000M", "16Gi")),
        ({"memory": "32Gi", "memory_limit": "32768Mi"}, ("2", "8", "32Gi", "32768Mi")),
    ],
)
def test_a_request_stays_within_its_limit(asked: dict[str, str], room: tuple[str, ...]) -> None:
    spec = documents(compiled(Profile(resources={"train": asked})))[0]
    found = spec["deploymentSpec"]["executors"]["exec-train"]["container"]["resources"]
    keys = ("resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit")
    assert tuple(found[key] for key in keys) == room


def test_a_flink_of_the_profile_is_what_steps_use_unless_told_otherwise() -> None:
    chosen = Profile(flink="flink:8099,localhost:50000", pipeline_root="s3://artifacts")
    declared = documents(compiled(chosen))[0]["root"]["inputDefinitions"]["parameters"]
    assert declared["beam_args"]["defaultValue"] == [
        "--runner=PortableRunner", "--job_endpoint=flink:8099", "--environment_type=EXTERNAL",
        "--environment_config=localhost:50000",
    ]  # fmt: skip
    plain = documents(compiled(Profile()))[0]["root"]["inputDefinitions"]["parameters"]
    assert {name for name in declared if declared[name] != plain[name]} == {"beam_args"}


def test_shared_memory_is_part_of_the_trainer_s() -> None:
    with pytest.raises(InputError, match=re.escape("Expected shm up to its limit of 16Gi")):
        compiled(Profile(shm="17Gi"))
    compiled(Profile(shm="17Gi", resources={"train": {"memory": "32Gi"}}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tool = 3", "tool must be a table, such as [tool.sluice.kubeflow]. Received: 3."),
        ("[tool]\nsluice = 'x'", "tool.sluice must be a table"),
        ("[tool.sluice]\nkubeflow = 'x'", "tool.sluice.kubeflow must be a table"),
        ("[kubeflow]\nimage = 'r/s:1'", "has no table [tool.sluice.kubeflow]. Received: kubeflow."),
    ],
)
def test_a_file_of_another_shape(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "sluice.toml").write_text(text)
    with pytest.raises(InputError, match=re.escape(words)):
        profile.load(directory=tmp_path)


def test_a_file_without_profiles_is_missed_by_who_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text("[prod]\nimage = 'r/s:1'\n")
    assert profile.load(directory=tmp_path) == Profile()
    with pytest.raises(InputError, match=re.escape("has no table [tool.sluice.kubeflow]. Received: prod.")):
        profile.load("prod", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.sluice.kubeflow.prod]\nimage = 'r/s:2'\n")
    assert profile.load("prod", tmp_path).image == "r/s:2"


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").mkdir()
    with pytest.raises(InputError, match="to be a file in TOML"):
        profile.load(directory=tmp_path)


def test_resources_for_a_step_that_is_not_there() -> None:
    with pytest.raises(InputError, match="There is no step 'trian'"):
        compiled(Profile(resources={"trian": {"cpu": "1"}}))


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no profile 'prod'\. There is none in"):
        profile.load("prod", tmp_path)


def test_compiling_leaves_the_pipeline_itself_alone() -> None:
    from pipelines import compiled_graph

    before = copy.deepcopy(compiled_graph.training())
    anew(EVERYTHING, concluding=True)
    assert compiled_graph.training() == before


def test_the_local_key_needs_no_such_parameter() -> None:
    """It has the sources themselves: an edit of one step's code must not rerun another, nor be told twice."""
    from pipelines import compiled_graph
    from pipelines.local.cache_keys import ingredients

    ingest = next(step for step in compiled_graph.training().steps if step.name == "ingest")
    before, after = (ingredients(ingest, {"task": "auto_mpg", "code": code}, {}, "") for code in ("old", "new"))
    assert before.key == after.key
    assert "code" not in before.parameters
    assert "components/ingest/step.py" in before.sources
    assert "components/evaluate/step.py" not in before.sources


# What the definitions of KFP's custom resources (group pipelines.kubeflow.org, v2beta1) have, and what they demand.
OBJECTS = {
    "Pipeline": ({"description": str, "displayName": str}, set[str]()),
    "PipelineVersion": (
        {
            "codeSourceURL": str, "description": str, "displayName": str, "pipelineName": str, "pipelineSpec": dict,
            "pipelineSpecURI": str, "platformSpec": dict,
        },
        {"pipelineSpec"},
    ),
}  # fmt: skip


def test_the_manifest_is_kubernetes_own_form_of_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = command_line.parser().parse_args(
        ["compile", "--manifest", "--namespace", "team", "--node-selector", "pool=ml", "-o", str(tmp_path / "m.yaml")]
    )
    assert in_a_thread(compile_command.main, given) == 0
    chosen = Profile(node_selector={"pool": "ml"}, namespace="team")
    found = documents((tmp_path / "m.yaml").read_text())
    assert [each["kind"] for each in found] == ["Pipeline", "PipelineVersion"]
    for each in found:
        known, demanded = OBJECTS[each["kind"]]
        assert each["apiVersion"] == "pipelines.kubeflow.org/v2beta1"
        assert kubernetes_names.NAME.fits(each["metadata"]["name"])
        assert each["metadata"]["namespace"] == "team"
        assert demanded <= each["spec"].keys()
        assert {name: type(value) for name, value in each["spec"].items()}.items() <= known.items()
    version = found[1]["spec"]
    spec, platform = documents(compiled(chosen))
    assert (version["pipelineName"], version["pipelineSpec"]) == (found[0]["metadata"]["name"], spec)
    assert version["platformSpec"] == platform
    other = documents(step_resources.manifest(Profile(image="r/s:3", namespace="team")))
    assert other[1]["metadata"]["name"] != found[1]["metadata"]["name"]
    assert step_resources.manifest(chosen) == (tmp_path / "m.yaml").read_text()
