"""Do the intervals of `harness compare` cover what they say, and do its tests err as rarely as they say?

    python benchmarks/statistics_coverage.py [--scale 1.0] [--jobs 2]

Simulates groups of runs whose true values are known, calls the public functions on each, and counts. ``held`` is the share
of intervals with the true value inside, or of tests with p ≤ 0.05; ``error`` is its simulation error. ``--scale``
multiplies the number of simulations. Bootstraps draw 1999 resamples here instead of 9999, for time. About five minutes on
two idle cores; what is on record with as many simulations is not run again. Writes
benchmarks/results/statistics_coverage.json.
"""

from __future__ import annotations

import argparse
import json
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from scipy import stats

from harness.compare.statistics import bootstrap
from harness.compare.statistics.effects import hedges_g, probability_of_improvement
from harness.compare.statistics.intervals import difference_interval, mean_interval
from harness.compare.statistics.power import seeds_needed
from harness.compare.statistics.prompts import mcnemar, over_prompts, over_seeds_and_prompts
from harness.compare.statistics.samples import Group
from harness.compare.statistics.significance import difference_test, permutation_test, sign_flip_test, t_test
from harness.compare.statistics.tasks import tasks_interval
from harness.compare.statistics.times import Times, slower_test
from harness.compare.statistics.verdict import Question, compare_all_pairs
from harness.records.atomic import write_text

RESULTS = Path(__file__).resolve().parent / "results" / "statistics_coverage.json"
ALPHA = 0.05
bootstrap.RESAMPLES = 1999
Draw = Callable[[np.random.Generator, Any], Any]  # of a size: an array
Cell = tuple[str, str, Callable[..., float], tuple[Any, ...], int]


def bimodal(rng: np.random.Generator, size: Any) -> np.ndarray:
    """Seven runs of ten end near 0.6, the others collapse to near 0.1; bounded by 0 and 1."""
    good = rng.random(size) < 0.7
    return np.clip(np.where(good, rng.normal(0.6, 0.05, size), rng.normal(0.1, 0.05, size)), 0, 1)


DRAWS: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(0.5, 0.1, size),
    "beta(2, 5)": lambda rng, size: rng.beta(2, 5, size),
    "exponential": lambda rng, size: rng.exponential(1, size),
    "lognormal, sigma 0.5": lambda rng, size: rng.lognormal(0, 0.5, size),
    "lognormal, sigma 1": lambda rng, size: rng.lognormal(0, 1, size),
    "bimodal in [0, 1]": bimodal,
}
MEANS = dict(zip(DRAWS, (0.5, 2 / 7, 1.0, np.exp(0.125), np.exp(0.5), 0.7 * 0.6 + 0.3 * 0.1005), strict=True))


@cache
def true_iqm(name: str) -> float:
    """The interquartile mean of a distribution, of two million draws."""
    ordered = np.sort(DRAWS[name](np.random.default_rng(7), 2_000_000))
    return float(ordered[500_000:1_500_000].mean())


@cache
def true_improvement(name: str, deviations: float) -> tuple[float, float]:
    """A shift of so many standard deviations, in the distribution's unit, and P(shifted > not), of a million draws."""
    rng = np.random.default_rng(7)
    x, y = DRAWS[name](rng, 1_000_000), DRAWS[name](rng, 1_000_000)
    shift = float(deviations * y.std())
    return shift, float((x + shift > y).mean())


def share(trial: Callable[[np.random.Generator], bool], sims: int, rng: np.random.Generator) -> float:
    """How often a trial came out true."""
    return sum(trial(rng) for _ in range(sims)) / sims


def mean_covers(name: str, n: int, statistic: Any, sims: int, rng: np.random.Generator) -> float:
    """Coverage of `mean_interval`."""
    true = MEANS[name] if statistic == "mean" else true_iqm(name)

    def trial(rng: np.random.Generator) -> bool:
        return not mean_interval(DRAWS[name](rng, n), rng, statistic).excludes(true)

    return share(trial, sims, rng)


def difference_covers(
    name: str, n: int, m: int, scale: float, statistic: Any, sims: int, rng: np.random.Generator
) -> float:
    """Coverage of `difference_interval`, the second side stretched."""
    true = (MEANS[name] if statistic == "mean" else true_iqm(name)) * (1 - scale)

    def trial(rng: np.random.Generator) -> bool:
        a, b = DRAWS[name](rng, n), scale * DRAWS[name](rng, m)
        return not difference_interval(a, b, rng, statistic=statistic).excludes(true)

    return share(trial, sims, rng)


