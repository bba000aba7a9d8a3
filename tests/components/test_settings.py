from __future__ import annotations

import pytest

from components import settings
from components.settings import Setting
from tasks import InputError, Task


@pytest.mark.parametrize(
    ("text", "value"),
    [("32,16", (32, 16)), ("[32, 16]", (32, 16)), ("(32,0.5)", (32, 0.5)), ("[]", ()), ("32", (32,))],
)
def test_a_list_may_have_brackets(text: str, value: tuple[float, ...]) -> None:
    assert settings.parse("model.layers", text, Setting((tuple,))) == value


@pytest.mark.parametrize("text", ["[32,16", "32]", "[few]"])
def test_half_a_bracket_is_told(text: str) -> None:
    with pytest.raises(InputError, match=r"model.layers must be numbers and commas. Received: "):
        settings.parse("model.layers", text, Setting((tuple,)))


def test_every_setting_of_a_fit_has_a_meaning(auto_mpg: Task) -> None:
    from pipelines.commands.described_task import MEANINGS

    names = [one.name.removeprefix("train.") for one in settings.described_model(auto_mpg, "mlp")]
    assert set(MEANINGS) == {name for name in names if not name.startswith("model.")}
