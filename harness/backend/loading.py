"""verl's loading of the data, with what goes wrong in it in the user's terms."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sized
from typing import Any

from harness.check.data_files import require_data
from harness.errors import ConfigurationError

TOO_FEW = (
    "Raise data.max_prompt_length, or give more data. The log has the errors of prompts that the chat template "
    "does not take: they count as too long."
)


@contextlib.contextmanager
def loading_explained(trainer: Any) -> Iterator[None]:
    """Say which file or key is to blame where the body, verl's ``_init_dataloader``, fails or leaves too few prompts.

    Args:
        trainer: verl's; it gets its data sets in the body.

    Raises:
        ConfigurationError: Of data that cannot be read, or of which nothing is left.
    """
    try:
        yield
    except Exception:
        require_data(trainer.config, whole=True)  # verl's own error names no file
        _require_prompts(trainer)
        raise
    _require_prompts(trainer)


def _require_prompts(trainer: Any) -> None:
    data = trainer.config.data
    for key, dataset in (("data.train_files", "train_dataset"), ("data.val_files", "val_dataset")):
        prompts: Sized | None = getattr(trainer, dataset, None)
        if prompts is not None and not len(prompts):
            raise ConfigurationError(
                f"{key}: no prompt of it is left that has at most data.max_prompt_length={data.max_prompt_length} "
                "tokens.",
                TOO_FEW,
            )
    batches: Sized | None = getattr(trainer, "train_dataloader", None)
    if batches is not None and not len(batches) and not trainer.config.trainer.val_only:
        raise ConfigurationError(
            f"data.train_files: {len(trainer.train_dataset)} of its prompts have at most "
            f"data.max_prompt_length={data.max_prompt_length} tokens, fewer than "
            f"data.train_batch_size={data.train_batch_size}.",
            TOO_FEW,
        )
