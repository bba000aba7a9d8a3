"""The rules of Kubeflow Pipelines' v2beta1 API, which kubeflow_server.py keeps."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import argo_nodes
import kfp_server_api
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

API = "/apis/v2beta1"
KINDS = {"STRING": str, "BOOLEAN": bool, "LIST": list, "STRUCT": dict, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float}
# gRPC's codes, as grpc-gateway puts them into the body of an error.
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 500: 13, 503: 14}
WORKFLOW = "sluice-x7k2p"
PAGE_SIZE, LARGEST_PAGE = 20, 200
# Kubernetes appends five characters to what is made of a schedule's name, and wants a letter or digit first.
KUBERNETES_NAME = re.compile(r"[a-z0-9][-a-z0-9.]*")


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class LogRefusal(Exception):
    """A log that cannot be had."""


class Rules:
    """What the API server does with a request that has come through."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def answer(self, method: str, path: str, query: dict[str, str], content: bytes) -> Any:
        if path == "/apis/v1beta1/healthz" and self.server.version == 1:
            return {"commit_sha": "1.8.5"}
        if path == f"{API}/healthz":
            return {"commit_sha": "0", "tag_name": self.server.release, "multi_user": self.server.multi_user}
        if match := re.fullmatch(r"/apis/v1beta1/runs/([^/]+)/nodes/([^/]+)/log", path):
            return self.log(*match.groups())
        match = re.fullmatch(rf"{API}/(experiments|runs|recurringruns)(?:/([^/:]+))?", path)
        if match is None:
            raise Refusal(404, "Not Found")
        kind, name = match.groups()
        match (method, name):
            case ("GET", None):
                return self._page(kind, query)
            case ("POST", None):
                return getattr(self, f"_make_{kind}")(json.loads(content))
            case ("GET", _):
                return self._moved_on(self._one(kind, name)) if kind == "runs" else self._one(kind, name)
            case ("DELETE", _):
                getattr(self.server, kind).remove(self._one(kind, name))
                return {}
        raise Refusal(400, f"Method {method} is not allowed")

    def _one(self, kind: str, name: str) -> dict[str, Any]:
        for each in getattr(self.server, kind):
            if name in (each.get("run_id"), each.get("recurring_run_id"), each.get("experiment_id")):
                return each
        raise Refusal(404, f"ResourceNotFoundError: {kind} {name} not found.")

    def _page(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        if self.server.multi_user and not (query.get("namespace") or query.get("experiment_id")):
            raise Refusal(400, "Invalid input error: In multi-user mode, namespace must be given.")
        found = [each for each in getattr(self.server, kind) if _passes(each, query)]
        if query.get("sort_by", "").endswith("desc"):
            found = found[::-1]
        start = _start(query)
        size = min(int(query.get("page_size") or 0) or PAGE_SIZE, LARGEST_PAGE)
        body = {
            {"recurringruns": "recurringRuns"}.get(kind, kind): found[start : start + size],
            "total_size": len(found),
        }
        token = {"Start": start + size, "SortBy": query.get("sort_by", ""), "Filter": query.get("filter", "")}
        encoded = base64.b64encode(json.dumps(token).encode()).decode()
        return {**body, "next_page_token": encoded} if len(found) > start + size else body

    def _make_experiments(self, body: dict[str, Any]) -> dict[str, Any]:
        _fits(body, "V2beta1Experiment")
        if not body.get("display_name"):
            raise Refusal(400, "Invalid input error: Experiment name is empty.")
        if any(each["display_name"] == body["display_name"] for each in self.server.experiments):
            raise Refusal(409, "Already exist error: an experiment of that name exists.")
        return _kept(self.server.experiments, {**body, "experiment_id": str(uuid.uuid4())})

    def _make_runs(self, body: dict[str, Any]) -> dict[str, Any]:
        _fits(body, "V2beta1Run")
        self._one("experiments", body.get("experiment_id", ""))
        _check_job(body)
        made = {
            "run_id": str(uuid.uuid4()),
            "state": "PENDING",
            "created_at": argo_nodes.when(len(self.server.runs)),
            "asked": 0,
        }
        return _kept(self.server.runs, {**body, **made})

    def _make_recurringruns(self, body: dict[str, Any]) -> dict[str, Any]:
        _fits(body, "V2beta1RecurringRun")
        self._one("experiments", body.get("experiment_id", ""))
        _check_job(body)
        name = body.get("display_name", "")
        if not name:
            raise Refusal(500, "InternalServerError: Recurring run's name cannot be empty")
        generated = (re.sub("[^a-z0-9-]+", "", name.lower()) or "job-")[:25]
        if not KUBERNETES_NAME.fullmatch(generated):
            raise Refusal(500, "Failed to create a recurring run during scheduling a workflow: metadata.generateName: "
                               f"Invalid value: {generated!r}: a lowercase RFC 1123 subdomain must start with an "
                               "alphanumeric character")  # fmt: skip
        if not 1 <= int(body.get("max_concurrency") or 0) <= 10:
            raise Refusal(400, "Invalid input error: The max concurrency of the recurring run is out of range.")
        cron = body.get("trigger", {}).get("cron_schedule", {}).get("cron", "")
        if len(cron.split()) != 6 or re.search(r"[^0-9*/,\- ]", cron):
            raise Refusal(400, f"Invalid input error: The Job.Trigger.Cron field is not valid: {cron!r}")
        status = "ENABLED" if body.get("mode") == "ENABLE" else "DISABLED"
        made = {**body, "recurring_run_id": str(uuid.uuid4()), "status": status}
        return _kept(self.server.recurringruns, made)

    def _moved_on(self, run: dict[str, Any]) -> dict[str, Any]:
        """With each time that it is asked for, a run is a step further."""
        spec, platform = self._parsed(run)
        steps = [*self._ordered(spec, spec.root.dag)]
        if not self.server.frozen:
            run["asked"] += 1
        run["state"] = "RUNNING" if run["asked"] else "PENDING"
        conditions = list(dict.fromkeys(condition for _, condition in steps if condition))
        nodes = argo_nodes.groups(WORKFLOW, run["state"], conditions)
        places = {condition: nodes[3 + 2 * place] for place, condition in enumerate(["", *conditions])}
        for place, (name, condition) in enumerate(steps[: run["asked"]]):
            going = place == run["asked"] - 1 and run["asked"] <= len(steps)
            state = "RUNNING" if going else self.server.endings.get(name, "SUCCEEDED")
            cached, template = name in self.server.cached, _template(spec, platform, name)
            made = argo_nodes.step(places[condition], name, state, place, cached=cached, template=template)
            places[condition].children.append(made[0])
            nodes += made
            if state == "FAILED":
                run["state"] = "FAILED"
                break
        else:
            if run["asked"] > len(steps):
                run["state"] = self.server.endings.get("", "SUCCEEDED")
        self.server.pods |= {node.pod: node.name.rsplit(".", 2)[1].partition("(")[0] for node in nodes if node.template}
        shown = {key: value for key, value in run.items() if key != "asked"}
        rows = [node.row(run["run_id"]) for node in sorted(nodes, key=lambda node: node.id)]
        return {**shown, "run_details": {"task_details": rows}}

    def log(self, run_id: str, pod: str) -> bytes:
        """What the pod's main container wrote; the route is beside the API's others and has errors of its own form."""
        self._one("runs", run_id)
        step = self.server.pods.get(pod)
        if step is None or step not in self.server.logs:
            words = f'Failed to read logs for run {run_id}: pods "{pod}" not found'
            raise LogRefusal(words)
        return self.server.logs[step].encode()

    def _parsed(self, run: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Once for each run: it takes a tenth of a second."""
        if run["run_id"] not in self.server.parsed:
            spec, platform = _documents(run["pipeline_spec"])
            kubernetes = json_format.MessageToDict(platform)["platforms"]["kubernetes"]
            self.server.parsed[run["run_id"]] = spec, kubernetes["deploymentSpec"]["executors"]
        return self.server.parsed[run["run_id"]]

    def _ordered(self, spec: Any, dag: Any, condition: str = "") -> Iterator[tuple[str, str]]:
        """The steps in an order in which they can run, each with its condition; those are there if it holds."""
        tasks, done = dict(dag.tasks.items()), list[str]()
        while len(done) < len(tasks):
            name = next(n for n in sorted(tasks) if n not in done and set(tasks[n].dependent_tasks) <= set(done))
            done.append(name)
            component = spec.components[tasks[name].component_ref.name]
            if not component.HasField("dag"):
                yield name, condition
            elif self.server.condition:
                yield from self._ordered(spec, component.dag, name)


def _template(spec: Any, executors: dict[str, Any], step: str) -> str:
    """Argo's template of a step: by its labels, and by whether there are more attempts."""
    dags = [spec.root.dag, *(component.dag for component in spec.components.values())]
    task = next(dag.tasks[step] for dag in dags if step in dag.tasks)
    name = "retry-system-container-impl" if task.HasField("retry_policy") else "system-container-impl"
    about = executors.get(f"exec-{step}", {}).get("podMetadata")
    return f"metadata-{len(about.get('annotations', {}))}-{len(about['labels'])}-{name}" if about else name


def _kept(shelf: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
    shelf.append(body)
    return {key: value for key, value in body.items() if key != "asked"}


def _start(query: dict[str, str]) -> int:
    """Where the page begins. A token is opaque and for the same question only."""
    if not query.get("page_token"):
        return 0
    try:
        token = json.loads(base64.b64decode(query["page_token"], validate=True))
    except ValueError:
        raise Refusal(400, "Invalid input error: Invalid page token") from None
    if any(query.get(key) and query[key] != token[name] for key, name in (("sort_by", "SortBy"), ("filter", "Filter"))):
        raise Refusal(
            400, "Invalid input error: page token does not match the supplied sort by and/or filtering criteria"
        )
    return int(token["Start"])


def _passes(each: dict[str, Any], query: dict[str, str]) -> bool:
    if query.get("experiment_id") and each.get("experiment_id") != query["experiment_id"]:
        return False
    for predicate in json.loads(query.get("filter") or "{}").get("predicates", []):
        if predicate["operation"] not in (1, "EQUALS") or each.get(predicate["key"]) != predicate["stringValue"]:
            return False
    return True


def _fits(body: Any, model: str) -> None:
    """The body is one of the API's own models: no unknown names, no value of another type."""
    kind = getattr(kfp_server_api, model)
    if unknown := sorted(set(body) - set(kind.attribute_map.values())):
        raise Refusal(400, f"Invalid input error: unknown field {unknown[0]!r} in {model}")
    try:
        kfp_server_api.ApiClient()._ApiClient__deserialize(body, model)
    except (ValueError, TypeError, AttributeError) as error:
        raise Refusal(400, f"Invalid input error: {error}") from None


def _documents(given: dict[str, Any]) -> tuple[Any, Any]:
    """The pipeline's and the platform's specification, by their schemas."""
    plain = given if "pipelineInfo" in given else given.get("pipeline_spec", {})
    try:
        spec = json_format.ParseDict(plain, pipeline_spec_pb2.PipelineSpec())
        platform = json_format.ParseDict(given.get("platform_spec", {}), pipeline_spec_pb2.PlatformSpec())
    except json_format.ParseError as error:
        raise Refusal(400, f"Invalid pipeline spec: {error}") from None
    if spec.schema_version != "2.1.0" or not spec.pipeline_info.name:
        raise Refusal(
            400, f"Invalid pipeline spec: KFP only supports schema version 2.1.0, not {spec.schema_version!r}"
        )
    return spec, platform


def _check_job(body: dict[str, Any]) -> None:
    spec, _ = _documents(body.get("pipeline_spec") or {})
    declared = spec.root.input_definitions.parameters
    given = body.get("runtime_config", {}).get("parameters", {})
    if unknown := sorted(set(given) - set(declared)):
        raise Refusal(400, f"Invalid input error: parameter {unknown[0]} is not defined in the pipeline")
    for name, about in declared.items():
        kind = pipeline_spec_pb2.ParameterType.ParameterTypeEnum.Name(about.parameter_type)
        if name in given and type(given[name]) is not KINDS[kind]:
            raise Refusal(400, f"Invalid input error: input parameter {name} requires type {kind}")
        if name not in given and not about.is_optional and not about.HasField("default_value"):
            raise Refusal(400, f"Invalid input error: parameter {name} is not optional")
