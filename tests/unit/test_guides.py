"""The examples of docs/guides: they compose, pass the check, and compute what they say."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from guides import GUIDES, ROOT, commands, patched_copy, write_files

from harness import VERLTrainingManager
from harness.backend.advantages import call_advantage_fn
from harness.check.find import find_problems
from harness.components.instantiate import instantiate
from harness.config.compose import compose_config
from harness.launch.command import build_manager
from harness.managers.trained import LAST_STEP_ALONE
from harness.records.run_folder import RunFolder
from harness.reward_managers.per_sample import WeightedFunction
from harness.reward_managers.sample import RewardSample

if TYPE_CHECKING:
    from omegaconf import DictConfig

PAGES = sorted(
    page.stem for page in GUIDES.glob("*.md") if "```python" in page.read_text() and "```diff" not in page.read_text()
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for page in PAGES:
        write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_composes_and_passes_the_check(page: str) -> None:
    assert commands(page)
    for command in commands(page):
        program, verb, *overrides = shlex.split(command)
        assert (program, verb) == ("harness", "train")
        assert [str(problem) for problem in find_problems(compose_config(overrides))] == []


def node(*overrides: str) -> dict:
    return compose_config(["experiment=quickstart_tiny", *overrides])


def test_reward() -> None:
    config = node("plugins=[my_rewards]", "reward_fn=[brevity]", "reward_fn.brevity.best=2")
    parameters = {name: value for name, value in config.reward_fn.brevity.items() if name != "weight"}
    brevity = instantiate(parameters, "reward_fn.brevity", ["my_rewards"])
    assert brevity("question", "ab") == 1.0
    assert brevity("question", "abcd") == pytest.approx(0.8)


def test_reward_managers() -> None:
    functions = [WeightedFunction("size", lambda input_text, response_text, **_: float(len(response_text)))]
    config = node("plugins=[my_managers]", "reward_manager=doubtful")
    doubtful = instantiate(config.reward_manager, "reward_manager", ["my_managers"], functions=functions)
    result = doubtful.score(RewardSample("q", "a?b"))
    assert (result.score, result.extra["doubts"]) == (3.0, 1.0)
    assert (result.segments[0].start, result.segments[0].reward) == (1, -0.1)
    config = node("plugins=[my_managers]", "reward_manager=by_rank")
    by_rank = instantiate(config.reward_manager, "reward_manager", ["my_managers"], functions=functions)
    samples = [RewardSample("q", "a", uid="1"), RewardSample("q", "ab", uid="1"), RewardSample("q", "a", uid="2")]
    assert [result.score for result in by_rank.score_batch(samples)] == [0.0, 1.0, 1.0]


def test_advantage() -> None:
    config = node("plugins=[my_advantages]", "advantage_fn=ranked")
    batch = {
        "token_level_rewards": torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 3.0]]),
        "response_mask": torch.ones(3, 2, dtype=torch.long),
        "uid": np.array(["a", "a", "b"], dtype=object),
    }
    advantages, _ = call_advantage_fn(instantiate(config.advantage_fn, "advantage_fn", ["my_advantages"]), batch)
    assert advantages.abs().max() < 1e-6  # equal scores, and a group of one
    batch["token_level_rewards"][0, 1] = 2.0
    advantages, _ = call_advantage_fn(instantiate(config.advantage_fn, "advantage_fn", ["my_advantages"]), batch)
    assert advantages[0, 0] > 0 > advantages[1, 0]


def test_ways_without_a_decorator() -> None:
    config = node("advantage_fn=custom", "advantage_fn.module=my_advantages.py", "+advantage_fn.temperature=2")
    assert config.advantage_fn._target_.endswith("my_advantages.py:ranked")
    config = node("reward_fn=[reasoning_gym,short]", "trusted_modules=[my_rewards]")
    assert config.reward_fn.short == {"_target_": "my_rewards.brevity", "weight": 0.2, "best": 2}


def test_script(project: Path) -> None:
    (project / "run.yaml").write_text("trainer: {total_training_steps: 2}\n")
    script = f"{(project / 'my_script.py').read_text()}\nprint(manager.config.advantage_fn)\n"
    (project / "my_script.py").write_text(script)
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, project)))}
    result = subprocess.run(
        [sys.executable, "my_script.py"], cwd=project, env=given, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "'scale': 2" in result.stdout


def test_manager(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    trained = []

    def start(manager: VERLTrainingManager, config: DictConfig) -> None:
        trained.append((config.actor_rollout_ref.model.path, config.data.max_response_length, config.trainer.save_freq))
        manager.run = RunFolder.create(project / "outputs", "growing")

    def save(manager: VERLTrainingManager, path: Path) -> Path:
        path.mkdir()
        (path / "config.json").write_text("{}")
        return path

    monkeypatch.setattr(VERLTrainingManager, "_start", start)
    monkeypatch.setattr(VERLTrainingManager, "save", save)
    config = node("plugins=[my_manager]", "manager=growing", "manager.first_limit=3")
    given, limit = config.actor_rollout_ref.model.path, config.data.max_response_length
    manager = build_manager(config, [])
    manager.train()
    (first, *_), (model, *_) = trained
    assert (first, trained[0][1:]) == (given, (3, LAST_STEP_ALONE))
    assert (Path(model).name, trained[1][1]) == ("model", limit)


def test_keys_alone_make_an_algorithm() -> None:
    config = node("algorithm=leave_one_out")
    assert config.advantage_fn._target_ == "harness.advantages.rloo.rloo"
    assert config.actor_rollout_ref.actor.clip_ratio_high == 0.28


def test_algorithm() -> None:
    config = node("plugins=[my_algorithm]", "algorithm=half_solved")
    assert config.algorithm.norm_adv_by_std_in_grpo is False
    assert instantiate(config.algorithm_steps, "algorithm_steps", ["my_algorithm"]).oversample == 2


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Python in a project, with a copy of the harness that has the type of component of its guide."""
    copy, folder = patched_copy("component_type", tmp_path_factory.mktemp("copy")), tmp_path_factory.mktemp("project")
    write_files("component_type", folder)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        given = {**os.environ, "PYTHONPATH": str(copy)}
        command = [sys.executable, "-P", *arguments]
        return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)

    return run