def plain_bca_covers(name: str, n: int, groups: int, sims: int, rng: np.random.Generator) -> float:
    """Coverage of SciPy's BCa as it is, of a mean or of a difference of two: what the package does not use."""

    def statistic(*samples: np.ndarray, axis: int) -> np.ndarray:
        return samples[0].mean(axis) - (samples[1].mean(axis) if groups == 2 else 0.0)

    def trial(rng: np.random.Generator) -> bool:
        samples = [DRAWS[name](rng, n) for _ in range(groups)]
        found = stats.bootstrap(samples, statistic, vectorized=True, n_resamples=bootstrap.RESAMPLES, rng=rng)
        low, high = found.confidence_interval
        return bool(low <= (MEANS[name] if groups == 1 else 0.0) <= high)

    return share(trial, sims, rng)


def tasks_cover(n: int, apart: bool, sims: int, rng: np.random.Generator) -> float:
    """Coverage of `tasks_interval` of the mean or iqm over six tasks; runs share a level unless trained apart."""
    levels, shared = np.linspace(0.2, 0.8, 6), 0.0 if apart else 0.1

    def draw(rng: np.random.Generator, runs: int) -> np.ndarray:
        return levels + shared * rng.normal(size=(runs, 1)) + 0.1 * rng.normal(size=(runs, 6))

    return share(lambda rng: not tasks_interval(draw(rng, n), rng, apart).excludes(0.5), sims, rng)


def improvement_covers(name: str, n: int, m: int, shift: float, sims: int, rng: np.random.Generator) -> float:
    """Coverage of `probability_of_improvement`; the shift is in standard deviations."""
    shift, true = true_improvement(name, shift)

    def trial(rng: np.random.Generator) -> bool:
        return not probability_of_improvement(DRAWS[name](rng, n) + shift, DRAWS[name](rng, m)).excludes(true)

    return share(trial, sims, rng)


def effect_covers(n: int, delta: float, correlation: float, sims: int, rng: np.random.Generator) -> float:
    """Coverage of `hedges_g` on normal data; pairs where there is a correlation."""

    def trial(rng: np.random.Generator) -> bool:
        both = rng.multivariate_normal([delta, 0], [[1, correlation], [correlation, 1]], n)
        return not hedges_g(both[:, 0], both[:, 1], paired=correlation > 0).excludes(delta)

    return share(trial, sims, rng)


TESTS: dict[str, Callable[..., Any]] = {
    "permutation": permutation_test,
    "sign flips": sign_flip_test,
    "Welch's t": lambda a, b, rng: t_test(a, b),
    "paired t": lambda a, b, rng: t_test(a, b, paired=True),
    "chosen": difference_test,
    "chosen, iqm": lambda a, b, rng: difference_test(a, b, rng, statistic="iqm"),
}


def test_finds(
    test: str, name: str, sizes: tuple[int, int, float, float], sims: int, rng: np.random.Generator
) -> float:
    """How often p ≤ 0.05: runs of a side each, the second side's spread, the true difference in standard deviations."""
    n, m, stretch, shift = sizes
    mean, deviation = MEANS[name], true_improvement(name, 1.0)[0]

    def trial(rng: np.random.Generator) -> bool:
        a = DRAWS[name](rng, n) - mean + shift * deviation
        return TESTS[test](a, stretch * (DRAWS[name](rng, m) - mean), rng).p <= ALPHA

    return share(trial, sims, rng)


def scored(rng: np.random.Generator, seeds: int, prompts: int, of_seed: float) -> tuple[np.ndarray, np.ndarray]:
    """Correctness of two equal algorithms: prompts differ in difficulty, trained models in skill."""
    difficulty, taste = rng.normal(size=prompts), 0.5 * rng.normal(size=(2, 1, prompts))
    logits = difficulty + taste + of_seed * rng.normal(size=(2, seeds, 1))
    a, b = (rng.random((2, seeds, prompts)) < 1 / (1 + np.exp(-logits))).astype(float)
    return a, b


