"""The language model as the engine runs it: cached attention, fast linear layers, weights that can be replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from accelerate import init_empty_weights
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from harness.backend.generation.attention import ATTENTION_NAME
from harness.backend.generation.linear import OneDNNLinear, use_onednn
from harness.errors import ConfigurationError


class GenerationModel:
    """A causal language model without weights, or with a checkpoint's, ready for `GenerationEngine`.

    Args:
        config: The Hugging Face configuration; it is copied.
        dtype: Of weights and computation.
        device: Where it runs.
        checkpoint: Folder to load weights from; None leaves them unset until `replace` and `weights_changed`.
        trust_remote_code: Whether the folder's own code may be run.

    Raises:
        ConfigurationError: The architecture does not let its attention be chosen.
    """

    def __init__(
        self,
        config: PreTrainedConfig,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
        checkpoint: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self.device = torch.device(device)
        config = copy.deepcopy(config)
        config._attn_implementation = ATTENTION_NAME
        options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": trust_remote_code}
        if checkpoint is None:
            # Without this a model is filled with random numbers that the first weight transfer overwrites.
            with init_empty_weights(include_buffers=False):
                module = AutoModelForCausalLM.from_config(config, **options)
            module.tie_weights()  # being emptied has untied them
        else:
            module = AutoModelForCausalLM.from_pretrained(checkpoint, config=config, **options)
        if not getattr(module, "_supports_attention_backend", False):
            raise ConfigurationError(
                f"{type(module).__name__} does not let its attention be replaced, which the builtin generation server "
                "needs",
                "choose rollout=vllm for this model",
            )
        self.module: PreTrainedModel = module.eval().requires_grad_(False)
        self._packed: list[OneDNNLinear] = []
        if checkpoint is not None:
            self.module.to(self.device)
            self.weights_changed()

    def named_weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Every parameter and persistent buffer under its Hugging Face name, tied ones once."""
        yield from self.module.named_parameters()
        persistent = self.module.state_dict().keys()
        for name, buffer in self.module.named_buffers():
            if name in persistent:
                yield name, buffer

    def tied_names(self) -> dict[str, str]:
        """Other names of weights that `named_weights` gives once: {"lm_head.weight": "model.embed_tokens.weight"}."""
        own = dict(self.named_weights())
        if not self.module.config.get_text_config().tie_word_embeddings:
            return {}
        return {
            alias: name for alias, name in self.module.all_tied_weights_keys.items() if name in own and alias != name
        }

    def replace(self, weights: dict[str, torch.Tensor]) -> None:
        """Makes these tensors the model's weights, without copying; names as in `named_weights`."""
        for name, tensor in weights.items():
            owner_name, _, leaf = name.rpartition(".")
            owner = self.module.get_submodule(owner_name)
            if leaf in owner._parameters:
                owner._parameters[leaf] = torch.nn.Parameter(tensor, requires_grad=False)
            else:
                owner._buffers[leaf] = tensor
        self.module.tie_weights()

    def weights_changed(self) -> None:
        """Must follow every change of the weights' values: the linear layers keep a copy in their own layout."""
        if not self._packed:
            self._packed = use_onednn(self.module)
        for layer in self._packed:
            layer.pack()