def test_component_type(patched: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    (command,) = commands("component_type")
    words = shlex.split(command)[2:]
    result = patched("-m", "harness.cli", "check", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    result = patched("-m", "harness.cli", "check", *words, "batch_metrics.leest=1")
    assert "batch_metrics.leest" in result.stdout
    assert result.returncode == 2
    result = patched("-m", "harness.cli", "list", "batch_metrics", "plugins=[my_metrics]")
    assert [line.split()[0] for line in result.stdout.split("\n")[:3]] == ["batch_metrics", "none", "variety"]


USES = """
import numpy as np, torch
from harness import registry
from harness.components.instantiate import instantiate
from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import deciding
from harness.errors import ConfigurationError

config = compose_config(["experiment=quickstart_tiny", "plugins=[my_metrics]", "batch_metrics=variety"])
assert "batch_metrics" not in deciding(resolve(config))
variety = instantiate(config.batch_metrics, "batch_metrics", config.trusted_modules)
responses = torch.tensor([[1, 2, 0], [1, 2, 9], [3, 0, 0]])
print(variety({"responses": responses, "response_mask": torch.tensor([[1, 1, 0], [1, 1, 0], [1, 0, 0]])}))
assert registry.get("batch_metrics", "variety").__name__ == "variety"
print(registry.list_components()["batch_metrics"])
try:
    registry.register("batch_metrics", "wrong")(lambda rows: {})
except ConfigurationError as error:
    print(error)
"""


def test_what_knows_the_new_type(patched: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    result = patched("-c", f"import sys; sys.path.insert(0, '')\n{USES}")
    assert result.returncode == 0, result.stderr
    number, names, refused = result.stdout.splitlines()
    assert number == "{'batch/variety': 0.6666666666666666}"
    assert names == "['none', 'variety']"
    assert refused.startswith("register_batch_metrics('wrong')")
    assert refused.endswith("does not fit: it must take batch, as f(batch) -> {name: number}.")
