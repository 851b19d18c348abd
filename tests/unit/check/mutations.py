"""Random mutations of override lists and YAML files, for the check that may never fail on any."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from harness.config.catalogue import catalogue
from harness.config.compose import compose_config

VALUES = (
    "null", "true", "-1", "0", "1", "2.5", "1e30", "-1e-9", ".nan", ".inf", "abc", "''", "[]", "[1,2]", "{}", "{a: 1}",
    "${seed}", "${no.such}", "${oc.env:NO_SUCH}", "???", "'${'", "[", "}", "a=b", "ü", "\\", "99999999999999999999", "'a b'",
    "/no/such/file", "os.system", "[[[1]]]", "1_000", "0x10", "nan", "$", "'\\''", "{_target_: os.system, _args_: [x]}",
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[3]
EXPERIMENT = ROOT / "conf/experiment/quickstart_tiny.yaml"
CLASSIC = Path(__file__).with_name("classic.yaml")
CLASSIC_WORDS = ("model=tiny", "data=spell_backward", "reward_fn=[reasoning_gym]")  # what the file leaves out


def keys(tree: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key."""
    for name, value in tree.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from keys(value, f"{prefix}{name}.")


class Mutator:
    """Makes override lists, and files of an experiment, that are wrong in up to three places.

    Args:
        seed: Which ones.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.keys = list(keys(OmegaConf.to_container(compose_config(["experiment=quickstart_tiny"]), resolve=False)))
        self.options = {group: list(options) for group, options in catalogue().items() if options}

    def words(self, number: int) -> list[str]:
        """What ``harness check`` is given the next time: overrides, an experiment's file or a classic one, as it comes.

        Files are written to the folder of the process.
        """
        if number % 2:
            return self.overrides()
        if number % 4:
            Path("classic.yaml").write_bytes(self.file(CLASSIC))
            return ["--config", "classic.yaml", *CLASSIC_WORDS]
        place = Path("conf/experiment/mutant.yaml")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.file(EXPERIMENT))
        return ["experiment=mutant"]

    def overrides(self) -> list[str]:
        """A mutated list."""
        chosen = self.random.choice(["quickstart", "quickstart_tiny"])
        words = [f"experiment={chosen}", f"algorithm={self.random.choice(self.options['algorithm'])}"]
        makers = [self._value, self._typo, self._group, self._delete, self._add, self._noise]
        return words + [self.random.choice(makers)() for _ in range(self.random.randint(1, 3))]

    def file(self, source: Path) -> bytes:
        """A mutated file."""
        lines = source.read_text().splitlines()
        for _ in range(self.random.randint(1, 3)):
            place = self.random.randrange(len(lines))
            change = self.random.randrange(6)
            if change == 0:
                lines[place] = self._misspelt(lines[place])
            elif change == 1:
                del lines[place]
                lines = lines or ["x"]
            elif change == 2:
                lines[place] = lines[place].partition(":")[0] + ": " + self.random.choice(VALUES)
            elif change == 3:
                lines.insert(place, lines[self.random.randrange(len(lines))])
            elif change == 4:
                lines[place] = "\t" + lines[place]
            else:
                lines[place] = lines[place].replace("  ", " ", 1)
        text = "\n".join(lines).encode()
        return text[: self.random.randrange(len(text) + 1)] if self.random.random() < 0.1 else text

    def _value(self) -> str:
        return f"{self.random.choice(self.keys)}={self.random.choice(VALUES)}"

    def _typo(self) -> str:
        return f"{self._misspelt(self.random.choice(self.keys))}={self.random.choice(VALUES)}"

    def _group(self) -> str:
        group = self.random.choice(list(self.options))
        option = self.random.choice([*self.options[group], "nonsense", "[]", "[a,b]", "null"])
        return f"{group}={option}"

    def _delete(self) -> str:
        return f"~{self.random.choice(self.keys)}"

    def _add(self) -> str:
        sign = self.random.choice(["+", "++"])
        key = self.random.choice(self.keys)
        return f"{sign}{key}{self.random.choice(['', '.new', '_'])}={self.random.choice(VALUES)}"

    def _noise(self) -> str:
        return "".join(self.random.choice("abc=.[]{}$,:'\"+~@/ -0_") for _ in range(self.random.randint(0, 12)))

    def _misspelt(self, text: str) -> str:
        if not text:
            return "x"
        place = self.random.randrange(len(text))
        return self.random.choice(
            [text[:place] + text[place + 1 :], text[:place] + "x" + text[place:], text[:place] + text[place:][::-1]]
        )
