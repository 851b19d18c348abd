"""Components that a user's modules register become options without being imported."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from harness.check.find import find_problems
from harness.config.catalogue import catalogue
from harness.config.compose import compose_config
from harness.errors import ConfigurationError

MODULE = '''
from harness import register_advantage_function, register_algorithm, register_reward_function, register_reward_manager
import harness
from harness.backend.steps import AlgorithmSteps

raise RuntimeError("composing must not import this")

@register_reward_function("brevity")
def short(input_text, response_text, best=20, *, scale: float = -0.5, **kwargs):
    """Short answers are better."""

@harness.register_reward_function()
async def polite(input_text, response_text, **kwargs): ...

@register_advantage_function(name="centred")
def advantage(token_level_rewards, eos_mask, index, epsilon=1e-6): ...

@register_reward_manager("doubling")
class Doubling:
    def __init__(self, functions, factor=2.0, tokenizer=None): ...
    def score(self, sample): ...

@harness.registry.register("reward_function", "polite_too")
def third(input_text, response_text, **kwargs): ...

@register_algorithm("watchful", base="dr_grpo")
class Watchful(AlgorithmSteps):
    def __init__(self, every: int = 5): ...
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_parts.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as the command does with the current folder
    return tmp_path


PLUGIN = "plugins=[my_parts]"


def test_a_registered_name_is_an_option_with_its_parameters(project: Path) -> None:
    config = compose_config([PLUGIN, "experiment=quickstart_tiny", "reward_fn=[reasoning_gym,brevity,polite]"])
    assert config.reward_fn.brevity == {"weight": 1.0, "_target_": "my_parts.short", "best": 20, "scale": -0.5}
    assert config.reward_fn.polite._target_ == "my_parts.polite"
    assert compose_config([PLUGIN, "reward_fn=[polite_too]"]).reward_fn.polite_too._target_ == "my_parts.third"
    assert config.trusted_modules == ["my_parts"]
    assert find_problems(config) == []
    assert "my_parts" not in sys.modules


def test_every_kind(project: Path) -> None:
    config = compose_config(
        [PLUGIN, "advantage_fn=centred", "advantage_fn.epsilon=0.1", "reward_manager=doubling", "algorithm=watchful"]
    )
    assert config.advantage_fn == {"_target_": "my_parts.advantage", "epsilon": 0.1}
    assert config.reward_manager == {"_target_": "my_parts.Doubling", "factor": 2.0}
    assert config.algorithm_steps == {"_target_": "my_parts.Watchful", "every": 5}
    assert config.algorithm.norm_adv_by_std_in_grpo is False  # of dr_grpo, which it builds on


def test_what_the_harness_gives_a_component_is_no_key_of_its_option(project: Path) -> None:
    (project / "my_givens.py").write_text(
        "from harness import register_advantage_function, register_policy_loss\n\n"
        "@register_advantage_function('curious')\n"
        "def curious(token_level_rewards, index=None, entropy=None, greedy_scores=None, reward_weights=None, power=2.0):\n"
        "    ...\n\n"
        "@register_policy_loss('entropic')\n"
        "def entropic(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, rollout_is_weights=None,\n"
        "             entropy=0.1):\n"
        "    ...\n"
    )
    config = compose_config(["plugins=[my_givens]", "advantage_fn=curious", "policy_loss=entropic"])
    assert config.advantage_fn == {"_target_": "my_givens.curious", "power": 2.0}
    assert config.policy_loss == {"_target_": "my_givens.entropic", "entropy": 0.1}, "what another kind is given"


def test_what_lies_in_experiments_needs_no_naming(project: Path) -> None:
    folder = project / "experiments" / "mine"
    folder.mkdir(parents=True)
    (folder / "rewards.py").write_text(MODULE)
    assert compose_config(["reward_fn=[brevity]"]).reward_fn.brevity._target_ == "experiments.mine.rewards.short"
    assert catalogue()["reward_fn"]["brevity"] == "Short answers are better. (yours, experiments/mine/rewards.py:9)"
    with pytest.raises(
        ConfigurationError, match=r"rewards.py:9: the reward function 'brevity' is registered at my_parts.py:9 too"
    ):
        compose_config([PLUGIN])  # the same name twice


def test_another_composition_forgets_them(project: Path) -> None:
    compose_config([PLUGIN, "reward_fn=[brevity]"])
    with pytest.raises(ConfigurationError, match="brevity"):
        compose_config(["reward_fn=[brevity]"])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            '@register_reward_function("exact_match")\ndef f(a, b): ...',
            "reward_fn=exact_match is the option .*exact_match.yaml",
        ),
        ("def f(:", r"bad.py:1 is no valid Python"),
        (
            '@register_reward_function("a")\ndef f(a, b): ...\n@register_reward_function("b")\ndef f(a, b): ...',
            r"bad\.py:2: f, registered as 'a', is defined again in line 4",
        ),
        (
            '@register_algorithm("a", base="gprp")\nclass A: ...',
            r"(?s)bad\.py:2: the algorithm 'a': base='gprp' is no algorithm .*Did you mean grpo.*Allowed: .*dapo.*rloo",
        ),
        ('@register_algorithm("a", base="a")\nclass A: ...', "base='a' is no algorithm"),
        ('@register_algorithm("a", base=BASE)\nclass A: ...', "the base of a registered algorithm must stand there as"),
    ],
)
def test_what_cannot_be_registered(project: Path, source: str, words: str) -> None:
    (project / "bad.py").write_text(source)
    with pytest.raises(ConfigurationError, match=words):
        compose_config(["plugins=[bad]"])


@pytest.mark.parametrize(("module", "remedy"), [("my_part", "my_parts"), ("my_parts.py", r"plugins=\[my_parts\]")])
def test_a_plugin_that_is_not_there(project: Path, module: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=f"plugins: there is no module {module}") as caught:
        compose_config([f"plugins=[{module}]"])
    assert re.search(remedy, caught.value.remedy)


def test_one_plugin_needs_no_brackets(project: Path) -> None:
    config = compose_config(["plugins=my_parts"])
    assert config.plugins == config.trusted_modules == ["my_parts"]


def test_a_misspelt_name_of_a_plugins_component(project: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compose_config([PLUGIN, "reward_fn=[brevty]"])
    assert "Did you mean brevity?" in caught.value.remedy


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("@register_reward_function\ndef f(a, b): ...", r"@register_reward_function needs parentheses"),
        ("@register_reward_function(NAME)\ndef f(a, b): ...", "must stand there as text"),
        (
            '@register_reward_function("x")\ndef f(a, b, weight=1): ...',
            "the weight of a reward function is not its own",
        ),
    ],
)
def test_declarations_that_would_not_be_seen_as_meant(project: Path, source: str, words: str) -> None:
    (project / "bad.py").write_text(source)
    with pytest.raises(ConfigurationError, match=words):
        compose_config(["plugins=[bad]"])


def test_other_decorators_and_defaults_that_yaml_cannot_say(project: Path) -> None:
    (project / "bad.py").write_text(
        '@app.manager("x")\ndef f(): ...\n@register_reward_function("y")\ndef g(a, b, c={1, 2}): ...'
    )
    assert compose_config(["plugins=[bad]", "reward_fn=[y]"]).reward_fn.y == {"weight": 1.0, "_target_": "bad.g"}


def test_one_that_builds_on_another(project: Path) -> None:
    (project / "my_more.py").write_text('@register_algorithm("more", base="watchful")\nclass More: ...\n')
    config = compose_config(["plugins=[my_more,my_parts]", "algorithm=more"])
    assert config.algorithm_steps._target_ == "my_more.More"
    assert config.algorithm.norm_adv_by_std_in_grpo is False


def test_two_files_of_one_name_are_told_apart(project: Path) -> None:
    for folder in ("one", "other"):
        (project / folder).mkdir()
        (project / folder / "parts.py").write_text("\n@register_reward_function('same')\ndef f(a, b): ...\n")
    with pytest.raises(ConfigurationError, match=r"^other/parts\.py:3: .*'same' is registered at one/parts\.py:3 too"):
        compose_config(["plugins=[one.parts,other.parts]"])


def test_what_reading_does_not_show_is_told_where_it_is_looked_for(project: Path) -> None:
    (project / "made.py").write_text(
        "for k in (1, 2):\n    @register_reward_function(f'top_{k}')\n    def f(a, b, k=k): ...\n"
        "if True:\n    @register_advantage_function('curious')\n    def g(token_level_rewards): ...\n"
    )
    with pytest.raises(
        ConfigurationError, match=r"reward_fn has no option 'top_1'.*\n.*What made\.py:3 registers is not seen"
    ):
        compose_config(["plugins=[made]", "reward_fn=[top_1]"])
    with pytest.raises(ConfigurationError, match=r"What made\.py:6 registers is not seen"):
        compose_config(["plugins=[made]", "advantage_fn=curious"])
    with pytest.raises(ConfigurationError, match=r"plugins=\[MODULE\] names the module that registers it"):
        compose_config(["policy_loss=zzz"])


def test_a_component_of_the_wrong_kind_is_told_whether_it_is_chosen_or_not(project: Path) -> None:
    (project / "wrong.py").write_text(
        "@register_reward_function('fine')\ndef fine(input_text, response_text, **kwargs): ...\n"
        "@register_reward_function('short')\ndef short(text): ...\n"
        "@register_reward_manager('odd')\nclass Odd: ...\n"
        "@register_policy_loss('lossy')\ndef lossy(log_prob): ...\n"
    )
    words = ["experiment=quickstart_tiny", "plugins=[wrong]", "reward_fn=[reasoning_gym,short]"]
    found = [str(problem) for problem in find_problems(compose_config(words), words)]
    assert len(found) == 3
    assert "reward_fn.short._target_: wrong.short does not fit: it must take (input_text" in found[0]
    assert "wrong.py:6: Odd, registered as the reward manager 'odd', does not fit: it must be a class with" in found[1]
    assert "wrong.py:8: lossy, registered as the policy loss 'lossy', does not fit" in found[2]


def test_one_that_lies_in_experiments_is_told_as_a_warning_until_its_module_is_used(project: Path) -> None:
    folder = project / "experiments" / "mine"
    folder.mkdir(parents=True)
    (folder / "rewards.py").write_text(
        "@register_reward_function('fine')\ndef fine(input_text, response_text, **kwargs): ...\n"
        "@register_reward_function('short')\ndef short(text): ...\n"
    )
    for chosen, warning in (("reasoning_gym", True), ("fine", False)):
        words = ["experiment=quickstart_tiny", f"reward_fn=[{chosen}]"]
        (problem,) = find_problems(compose_config(words), words)
        assert problem.warning is warning
        assert problem.message.startswith("experiments/mine/rewards.py:4: short, registered as the reward function")


def test_plugins_in_a_file_are_refused(project: Path) -> None:
    folder = project / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "sly.yaml").write_text("# @package _global_\nplugins: [my_parts]\n")
    with pytest.raises(ConfigurationError, match="trust is given on the command line alone"):
        compose_config(["experiment=sly"])


def test_parameters_of_a_reward_that_is_not_chosen_go(project: Path) -> None:
    config = compose_config(["experiment=quickstart", "reward_fn=[exact_match]"])
    assert list(config.reward_fn) == ["exact_match"]
    with pytest.raises(ConfigurationError, match=r"reward_fn.reasoning_gym is set, but reasoning_gym is not among"):
        compose_config(["experiment=quickstart", "reward_fn=[exact_match]", "reward_fn.reasoning_gym.extract=tag"])