def prompts_find(test: str, seeds: int, of_seed: float, sims: int, rng: np.random.Generator) -> float:
    """How often a test over 100 prompts calls two equal algorithms different."""

    def trial(rng: np.random.Generator) -> bool:
        a, b = scored(rng, seeds, 100, of_seed)
        if test == "mcnemar":
            return mcnemar(a[0], b[0]).p <= ALPHA
        found = over_prompts(a, b, rng) if test == "over_prompts" else over_seeds_and_prompts(a, b)
        return found.test.p <= ALPHA

    return share(trial, sims, rng)


def times_find(n: int, sims: int, rng: np.random.Generator) -> float:
    """How often Gehan's test calls equal groups different, two runs of five never reaching the threshold."""

    def times(rng: np.random.Generator) -> Times:
        true = rng.exponential(1, n)
        return Times(np.minimum(true, 0.9), true <= 0.9)

    return share(lambda rng: slower_test(times(rng), times(rng), rng).p <= ALPHA, sims, rng)


def family_errs(n: int, name: str, sims: int, rng: np.random.Generator) -> float:
    """How often `compare_all_pairs` says anything of three equal groups."""

    def trial(rng: np.random.Generator) -> bool:
        groups = [Group(letter, DRAWS[name](rng, n)) for letter in "abc"]
        found = compare_all_pairs(groups, rng, Question(paired=False))
        return any(one.decision in ("better", "worse") for one in found)

    return share(trial, sims, rng)


def power_holds(effect: float, paired: bool, sims: int, rng: np.random.Generator) -> float:
    """How often t finds a true effect with as many seeds as `seeds_needed` asks for."""
    n = seeds_needed(effect, paired=paired)
    assert n is not None

    def trial(rng: np.random.Generator) -> bool:
        a, b = rng.normal(effect, 1, n), rng.normal(0, 1, n)
        return t_test(a, np.zeros(n) if paired else b, paired=paired).p <= ALPHA

    return share(trial, sims, rng)


def cells() -> Iterator[Cell]:
    """Kind, name, function, arguments and simulations of each figure."""
    for name in DRAWS:
        yield from cells_of(name)
    for name in ("normal", "exponential", "lognormal, sigma 1"):
        yield "not used", f"plain BCa, mean, {name}, 10 runs", plain_bca_covers, (name, 10, 1), 1500
        yield "not used", f"plain BCa, difference, {name}, 30 runs a side", plain_bca_covers, (name, 30, 2), 1500
    for n in (3, 5, 10, 30):
        for apart in (True, False):
            what = f"iqm of 6 tasks, {'trained apart' if apart else 'of one model'}, {n} runs"
            yield "interval", what, tasks_cover, (n, apart), 500
    for n in (5, 10, 30):
        for correlation in (0.0, 0.5):
            what = f"Hedges' g, {n} {'pairs' if correlation else 'runs a side'}, true 0.8"
            yield "interval", what, effect_covers, (n, 0.8, correlation), 2000
    yield from test_cells()


def cells_of(name: str) -> Iterator[Cell]:
    """The intervals on one distribution."""
    for n in range(3, 10):
        yield "interval", f"mean, {name}, {n} runs", mean_covers, (name, n, "mean"), 5000
    for n, sims in ((10, 1500), (15, 1000), (30, 2000), (50, 2000)):
        yield "interval", f"mean, {name}, {n} runs", mean_covers, (name, n, "mean"), sims
    for n, m, stretch in ((5, 5, 1.0), (5, 5, 3.0), (8, 4, 3.0)):
        what = f"difference, {name}, {n} and {m} runs, spread 1 and {stretch:g}"
        yield "interval", what, difference_covers, (name, n, m, stretch, "mean"), 4000
    for n, m, stretch, sims in ((10, 10, 1.0, 4000), (30, 30, 1.0, 4000), (30, 30, 3.0, 4000), (30, 10, 3.0, 4000)):
        what = f"difference, {name}, {n} and {m} runs, spread 1 and {stretch:g}"
        yield "interval", what, difference_covers, (name, n, m, stretch, "mean"), sims
    for n in (5, 10, 30):
        what = f"difference of iqm, {name}, {n} runs a side"
        yield "interval", what, difference_covers, (name, n, n, 1.0, "iqm"), 3000
    for n, sims in ((5, 3000), (8, 3000), (10, 600), (30, 1000)):
        yield "interval", f"iqm, {name}, {n} runs", mean_covers, (name, n, "iqm"), sims
    for n, m, shift in ((5, 5, 0.0), (5, 5, 1.0), (10, 10, 1.0), (30, 30, 1.0), (8, 4, 0.5)):
        what = f"P(improvement), {name}, {n} and {m} runs, {shift:g} sd apart"
        yield "interval", what, improvement_covers, (name, n, m, shift), 1200


