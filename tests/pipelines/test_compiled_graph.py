"""The pipeline as it is compiled, checked in, and read by the local runner."""

from __future__ import annotations

import ast

import pytest
from repository import ROOT

from pipelines import compiled_graph

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


def _functions() -> list[ast.FunctionDef]:
    tree = ast.parse((ROOT / "components" / "ops.py").read_text())
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


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
