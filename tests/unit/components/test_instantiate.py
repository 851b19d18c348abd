"""A ``_target_`` node becomes a component, or says why it does not."""

from __future__ import annotations

import os
import pickle

import pytest

from harness.components.instantiate import instantiate, locate
from harness.errors import ComponentError, HarnessError, TrainingError


class Component:
    """A component with a typed signature."""

    def __init__(self, scale: float, inner=None, config=None) -> None:
        if scale < 0:
            raise ValueError("scale is negative")
        self.scale, self.inner, self.config = scale, inner, config


def function(x: float, *, factor: float = 1.0) -> float:
    """A component that is a function."""
    return x * factor


HERE = [__name__.split(".")[0]]


def target(name: str) -> str:
    return f"{__name__}.{name}"


def test_a_class_is_built_with_its_nested_nodes() -> None:
    node = {"_target_": target("Component"), "scale": 2, "inner": [{"_target_": target("function"), "factor": 3}]}
    built = instantiate(node, "key", HERE)
    assert built.scale == 2
    assert built.inner[0](5) == 15


def test_a_function_gets_its_parameters_bound() -> None:
    assert instantiate({"_target_": target("function"), "factor": 4}, "key", HERE)(2) == 8


def test_supplied_parameters_go_only_where_they_are_taken() -> None:
    built = instantiate({"_target_": target("Component"), "scale": 1}, "key", HERE, config="c", unknown="u")
    assert built.config == "c"


@pytest.mark.parametrize(
    "name", ["os.system", "harness.components.instantiate.importlib.import_module", "subprocess.run"]
)
def test_what_is_not_trusted_is_refused(name: str) -> None:
    with pytest.raises(ComponentError, match="trusted"):
        locate(name, "reward_fn.x")


def test_an_untrusted_module_is_not_even_imported(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "imported"
    (tmp_path / "hostile_module.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ComponentError):
        instantiate({"_target_": "hostile_module.f"}, "key")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "Component"}, "outside the trusted modules"),
        ({"_target_": None}, "a dotted name is needed"),
        ({"scale": 1}, "a dotted name is needed"),
        ({"_target_": f"{__name__}.Componnent"}, "has no 'Componnent'"),
        ({"_target_": f"{__name__}.Component", "scal": 1}, "takes no parameter 'scal'"),
        ({"_target_": f"{__name__}.Component"}, "missing a required argument: 'scale'"),
        ({"_target_": f"{__name__}.Component", "scale": -1}, "could not be built: ValueError: scale is negative"),
        ({"_target_": "harness.no_such_module.f"}, "no 'no_such_module'"),
    ],
)
def test_a_node_that_cannot_be_built_says_key_and_reason(node: dict, message: str) -> None:
    with pytest.raises(ComponentError) as caught:
        instantiate(node, "part", HERE)
    assert caught.value.message.startswith("part")
    assert message in str(caught.value)


def test_a_module_that_fails_to_import_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_component.py").write_text("import no_such_package_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ComponentError, match="No module named 'no_such_package_at_all'"):
        instantiate({"_target_": "broken_component.f"}, "policy_loss", ["broken_component"])


@pytest.mark.parametrize(
    "error", [HarnessError("m", "r"), ComponentError("m"), TrainingError("m", "r", "stage", os.sep)]
)
def test_errors_cross_process_borders(error: HarnessError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "harness.components.by_value.decode", "code": "x"},
        {"_target_": "harness.components.instantiate.by_value.decode", "code": "x"},
        {"_target_": "harness.components.files.module_from", "path": "x.py", "key": "k"},
        {"_target_": "verl.utils.import_utils.load_extern_object", "module_path": "x.py", "object_name": "f"},
    ],
)
def test_no_detour_to_code_that_is_not_trusted(node: dict) -> None:
    with pytest.raises(ComponentError, match=r"script of your own|no component|does not fit"):
        instantiate(node, "advantage_fn")


def test_a_node_may_not_give_what_the_harness_supplies() -> None:
    with pytest.raises(ComponentError, match=r"part\.config is supplied by the harness"):
        instantiate({"_target_": target("Component"), "scale": 1, "config": {}}, "part", HERE, config="c")


def test_a_group_takes_its_kind_alone() -> None:
    with pytest.raises(ComponentError, match="does not fit: it must be a class with score"):
        instantiate({"_target_": target("function")}, "reward_manager", HERE)
