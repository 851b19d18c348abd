"""A file's keys that give way to what the command chooses: an algorithm, an advantage function, a policy loss."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from harness.config.catalogue import option_file

logger = logging.getLogger(__name__)
# group → verl's name for the same choice, which an option of the group leaves without a meaning
VERLS_CHOICE = {
    "advantage_fn": "algorithm.adv_estimator",
    "policy_loss": "actor_rollout_ref.actor.policy_loss.loss_mode",
}


def without_what_words_choose(words: Sequence[str], tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree without keys that the words decide otherwise; each is reported.

    Args:
        words: Hydra overrides, such as ``algorithm=dapo`` or ``advantage_fn=custom``.
        tree: What a file says.
    """
    result = copy.deepcopy(dict(tree))
    for choice, key, value in giving_way(words, tree):
        logger.warning("%s=%s of the configuration file gives way to %s", key, value, choice)
        *parents, leaf = key.split(".")
        node = result
        for name in parents:
            node = node[name]
        node.pop(leaf, None)  # two words may decide it
    return result


def giving_way(words: Sequence[str], tree: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Each key of the tree that the words decide otherwise: the word, the key, the tree's value."""
    for choice, key, decided in _chosen(words):
        *parents, leaf = key.split(".")
        node: Any = tree
        for name in parents:
            node = node.get(name) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping) and leaf in node and node[leaf] != decided:
            yield choice, key, node[leaf]


def _chosen(words: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """The word that chooses, a key that it decides, and its value: None where the key has no meaning any more."""
    for group, word in {word.partition("=")[0]: word for word in words}.items():
        option = word.partition("=")[2]
        if group == "algorithm":
            yield from ((word, key, value) for key, value in _set_by(option))
        elif group in VERLS_CHOICE and option != "verl":
            yield word, VERLS_CHOICE[group], None


def _set_by(algorithm: str) -> Iterator[tuple[str, Any]]:
    """Keys and values of an algorithm's file and of those it builds on."""
    file = option_file("algorithm", algorithm)
    tree = yaml.safe_load(file.read_text()) if file else {}
    own = {name: value for name, value in tree.items() if name != "defaults"}
    found = dict(_plain_leaves(own))
    for base in tree.get("defaults", []):
        if isinstance(base, str) and base != "_self_":
            found = dict(_set_by(base)) | found
        for overridden in base if isinstance(base, Mapping) else ():
            if (group := overridden.rpartition("/")[2]) in VERLS_CHOICE:
                found[VERLS_CHOICE[group]] = None
    yield from found.items()


def _plain_leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _plain_leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
