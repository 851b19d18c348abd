"""Rollout options: honoured, or refused all at once."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from harness.backend.generation.options import cache_bytes, cpu_threads, resolve_options
from harness.errors import ConfigurationError


def rollout(**changes):
    """The attributes of verl's RolloutConfig that matter here, with its defaults where they are allowed."""
    values = {
        "dtype": "bfloat16",
        "load_format": "dummy",
        "max_num_seqs": 1024,
        "max_num_batched_tokens": 8192,
        "engine_kwargs": {},
        "seed": 42,
        "prompt_length": 512,
        "response_length": 256,
        "max_model_len": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": -1,
        "ignore_eos": False,
        "tensor_model_parallel_size": 1,
        "data_parallel_size": 1,
        "pipeline_model_parallel_size": 1,
        "repetition_penalty": 1.0,
        "quantization": None,
        "prometheus": SimpleNamespace(enable=False),
        "profiler": None,
        "qat": None,
    }
    return SimpleNamespace(**values | changes)


def model(**changes):
    return SimpleNamespace(**{"lora_rank": 0, "lora": {}} | changes)


def test_verls_defaults_are_taken_over():
    options = resolve_options(rollout(), model(), 2048)
    assert (options.dtype, options.load_checkpoint, options.max_batch_size, options.seed) == (
        "bfloat16",
        False,
        1024,
        42,
    )
    assert options.sampling.max_model_len == 2048
    assert cache_bytes(options) == 4 << 30


def test_what_is_set_is_honoured():
    changes = {
        "load_format": "auto",
        "max_model_len": 100,
        "engine_kwargs": {"builtin": {"kv_cache_gb": 0.5}},
        "top_k": 7,
    }
    options = resolve_options(rollout(**changes), model(lora_rank=8, lora={"merge": True}), 2048)
    assert options.load_checkpoint
    assert (options.sampling.max_model_len, options.sampling.top_k) == (100, 7)
    assert cache_bytes(options) == 1 << 29


def test_everything_that_cannot_be_honoured_is_named_at_once():
    changes = {
        "tensor_model_parallel_size": 2,
        "dtype": "int8",
        "load_format": "gguf",
        "quantization": "fp8",
        "prometheus": SimpleNamespace(enable=True),
        "qat": {"enable": True},
        "max_model_len": 4096,
        "max_num_seqs": 0,
        "repetition_penalty": 1.1,
        "engine_kwargs": {"builtin": {"kv_cache_gb": -1, "block_size": 16}},
    }
    with pytest.raises(ConfigurationError) as caught:
        resolve_options(rollout(**changes), model(lora_rank=8), 2048)
    for part in (
        "rollout.tensor_model_parallel_size=2: only 1 is supported",
        "rollout.dtype='int8': one of float32, bfloat16, float16",
        "rollout.load_format='gguf'",
        "rollout.quantization='fp8'",
        "rollout.prometheus.enable=True",
        "rollout.qat.enable=True",
        "rollout.max_model_len=4096: the model allows 2048",
        "rollout.max_num_seqs=0",
        "rollout.repetition_penalty=1.1",
        "unknown block_size",
        "kv_cache_gb=-1",
        "model.lora.merge=False",
        "rollout=vllm",
    ):
        assert part in str(caught.value)


def test_threads(monkeypatch):
    monkeypatch.delenv("HARNESS_CPU_THREADS", raising=False)
    assert cpu_threads() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("HARNESS_CPU_THREADS", "3")
    assert cpu_threads() == 3
    monkeypatch.setenv("HARNESS_CPU_THREADS", "all")
    with pytest.raises(ConfigurationError, match="HARNESS_CPU_THREADS='all'"):
        cpu_threads()
