"""The pipeline as it is compiled, checked in, and read by the local runner."""

from __future__ import annotations

import ast

import pytest
from repository import ROOT

from pipelines import compiled_graph
from pipelines.kubeflow.step_resources import COMBINED

STEPS = ["resolve", "ingest", "validate", "transform", "train", "evaluate", "rehearse", "push"]


def test_the_graph_is_read_in_an_order_in_which_it_can_run() -> None:
    assert [step.name for step in compiled_graph.training().steps] == STEPS


def test_only_the_first_and_the_last_step_run_every_time() -> None:
    assert [step.name for step in compiled_graph.training().steps if not step.cached] == ["resolve", "push"]


def test_inputs_come_from_constants_parameters_and_other_steps() -> None:
    push = compiled_graph.training().steps[-1]
    assert push.parameters["run"] == compiled_graph.Constant("{{$.pipeline_job_name}}")
    assert push.parameters["destination"] == compiled_graph.Parameter("destination")
    assert push.parameters["inputs"] == compiled_graph.Output("resolve", "inputs")
    assert push.artifacts["blessing"] == compiled_graph.Output("evaluate", "blessing")


def test_arguments_are_completed_by_the_defaults() -> None:
    arguments = compiled_graph.training().arguments({"task": "t", "destination": "d"})
    assert arguments["seed"] == 0
    assert isinstance(arguments["seed"], int)
    assert arguments["data"] == "sample"


def test_unknown_and_missing_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"Received: tusk\."):
        compiled_graph.training().arguments({"tusk": "t", "destination": "d"})
    with pytest.raises(ValueError, match=r"needs a value for: task\."):
        compiled_graph.training().arguments({"destination": "d"})


def test_a_loop_is_refused() -> None:
    spec = {
        "pipelineInfo": {"name": "p"},
        "root": {"dag": {"tasks": {"loop": {"componentRef": {"name": "comp-loop"}}}}},
        "components": {"comp-loop": {"dag": {}}},
        "deploymentSpec": {"executors": {}},
    }
    with pytest.raises(ValueError, match=r"flat graph of Python components. Received: the step 'loop'"):
        compiled_graph.read(spec)


def _functions(path: str = "components/ops.py") -> list[ast.FunctionDef]:
    return [node for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)]


SHARING = _functions("pipelines/kubeflow/combined_steps.py")


def test_there_is_a_signature_for_every_step() -> None:
    assert [function.name for function in _functions()] == [*STEPS, "conclude"]


@pytest.mark.parametrize("function", _functions(), ids=lambda function: function.name)
def test_a_signature_s_body_is_its_imports_and_one_call(function: ast.FunctionDef) -> None:
    *imports, last = function.body
    assert all(isinstance(statement, ast.Import | ast.ImportFrom) for statement in imports)
    assert isinstance(last, ast.Return | ast.Expr)
    assert isinstance(last.value, ast.Call)
    forbidden = (
        ast.For, ast.While, ast.If, ast.IfExp, ast.Try, ast.With, ast.FunctionDef, ast.Lambda, ast.ListComp,
        ast.DictComp, ast.SetComp, ast.GeneratorExp,
    )  # fmt: skip
    assert not [node for statement in function.body for node in ast.walk(statement) if isinstance(node, forbidden)]
    assert sum(isinstance(node, ast.Call) for node in ast.walk(last)) == 1


@pytest.mark.parametrize("function", SHARING, ids=lambda function: function.name)
def test_steps_that_share_a_pod_are_called_as_apart_one_after_the_other(function: ast.FunctionDef) -> None:
    parts = COMBINED[function.name.replace("_", "-")]
    imports = [line for line in function.body if isinstance(line, ast.ImportFrom)]
    assert {ast.unparse(line) for line in imports} == {f"from components.{p} import step as {p}" for p in parts}
    *calls, last = function.body[len(imports) :]
    apart = {each.name: each.body[-1].value for each in _functions()}
    for part, statement in zip(parts, calls, strict=True):
        assert isinstance(statement, ast.Assign | ast.Expr)
        judged = {"report.path": "judged.path"} if part == "evaluate" else {}
        expected = {each.arg: ast.unparse(each.value) for each in apart[part].keywords}
        given = {each.arg: ast.unparse(each.value) for each in statement.value.keywords}
        assert ast.unparse(statement.value.func) == f"{part}.run" == ast.unparse(apart[part].func)
        assert given == {name: judged.get(value, value) for name, value in expected.items()}
        assert not statement.value.args
    assert isinstance(last, ast.Return)
    returned = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
    assert all(isinstance(each, ast.Name | ast.Attribute) for each in returned)


@pytest.mark.parametrize(("name", "parts"), COMBINED.items())
def test_steps_that_share_a_pod_put_out_all_that_they_put_out_apart(name: str, parts: list[str]) -> None:
    from components import ops
    from pipelines.kubeflow import combined_steps

    whole = getattr(combined_steps, name.replace("-", "_")).component_spec.outputs
    apart = {part: dict(getattr(ops, part).component_spec.outputs or {}) for part in parts}
    if name == "evaluate-and-push":
        apart["evaluate"]["judged"] = apart["evaluate"].pop("report")  # push writes it again, with what came of it
        del apart["rehearse"]["passed"]  # push reads it in the rehearsal itself
    assert whole == {key: about for part in parts for key, about in apart[part].items()}
