"""Secrets do not reach a record; what merely sounds like one does."""

from __future__ import annotations

import pytest

from harness.records.masking import (
    MASK,
    is_secret_file,
    is_secret_key,
    mask_added_lines,
    mask_arguments,
    mask_text,
    recorded_environment,
)

TOKEN = "hf_" + "abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize(
    "key", ["HF_TOKEN", "tracking.api_key", "--password", "WANDB_API_KEY", "a.b.client_secret", "s3.access-key"]
)
def test_secret_keys(key):
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    ["max_tokens", "eos_token", "pad_token_id", "data.prompt_key", "tokenizer", "token_level", "s_per_token"],
)
def test_keys_that_only_sound_secret(key):
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    ("argument", "masked"),
    [
        ("tracking.api_key=abc", f"tracking.api_key={MASK}"),
        ("+env={WANDB_API_KEY:abc,N:3}", f"+env={{WANDB_API_KEY:{MASK},N:3}}"),
        ("++runtime_env={env_vars:{HF_TOKEN: 'a b', X: 1}}", f"++runtime_env={{env_vars:{{HF_TOKEN: {MASK}, X: 1}}}}"),
        ("name=" + TOKEN, f"name={MASK}"),
        ("proxy=https://me:pw@host/x", f"proxy=https://{MASK}@host/x"),
        ("actor.optim.lr=1e-6", "actor.optim.lr=1e-6"),
        ("tokenizer.eos_token=</s>", "tokenizer.eos_token=</s>"),
        ("data.prompt_key=prompt", "data.prompt_key=prompt"),
    ],
)
def test_overrides(argument, masked):
    assert mask_text(argument) == masked
    assert mask_arguments([argument]) == [masked]


def test_a_secret_in_a_word_of_its_own():
    assert mask_arguments(["train", "--token", "abc", "--name", "x"]) == ["train", "--token", MASK, "--name", "x"]


def test_only_listed_variables_are_recorded():
    environment = {
        "CUDA_VISIBLE_DEVICES": "0", "SLURM_JOB_ID": "7", "HARNESS_CACHE": "/c", "VERL_PLATFORM": "cpu",
        "WANDB_API_KEY": "abc", "HARNESS_TOKEN": "abc", "AWS_SECRET_ACCESS_KEY": "abc", "HOME": "/h",
        "SLURM_COMMENT": TOKEN,
    }  # fmt: skip
    recorded = recorded_environment(environment)
    assert set(recorded) == {"CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "HARNESS_CACHE", "VERL_PLATFORM", "SLURM_COMMENT"}
    assert recorded["SLURM_COMMENT"] == MASK


def test_secret_files():
    assert all(map(is_secret_file, [".env", ".env.local", "server.pem", "id_rsa", "aws_credentials.json", ".netrc"]))
    assert not any(map(is_secret_file, ["env.py", "reward.py", "tokens.py", "monkey.yaml"]))


def test_only_added_lines_of_a_patch_are_masked():
    patch = f"-old = '{TOKEN}'\n+new = '{TOKEN}'\n".encode()
    assert mask_added_lines(patch) == f"-old = '{TOKEN}'\n+new = '{MASK}'\n".encode()
