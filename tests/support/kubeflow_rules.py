"""The rules of Kubeflow Pipelines' v2beta1 API, which kubeflow_server.py keeps."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import kfp_server_api
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

API = "/apis/v2beta1"
KINDS = {"STRING": str, "BOOLEAN": bool, "LIST": list, "STRUCT": dict, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float}
# gRPC's codes, as grpc-gateway puts them into the body of an error.
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 500: 13, 503: 14}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Rules:
    """What the API server does with a request that has come through."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def answer(self, method: str, path: str, query: dict[str, str], content: bytes) -> dict[str, Any]:
        if path == "/apis/v1beta1/healthz" and self.server.version == 1:
            return {"commit_sha": "1.8.5"}
        if path == f"{API}/healthz":
            return {"commit_sha": "0", "tag_name": self.server.release, "multi_user": self.server.multi_user}
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
        start, size = int(query.get("page_token") or 0), min(int(query.get("page_size") or 20) or 20, 200)
        body = {
            {"recurringruns": "recurringRuns"}.get(kind, kind): found[start : start + size],
            "total_size": len(found),
        }
        return {**body, "next_page_token": str(start + size)} if len(found) > start + size else body

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
        made = {"run_id": str(uuid.uuid4()), "state": "PENDING", "created_at": _when(len(self.server.runs)), "asked": 0}
        return _kept(self.server.runs, {**body, **made})

    def _make_recurringruns(self, body: dict[str, Any]) -> dict[str, Any]:
        _fits(body, "V2beta1RecurringRun")
        self._one("experiments", body.get("experiment_id", ""))
        _check_job(body)
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
        names = self._order(run["pipeline_spec"])
        if not self.server.frozen:
            run["asked"] += 1
        details: list[dict[str, Any]] = [{"run_id": run["run_id"], "task_id": "root", "display_name": "root"}]
        run["state"] = "RUNNING" if run["asked"] else "PENDING"
        for place, name in enumerate(names[: run["asked"]]):
            going = place == run["asked"] - 1 and run["asked"] <= len(names)
            state = "RUNNING" if going else self.server.endings.get(name, "SUCCEEDED")
            details += _argo_nodes(name, state, place, name in self.server.cached)
            if state == "FAILED":
                run["state"] = "FAILED"
                break
        else:
            if run["asked"] > len(names):
                run["state"] = self.server.endings.get("", "SUCCEEDED")
        shown = {key: value for key, value in run.items() if key != "asked"}
        return {**shown, "run_details": {"task_details": details}}

    def _order(self, given: dict[str, Any]) -> list[str]:
        """The steps in an order in which they can run; those of a condition are there if it holds."""
        spec, _ = _documents(given)
        return [*self._ordered(spec, spec.root.dag)]

    def _ordered(self, spec: Any, dag: Any) -> Iterator[str]:
        tasks, done = dict(dag.tasks.items()), list[str]()
        while len(done) < len(tasks):
            name = next(n for n in sorted(tasks) if n not in done and set(tasks[n].dependent_tasks) <= set(done))
            done.append(name)
            component = spec.components[tasks[name].component_ref.name]
            if not component.HasField("dag"):
                yield name
            elif self.server.condition:
                yield from self._ordered(spec, component.dag)


def _argo_nodes(name: str, state: str, place: int, cached: bool) -> list[dict[str, Any]]:
    """A step as Argo's nodes show it: its driver, the step itself and, below it, its executor."""
    times = {"start_time": _when(place * 60), "create_time": _when(place * 60)}
    times |= {"end_time": _when(place * 60 + 42)} if state != "RUNNING" else {}
    executor = "SKIPPED" if cached and state == "SUCCEEDED" else state
    return [
        {"task_id": f"{name}-d", "display_name": f"{name}-driver", "state": "SUCCEEDED", **times},
        {"task_id": f"{name}-x", "display_name": "executor", "state": executor, **times},
        {"task_id": name, "display_name": name, "state": state, "child_tasks": [{"task_id": f"{name}-x"}], **times},
    ]


def _kept(shelf: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
    shelf.append(body)
    return {key: value for key, value in body.items() if key != "asked"}


def _when(seconds: int) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


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
