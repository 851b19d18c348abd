"""From a batch's row to what a reward manager sees."""

from __future__ import annotations

from harness.backend.rewards import sample_for_a_batch, sample_from_row

ROW = {
    "raw_prompt": [{"role": "system", "content": "Spell."}, {"role": "user", "content": "a b"}],
    "data_source": "letters",
    "reward_model": {"ground_truth": "ab", "style": "rule"},
    "extra_info": {"index": 4},
    "level": 3,
    "uid": "1-000000002",
    "__num_turns__": 2,
    "extra_fields": {"global_steps": 1},
    "session_id": 5,
}


def test_a_whole_batch_gets_every_column_and_the_tokens() -> None:
    single, sample = sample_from_row(ROW, "ab", 3), sample_for_a_batch(ROW, "ab", [1, 2], [3, 4, 5])
    assert (sample.input_text, sample.ground_truth, sample.uid) == ("Spell.\na b", "ab", "1-000000002")
    assert (sample.prompt_ids, sample.response_ids, sample.response_length) == ((1, 2), (3, 4, 5), 3)
    assert sample.columns == {name: ROW[name] for name in ROW if name not in ("extra_fields", "session_id")}
    assert (single.columns, single.prompt_ids) == ({}, ())
    assert single.extra_info == sample.extra_info == {"index": 4, "num_turns": 2}
