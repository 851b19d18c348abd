"""The policy loss of every shipped algorithm against references written from the papers, in float64 with loops.

The loss is chosen, configured and called as in training; the references get the papers' numbers from `SHIPPED`, not
the configuration's. Where verl computes something else than a paper, the last section holds both numbers.
"""

from __future__ import annotations

import functools
import importlib.util
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from verl.trainer.ppo.core_algos import get_policy_loss_fn
from verl.utils.config import omega_conf_to_dataclass

from harness.backend.policy_loss import use_policy_loss
from harness.config.compose import compose_config

spec = importlib.util.spec_from_file_location("loss_reference", Path(__file__).with_name("loss_reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

FOLDER = Path(__file__).resolve().parents[3] / "conf" / "algorithm"
LIMIT = 12  # data.max_response_length; no response of the batches is as long
SEED = 5  # of Clip-Cov's draw


def draw(number: int) -> list[int]:
    """What verl draws after torch.manual_seed(SEED)."""
    return torch.randperm(number, generator=torch.Generator().manual_seed(SEED)).tolist()


def at_least_one(share: float, mask) -> int:
    """verl's number of tokens chosen by covariance. The papers': int(share * tokens), which may be 0."""
    return max(1, int(share * np.sum(mask)))


def clip_cov(old, new, advantages, mask, at=None):
    choice = {"count": at_least_one(2e-4, mask), "lower": 1, "upper": 5, "draw": draw, "spare_clipped": True}
    return reference.clip_cov(old, new, advantages, mask, **choice, low=1, high=1, at=at)


def kl_cov(old, new, advantages, mask, at=None):
    return reference.kl_cov(old, new, advantages, mask, count=at_least_one(0.002, mask), beta=1, at=at)


# Algorithm → loss of the tokens, aggregation.
PPO = partial(reference.ppo, low=0.2, high=0.2, dual=3)
DPPO = {"delta": 0.15, "divergence": "TV", "cap": 1e4}
SUM = partial(reference.response_sum, constant=LIMIT)
PLAIN = ("gdpo", "grpo", "grpo_passk", "max_rl", "opo", "ppo", "prime", "reinforce_plus_plus")
PLAIN += ("reinforce_plus_plus_baseline", "remax", "rloo")
SHIPPED = dict.fromkeys(PLAIN, (PPO, reference.token_mean)) | {
    "dapo": (partial(reference.ppo, low=0.2, high=0.28, dual=10), reference.token_mean),
    "dr_grpo": (PPO, SUM),
    "drgrpo": (PPO, SUM),
    "cispo": (partial(reference.cispo, low=10, high=0.2), reference.token_mean),
    "gpg": (reference.gpg, reference.token_mean),
    "sapo": (partial(reference.sapo, tau_pos=1, tau_neg=1.05), reference.response_mean),
    "dppo": (partial(reference.dppo_log, **DPPO), SUM),
    "dppo with KL": (partial(reference.dppo_log, **DPPO | {"delta": 0.05, "divergence": "KL"}), SUM),
    "gspo": (partial(reference.gspo, low=3e-4, high=4e-4), reference.response_mean),
    "gmpo": (partial(reference.gmpo, low=0.4, high=0.4), reference.response_mean),
    "clip_cov": (clip_cov, reference.token_mean),
    "kl_cov": (kl_cov, reference.token_mean),
}
DPPO_KL = [f"actor_rollout_ref.actor.{key}=0.05" for key in ("clip_ratio", "clip_ratio_low", "clip_ratio_high")]
DPPO_KL += ["actor_rollout_ref.actor.policy_loss.loss_mode=dppo_kl"]
DETACHED = ("cispo", "dppo", "dppo with KL", "clip_cov", "kl_cov")
BY_COVARIANCE = ("clip_cov", "kl_cov")
CASES = ("ragged groups", "token advantages", "zero advantages", "padding rows", "holes", "one token", "permuted rows")
# GMPO has one advantage a response. KL-Cov has nothing to rank without advantages: see below.
LEFT_OUT = {("gmpo", "token advantages"), ("kl_cov", "zero advantages")}
PAIRS = [(algorithm, case) for algorithm in SHIPPED for case in CASES if (algorithm, case) not in LEFT_OUT]


@functools.cache
def build(algorithm: str):
    """The actor's configuration and the loss as a training worker gets them."""
    overrides = [f"algorithm={algorithm.split()[0]}", *(DPPO_KL if algorithm == "dppo with KL" else [])]
    sizes = [f"data.max_response_length={LIMIT}", "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1"]
    config = compose_config([*overrides, *sizes, "device=cpu"])
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    return actor, get_policy_loss_fn(
        use_policy_loss({"policy_loss": config.policy_loss}) or actor.policy_loss.loss_mode
    )


def plant_extremes(old, new, advantages, mask) -> None:
    """Put ratios beyond every clip, e^3 and e^-3, on tokens of either sign of the advantage."""
    for sign in (-1, 1):
        first, second = np.argwhere((sign * advantages > 0) & (mask > 0))[:2]
        old[tuple(first)], new[tuple(first)] = -3.5, -0.5
        old[tuple(second)], new[tuple(second)] = -0.5, -3.5


def make(case: str, algorithm: str) -> list[np.ndarray]:
    """Old and new log-probabilities, advantages and mask, (N, T); the groups, (N,)."""
    rng = np.random.default_rng(3)
    sizes, width = [3, 5, 2, 4, 2], 9
    groups = np.repeat(np.arange(len(sizes)), sizes)
    mask = (np.arange(width) < rng.integers(1, width + 1, len(groups))[:, None]).astype(float)
    scores = rng.normal(size=len(groups))
    of_groups = [scores[groups == group] for group in groups]
    scores = [(score - own.mean()) / own.std(ddof=1) for score, own in zip(scores, of_groups, strict=True)]
    scores = [score + 0.2 for score in scores]  # else the terms of GSPO's loss cancel, and float32 is left with noise
    advantages = np.repeat(np.array(scores)[:, None], width, axis=1)
    old = -rng.exponential(1.5, mask.shape) - 0.01
    new = np.minimum(old + rng.normal(0, 1.5e-3 if algorithm == "gspo" else 0.8, mask.shape), -0.005)
    if case == "token advantages":
        advantages = rng.normal(size=mask.shape)
    if algorithm != "gspo":
        plant_extremes(old, new, advantages, mask)
    if case == "zero advantages":
        advantages[:] = 0
    if case == "holes":  # a tool's tokens between the model's
        mask *= rng.random(mask.shape) < 0.7
    if case == "padding rows":
        mask[[4, 15]] = 0
    for part, beyond in ((old, 2), (new, 3), (advantages, -9)):
        part[mask == 0] = beyond  # to be read by nobody
    rows = {"one token": [0], "permuted rows": rng.permutation(len(groups))}.get(case, slice(None))
    columns = slice(0, 1) if case == "one token" else slice(None)
    return [*(part[rows, columns] for part in (old, new, advantages, mask)), groups[rows]]


def shipped(algorithm: str, parts, rows=slice(None), dp_size: int = 1, dtype=torch.float64):
    """verl's call for a micro-batch, the rows of the mini-batch `parts`: verl.workers.utils.losses.ppo_loss."""
    actor, function = build(algorithm)
    old, new, advantages, mask = (torch.as_tensor(part) for part in parts[:4])
    actor.global_batch_info["dp_size"] = dp_size
    actor.global_batch_info["batch_num_tokens"] = int(mask.sum())
    actor.global_batch_info["global_batch_size"] = len(mask)
    actor.global_batch_info["loss_scale_factor"] = actor.loss_scale_factor
    torch.manual_seed(SEED)
    return function(
        old_log_prob=old[rows].to(dtype),
        log_prob=new[rows].to(dtype),
        advantages=advantages[rows].to(dtype),
        response_mask=mask[rows].bool(),
        loss_agg_mode=actor.loss_agg_mode,
        config=actor,
        rollout_is_weights=None,
    )


def expected(algorithm: str, parts, at=None) -> float:
    """The reference's loss of a mini-batch, divided as verl divides it."""
    loss, aggregation = SHIPPED[algorithm]
    old, new, advantages, mask = parts[:4]
    losses = loss(old, new, advantages, mask, **({"at": at} if algorithm in DETACHED else {}))
    value = aggregation(losses, mask)
    if aggregation is not reference.token_mean:
        # Papers: the mean over responses. verl, and our GMPO: over the rows of the mini-batch, empty ones included.
        value *= mask.any(axis=1).mean()
    return value


def test_every_algorithm_is_in_the_table() -> None:
    assert sorted(set(SHIPPED) - {"dppo with KL"}) == sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("algorithm", "case"), PAIRS)
def test_the_loss(algorithm: str, case: str, dtype: torch.dtype) -> None:
    parts = make(case, algorithm)
    parts[:3] = (torch.tensor(part, dtype=dtype).double().numpy() for part in parts[:3])
    # verl's mean over a response's tokens divides by |o| + 1e-8
    tolerance = 1e-5 if dtype == torch.float32 else 1e-8 if algorithm in ("sapo", "gspo") else 1e-12
    loss = shipped(algorithm, parts, dtype=dtype)[0].item()
    assert loss == pytest.approx(expected(algorithm, parts), rel=tolerance, abs=0)


@pytest.mark.parametrize(
    "algorithm", [algorithm for algorithm in SHIPPED if algorithm not in ("gpg", "sapo", "kl_cov")]
)
def test_the_batch_reaches_the_clips(algorithm: str) -> None:
    metrics = shipped(algorithm, make("ragged groups", algorithm))[1]
    assert metrics["actor/pg_clipfrac"] > 0
    if SHIPPED[algorithm][0] is PPO or algorithm in ("dapo", "gmpo"):
        assert metrics["actor/pg_clipfrac_lower"] > 0


@pytest.mark.parametrize("algorithm", ["dppo", "dppo with KL"])
def test_dppo_masks_what_leaves_the_trust_region(algorithm: str) -> None:
    delta, divergence = (0.05, "KL") if algorithm == "dppo with KL" else (0.15, "TV")
    old, new = (
        grid.ravel() for grid in np.meshgrid(np.log([0.02, 0.3, 0.5, 0.9]), np.log(np.arange(0.0035, 1, 0.001)))
    )
    advantages = np.stack([np.ones(len(old)), -np.ones(len(old))])
    old, new = np.stack([old, old]), np.stack([new, new])
    kept = [
        [reference.dppo_mask(*token, delta, divergence) for token in zip(*row, strict=True)]
        for row in zip(old, new, advantages, strict=True)
    ]
    assert 0.2 < np.mean(kept) < 0.8
    assert ((gradient(algorithm, [old, new, advantages, np.ones(old.shape)]) != 0) == kept).all()


@pytest.mark.parametrize("algorithm", BY_COVARIANCE)
def test_several_tokens_are_chosen_by_covariance(algorithm: str) -> None:
    rng = np.random.default_rng(8)
    mask = (np.arange(60) < rng.integers(30, 61, 400)[:, None]).astype(float)
    old = -rng.exponential(1.5, mask.shape) - 0.01
    parts = [old, np.minimum(old + rng.normal(0, 0.3, mask.shape), -0.005), rng.normal(size=mask.shape), mask]
    assert at_least_one(2e-4 if algorithm == "clip_cov" else 0.002, mask) == (3 if algorithm == "clip_cov" else 36)
    assert shipped(algorithm, parts)[0].item() == pytest.approx(expected(algorithm, parts), rel=1e-11)


# --- Gradients --------------------------------------------------------------------------------------------------------


def gradient(algorithm: str, parts) -> np.ndarray:
    """The gradient of the shipped loss with respect to the new log-probabilities, (N, T)."""
    new = torch.tensor(parts[1], requires_grad=True)
    shipped(algorithm, [parts[0], new, *parts[2:]])[0].backward()
    return new.grad.numpy()


def differences(loss, new: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central finite differences of a function of the new log-probabilities, (N, T)."""
    slopes = np.zeros_like(new)
    for place in np.ndindex(new.shape):
        up, down = new.copy(), new.copy()
        up[place] += step
        down[place] -= step
        slopes[place] = (loss(up) - loss(down)) / (2 * step)
    return slopes


def away_from_edges(algorithm: str, parts) -> bool:
    """Whether no ratio is near an edge of a clip, or 1, so that no point needs leaving out."""
    old, new, _, mask = parts[:4]
    if algorithm == "gspo":  # the clip is 7e-4 wide
        ratios = np.exp(((new - old) * mask).sum(axis=1) / mask.sum(axis=1).clip(1))
        return all(np.abs(ratios - edge).min() > 1e-5 for edge in (1 - 3e-4, 1 + 4e-4))
    ratios = np.exp((new - old)[mask > 0])
    edges = (0.8, 1, 1.2, 1.28, 2, 3, 10, np.exp(-0.4), np.exp(0.4))
    return all(np.abs(ratios - edge).min() > 1e-4 for edge in edges)


@pytest.mark.parametrize("case", ["padding rows", "token advantages", "holes"])
@pytest.mark.parametrize("algorithm", SHIPPED)
def test_the_gradient(algorithm: str, case: str) -> None:
    """GSPO's is that of the paper's loss: no part of it is frozen, so that advantages of tokens would not do."""
    parts = make("ragged groups" if algorithm in ("gspo", "gmpo") and case == "token advantages" else case, algorithm)
    assert away_from_edges(algorithm, parts)
    old, new, *others = parts
    slopes = differences(lambda at: expected(algorithm, [old, at, *others], at=new), new)
    np.testing.assert_allclose(gradient(algorithm, parts), slopes, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("algorithm", [algorithm for algorithm in SHIPPED if algorithm != "clip_cov"])
def test_on_policy_every_gradient_is_that_of_reinforce(algorithm: str) -> None:
    """Where the policy has not moved, r = 1 and the loss is to first order −A log π."""
    old, _, advantages, mask, _ = make("padding rows", algorithm)
    aggregation = SHIPPED[algorithm][1]
    weights = differences(lambda log_probs: aggregation(log_probs, mask), old)
    if aggregation is not reference.token_mean:
        weights *= mask.any(axis=1).mean()
    np.testing.assert_allclose(gradient(algorithm, [old, old, advantages, mask]), -advantages * weights, 1e-6, 1e-9)


# --- Micro-batches ----------------------------------------------------------------------------------------------------

MICRO_BATCHES = [[0, 1, 2], [3], [4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14, 15]]  # the third is padding alone


@pytest.mark.parametrize("dp_size", [1, 2])
@pytest.mark.parametrize("algorithm", [algorithm for algorithm in SHIPPED if algorithm not in BY_COVARIANCE])
def test_micro_batches_add_up_to_the_mini_batch(algorithm: str, dp_size: int) -> None:
    """FSDP takes the mean over the ranks of the gradients: here, a share of 1/dp_size of the sum over all."""
    parts = make("padding rows", algorithm)
    whole = shipped(algorithm, parts)[0].item()
    losses = [shipped(algorithm, parts, rows, dp_size)[0].item() for rows in MICRO_BATCHES]
    assert sum(losses) / dp_size == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("algorithm", BY_COVARIANCE)
def test_by_covariance_micro_batches_do_not_add_up(algorithm: str) -> None:
    """The papers rank the tokens of the batch; verl those of each micro-batch, of which it takes one at least."""
    parts = make("padding rows", algorithm)
    whole, tokens = shipped(algorithm, parts)[0].item(), parts[3].sum()
    total = sum(shipped(algorithm, parts, rows)[0].item() for rows in MICRO_BATCHES)
    assert total != pytest.approx(whole, rel=1e-3)
    alone = [[part[rows] for part in parts] for rows in MICRO_BATCHES if parts[3][rows].any()]
    assert total == pytest.approx(sum(expected(algorithm, own) * own[3].sum() / tokens for own in alone), rel=1e-12)


def test_verls_own_gmpo_does_not_add_up() -> None:
    """Why GMPO is ours: geo_mean is a mean over each micro-batch, so that the sum grows with their number."""
    old, new, advantages, mask, _ = (torch.as_tensor(part) for part in make("ragged groups", "gmpo"))
    loss = get_policy_loss_fn("geo_mean")
    of = [
        loss(old[i : i + 1], new[i : i + 1], advantages[i : i + 1], mask[i : i + 1], config=build("grpo")[0])
        for i in range(16)
    ]
    whole = loss(old, new, advantages, mask, config=build("grpo")[0])[0].item()
    assert sum(value.item() for value, _ in of) == pytest.approx(16 * whole, rel=1e-6)


# --- Where verl computes something else than the paper ----------------------------------------------------------------


def one_token(algorithm: str, old: float, new: float, advantage: float) -> tuple[float, float]:
    """Loss and gradient of a batch of one token."""
    parts = [np.array([[value]]) for value in (old, new, advantage, 1.0)]
    return shipped(algorithm, parts)[0].item(), gradient(algorithm, parts)[0, 0]


@pytest.mark.parametrize(("algorithm", "bound"), [("ppo", 3), ("grpo", 3), ("dr_grpo", 3 / LIMIT), ("dapo", 10)])
def test_dual_clip_is_always_on(algorithm: str, bound: float) -> None:
    """PPO, GRPO, Dr.GRPO and DAPO: no bound on r where A < 0, here a loss of 20 and as great a gradient."""
    assert one_token(algorithm, -4, -4 + np.log(20), -1) == (pytest.approx(bound), 0)


def test_gspos_ratio_is_bounded() -> None:
    """Paper: s = e^12 and its gradient where A < 0. verl: at most e^10, without a gradient beyond it."""
    assert one_token("gspo", -12.5, -0.5, -1) == (pytest.approx(np.exp(10), rel=1e-7), 0)


def test_dppos_ratio_is_bounded() -> None:
    """Paper: r as it is. verl: clip_ratio_c at most (3 unless set; shipped: 1e4), with a gradient beyond it."""
    loss, slope = one_token("dppo", -12, -0.5, -1)
    assert (loss * LIMIT, slope * LIMIT) == (pytest.approx(1e4 * -0.5), pytest.approx(1e4))


@pytest.mark.parametrize("algorithm", ["dppo", "dppo with KL"])
def test_dppo_has_the_papers_gradient_but_not_its_loss(algorithm: str) -> None:
    """Paper: sg(M) r A. verl: sg(M r) A log π, whose value (actor/pg_loss) means nothing."""
    parts = make("ragged groups", algorithm)
    old, new, advantages, mask, _ = parts
    delta, divergence = (0.05, "KL") if algorithm == "dppo with KL" else (0.15, "TV")

    def paper(log_probs: np.ndarray) -> float:
        return SUM(reference.dppo(old, log_probs, advantages, mask, delta, divergence, at=new), mask)

    np.testing.assert_allclose(gradient(algorithm, parts), differences(paper, new), rtol=1e-6, atol=1e-9)
    assert shipped(algorithm, parts)[0].item() != pytest.approx(paper(new), rel=0.1)


@pytest.mark.parametrize("algorithm", ["dapo", "cispo", "gpg", "grpo"])
def test_tokens_are_averaged_over_the_mini_batch(algorithm: str) -> None:
    """DAPO, CISPO, GPG: the mean over prompts of a prompt's token mean. GRPO: the mean over responses."""
    old, new, advantages, mask, groups = make("ragged groups", algorithm)
    losses = SHIPPED[algorithm][0](old, new, advantages, mask)
    papers = partial(reference.prompt_mean_of_token_means, groups=groups)
    paper = (reference.response_mean if algorithm == "grpo" else papers)(losses, mask)
    loss = shipped(algorithm, [old, new, advantages, mask])[0].item()
    assert loss == pytest.approx(reference.token_mean(losses, mask), rel=1e-12)
    assert loss != pytest.approx(paper, rel=1e-2)


@pytest.mark.parametrize("algorithm", ["gspo", "sapo", "gmpo", "dr_grpo", "dppo"])
def test_empty_rows_count_in_means_over_responses(algorithm: str) -> None:
    """Two of 16 rows are padding: the loss is 14/16 of the paper's mean over 14 responses."""
    parts = make("padding rows", algorithm)
    loss, aggregation = SHIPPED[algorithm]
    paper = aggregation(loss(*parts[:4]), parts[3])
    assert shipped(algorithm, parts)[0].item() == pytest.approx(paper * 14 / 16, rel=1e-8)


CHOOSING_NONE = {
    "clip_cov": partial(reference.clip_cov, count=0, lower=1, upper=5, low=1, high=1, draw=draw),
    "kl_cov": partial(reference.kl_cov, count=0, beta=1),
}


@pytest.mark.parametrize("algorithm", BY_COVARIANCE)
def test_covariance_chooses_one_token_at_least(algorithm: str) -> None:
    """Papers: floor(2e-4 * tokens) and floor(0.002 * tokens), which are 0 here. verl: one of every micro-batch."""
    parts = make("ragged groups", algorithm)
    assert int(0.002 * parts[3].sum()) == 0
    paper = reference.token_mean(CHOOSING_NONE[algorithm](*parts[:4]), parts[3])
    assert shipped(algorithm, parts)[0].item() != pytest.approx(paper, rel=1e-4)


def test_clip_covs_candidates_are_not_clipped_already() -> None:
    """Paper: any token with 1 < Cov < 5. verl: none that PPO's clip has cut already, those with r > 2 and A > 0."""
    old, new = np.array([[-4.0, -4.0, -4.0, -4.0]]), np.array([[-1.0, -3.9, -4.1, -4.0]])
    parts = [old, new, np.array([[1.5, -0.5, -0.5, -0.5]]), np.ones((1, 4))]
    covariance = reference.covariances(new, parts[2], parts[3])
    assert [place for place, value in covariance.items() if 1 < value < 5] == [(0, 0)]
    every = reference.clip_cov(*parts, count=1, lower=1, upper=5, low=1, high=1, draw=draw)
    none = CHOOSING_NONE["clip_cov"](*parts)
    loss = shipped("clip_cov", parts)[0].item()
    assert loss == pytest.approx(reference.token_mean(none, parts[3]), rel=1e-12)
    assert loss != pytest.approx(reference.token_mean(every, parts[3]), rel=1e-2)


def test_kl_covs_penalty_is_no_estimate_of_the_kl() -> None:
    """Paper's equation: KL(mu || pi), of which −log r is an estimate without bias. Its listing and verl: |log r|."""
    for log_ratio in (-0.5, 0.5):
        loss, _ = one_token("kl_cov", -2, -2 + log_ratio, 0.3)
        assert loss + 0.3 * np.exp(log_ratio) == pytest.approx(abs(log_ratio))


def test_kl_cov_without_advantages_punishes_a_token_by_chance() -> None:
    """All covariances are 0. Paper: floor(0.002 * tokens) = 0 tokens, so no loss. verl: |log r| of any one token."""
    parts = make("zero advantages", "kl_cov")
    old, new, _, mask, _ = parts
    possible = np.abs(new - old)[mask > 0] / mask.sum()
    assert np.isclose(shipped("kl_cov", parts)[0].item(), possible, rtol=1e-12, atol=0).any()
