"""A rerun's words count as if they had been given when the run began; the rest stays as recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from harness.config.classic import experiment_from
from harness.config.compose import compose_config, resolve
from harness.errors import ConfigurationError
from harness.launch.recompose import OWN
from harness.launch.record import open_run
from harness.launch.rerun import recomposed
from harness.managers.verl import VERLTrainingManager
from harness.records.run_folder import RunFolder

TINY = ["experiment=quickstart_tiny"]
RATE = "actor_rollout_ref.actor.optim.lr"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tree(config: DictConfig) -> dict[str, Any]:
    """Every value, without the run's own places."""
    return at(config, dict.fromkeys(OWN, "here"))


def at(config: DictConfig, place: dict[str, Any]) -> dict[str, Any]:
    config = config.copy()
    OmegaConf.set_struct(config, False)
    config.update(place)
    found: Any = OmegaConf.to_container(resolve(config))
    return found


def is_as_recorded(config: DictConfig, run: RunFolder) -> bool:
    """Whether every value is the run's own, at the run's own place; which options had been chosen is a label, no value."""
    recorded: Any = OmegaConf.to_container(OmegaConf.load(run.config))
    found = at(config, {key: recorded[key] for key in OWN})
    for each in (recorded, found):
        each["tracking"].pop("choices", None)
    return found == recorded


def run_of(words: Sequence[str], recorded: Sequence[str] | None = None, **settings: Any) -> RunFolder:
    """A run of the words, whose record says others or has values that were set in Python."""
    config = compose_config(words)
    for key, value in settings.items():
        OmegaConf.update(config, key.replace("__", "."), value)
    return open_run(config, words if recorded is None else recorded)[0]


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["seed=9"],
        ["algorithm=dapo"],
        ["data.max_response_length=9", f"+{RATE}_min=1"],
        ["model=qwen3_0_6b"],
        ["cluster=slurm", "cluster.nodes=2"],
    ],
)
def test_a_word_counts_as_if_it_had_been_given_at_first(said: list[str]) -> None:
    words = [*TINY, "seed=4", f"{RATE}=3e-4"]
    again = recomposed(run_of(words), said)
    assert tree(again.config) == tree(compose_config([*words, *said]))
    assert not again.kept
    if said == ["seed=9"]:
        assert "seed=4" not in again.words
        assert (
            again.config.data.seed
            == again.config.prepare.model.seed
            == again.config.actor_rollout_ref.rollout.seed
            == 9
        )


def test_values_that_no_word_says_stay_until_one_does() -> None:
    run = run_of(TINY, seed=5, data__train_batch_size=32, trainer__total_epochs=7)
    again = recomposed(run, [])
    assert is_as_recorded(again.config, run)
    assert set(again.kept) == {"seed", "data.train_batch_size", "trainer.total_epochs"}
    assert again.config.data.seed == 5
    other = recomposed(run, ["seed=9", "data.train_batch_size=64"])
    assert other.kept == ("trainer.total_epochs",)
    assert (other.config.prepare.model.seed, other.config.data.train_batch_size) == (9, 64)


def test_what_another_machine_had_is_not_detected_anew() -> None:
    run = run_of([*TINY, "device=cuda", "rollout=vllm", "cluster.gpus_per_node=4"], TINY)
    again = recomposed(run, [])
    assert is_as_recorded(again.config, run)
    assert again.words[:2] == ["device=cuda", "rollout=vllm"]
    assert again.kept == ("cluster.gpus_per_node",)
    fewer = recomposed(run, ["cluster.gpus_per_node=2"]).config
    assert (fewer.trainer.device, fewer.trainer.n_gpus_per_node) == ("cuda", 2)
    assert recomposed(run, ["device=cpu", "rollout=builtin"]).config.trainer.device == "cpu"


def test_a_file_in_place_of_an_experiment_need_not_be_there_any_more() -> None:
    file = Path("run.yaml")
    values: Any = {"algorithm": {"adv_estimator": "rloo"}, "data": {"train_files": "a.parquet", "val_files": "b.parquet"},
                   "actor_rollout_ref": {"model": {"path": "m"}, "actor": {"clip_ratio": 0.3}}}  # fmt: skip
    file.write_text(yaml.safe_dump(values))
    manager = VERLTrainingManager(file, overrides=["seed=4"])
    run, _ = open_run(manager.config.copy(), manager.overrides, given=manager.given)
    file.unlink()
    again = recomposed(run, ["seed=9"])
    assert not again.kept
    assert tree(again.config) == tree(compose_config(["seed=9"], experiment=experiment_from(values)))
    assert again.config.actor_rollout_ref.actor.clip_ratio_high == 0.3
    assert recomposed(run, ["algorithm=grpo"]).config.algorithm.adv_estimator != "rloo", "the file gives way"
    without = open_run(manager.config, manager.overrides)[0]  # as records had it before
    assert is_as_recorded(recomposed(without, []).config, without)
    assert recomposed(without, ["seed=9"]).config.data.seed == 9


def test_a_reward_function_given_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(TINY)
    config = OmegaConf.load(run.config)
    config.reward_fn = {"given": {"_target_": "harness.rewards.exact_match.exact_match", "weight": 1.0}}
    run.config.write_text(OmegaConf.to_yaml(config))
    again = recomposed(run, ["seed=9"])
    assert list(again.config.reward_fn) == ["given"]
    assert (again.config.data.seed, tuple(sorted(again.kept))) == (9, ("reward_fn.given", "reward_fn.reasoning_gym"))


def test_what_cannot_be_known_is_refused() -> None:
    run = run_of(TINY, [])  # composed in Python: no word says how its model is made
    assert is_as_recorded(recomposed(run, []).config, run)
    with pytest.raises(ConfigurationError, match=r"cannot be composed again, so what seed=9 decides .* is not known"):
        recomposed(run, ["seed=9"])
    run = run_of(TINY, ["experiment=gone"])
    assert is_as_recorded(recomposed(run, []).config, run)
    with pytest.raises(ConfigurationError, match=r"cannot be composed again, .*gone"):
        recomposed(run, ["seed=9"])


def test_a_record_is_not_trusted_by_itself() -> None:
    Path("mine.py").write_text("")
    words = [*TINY, "plugins=[mine]"]
    for run in (run_of(words), run_of(TINY, words)):  # as made, and with words that were changed afterwards
        with pytest.raises(ConfigurationError, match=r"trusted_modules=\[mine\]") as caught:
            recomposed(run, ["seed=9"])
        assert "add trusted_modules=[mine]" in caught.value.remedy
        assert recomposed(run, ["seed=9", "trusted_modules=[mine]"]).config.data.seed == 9
