"""The data sets made here, read by verl's own data set class."""

from __future__ import annotations

from pathlib import Path

from omegaconf import OmegaConf
from verl.utils.dataset.rl_dataset import RLHFDataset

from harness.data.reasoning_gym import make_reasoning_gym
from harness.models.tiny import byte_tokenizer


def test_verl_reads_every_row_and_keeps_what_the_reward_needs(tmp_path: Path) -> None:
    tasks = {"chain_sum": {"max_terms": 2}, "spell_backward": {}}
    make_reasoning_gym(tmp_path, tasks=tasks, train_size=20, validation_size=6)
    config = OmegaConf.create(
        {"max_prompt_length": 128, "cache_dir": str(tmp_path), "filter_overlong_prompts_workers": 1}
    )

    for split, size in (("train", 20), ("validation", 6)):
        dataset = RLHFDataset(str(tmp_path / f"{split}.parquet"), byte_tokenizer(), config)

        assert len(dataset) == size
        for index in range(size):
            item = dataset[index]
            assert item["raw_prompt"][-1]["role"] == "user"
            assert item["reward_model"]["ground_truth"]
            assert item["extra_info"]["split"] == split
            assert item["extra_info"]["reasoning_gym"].startswith("{")
        assert {dataset[index]["data_source"] for index in range(size)} == set(tasks)