def test_cells() -> Iterator[Cell]:
    """The same of tests."""
    for name in DRAWS:
        for test, n, sims in (("permutation", 5, 1000), ("sign flips", 7, 1000), ("Welch's t", 3, 5000), ("paired t", 3, 5000), ("chosen", 4, 1000), ("chosen, iqm", 5, 500)):  # fmt: skip
            yield "false positive", f"{test}, {name}, {n} runs a side", test_finds, (test, name, (n, n, 1.0, 0.0)), sims
        for test, sims in (("permutation", 1500), ("Welch's t", 4000)):
            what = f"{test}, {name}, 8 runs of spread 1 and 4 of spread 3"
            yield "false positive", what, test_finds, (test, name, (8, 4, 3.0, 0.0)), sims
    yield "false positive", "permutation (random), normal, 10 runs a side", test_finds, ("permutation", "normal", (10, 10, 1.0, 0.0)), 300  # fmt: skip
    yield "false positive", "permutation (random), normal, 20 runs of spread 1 and 10 of spread 3", test_finds, ("permutation", "normal", (20, 10, 3.0, 0.0)), 300  # fmt: skip
    for test, n in (("chosen", 3), ("chosen", 5), ("sign flips", 6), ("paired t", 5), ("Welch's t", 5)):
        what = f"{test}, normal, {n} runs a side, 2 sd apart, seeds unrelated"
        yield "power", what, test_finds, (test, "normal", (n, n, 1.0, 2.0)), 2000
    for of_seed, what in ((0.0, "models differ by prompt alone"), (0.4, "models differ in skill")):
        for test, seeds in (("mcnemar", 1), ("over_prompts", 3), ("both", 3), ("both", 5), ("both", 10)):
            name = {"both": "over_seeds_and_prompts"}.get(test, test)
            yield (
                "false positive",
                f"{name}, {seeds} seeds, {what}",
                prompts_find,
                (test, seeds, of_seed),
                150 if test == "over_prompts" else 1000,
            )
    yield "false positive", "Gehan, 6 runs a side, two in five censored", times_find, (6,), 800
    yield "false positive", "family of three pairs, normal, 5 runs a side", family_errs, (5, "normal"), 500
    yield "false positive", "family of three pairs, bimodal, 5 runs a side", family_errs, (5, "bimodal in [0, 1]"), 500
    for effect, paired in ((0.8, False), (1.5, False), (0.5, True)):
        what = f"t, seeds_needed({effect:g}{', paired' if paired else ''}), wanted 0.8"
        yield "power", what, power_holds, (effect, paired), 3000


def measure(cell: tuple[str, str, str, tuple[Any, ...], int]) -> dict[str, Any]:
    """One figure; its random numbers depend on its name alone."""
    kind, name, function, arguments, sims = cell
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    with np.errstate(all="ignore"):
        held = globals()[function](*arguments, sims, rng)
    error = float(np.sqrt(max(held * (1 - held), 1e-4) / sims))
    return {"kind": kind, "name": name, "held": round(held, 4), "error": round(error, 4), "sims": sims}


def main() -> None:
    """Measure what is not on record yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    work = [(k, name, f.__name__, args, max(int(sims * given.scale), 20)) for k, name, f, args, sims in cells()]
    before = json.loads(RESULTS.read_text())["figures"] if RESULTS.is_file() else []
    known = {(one["name"], one["sims"]): one for one in before}
    with ProcessPoolExecutor(given.jobs) as pool:
        for figure in pool.map(measure, [cell for cell in work if (cell[1], cell[4]) not in known]):
            known[figure["name"], figure["sims"]] = figure
            print(f"{figure['held']:.3f} ±{1.96 * figure['error']:.3f}  {figure['kind']}: {figure['name']}", flush=True)
            save([known[cell[1], cell[4]] for cell in work if (cell[1], cell[4]) in known])


def save(figures: list[dict[str, Any]]) -> None:
    """Write what there is."""
    result = {
        "wanted": {"interval": 0.95, "false positive": ALPHA},
        "resamples": bootstrap.RESAMPLES,
        "figures": figures,
        "machine": machine(),
        "date": str(date.today()),
    }
    write_text(RESULTS, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
