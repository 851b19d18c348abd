"""A small model for text-to-SQL, made and warm-started on the spot, that is right some of the time.

    prepare.model: {_target_: experiments.reward_sql.model.make_sql_model, path: ${made:model}}

It is a Llama of one million parameters. The warm start is supervised learning on the generator's training questions,
with chains of CTEs as answers; held-out templates and databases are not in it. Names of tables, columns and categories
are changed for others at random in a part of the rows, so that the model begins to take them from the prompt. It stops
early, when about two fifths of the answers about held-out templates are right, and hardly any about databases that it
has never seen. Then comes a bad habit: chains that end a step short, until most of the right answers are gone. Rewards
have that habit to break, which helps with every template, and then the rest to learn.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.reward_sql.data.generated import generated_rows
from experiments.reward_sql.data.length import length_of
from experiments.reward_sql.data.prompt import PromptForm
from experiments.reward_sql.data.schemas import names
from experiments.reward_sql.tokenizer import sql_tokenizer, symbols
from harness.errors import HarnessError

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    Rows = list[tuple["torch.Tensor", int]]  # token ids of a prompt and its answer, and the length of the prompt

VERSION = 2  # of what the modules used here make; the cache knows them by this number
GLUE = 700  # tokens for what is no name
TOKENIZER_ROWS = 4000
RAMP_STEPS = 50
PROBE_ROWS = 128
PROBE_EVERY = 20
SPOIL_STEPS = 100
STEP = ",\n\n"  # between the steps of the data's chains
IGNORED = -100  # the label that the loss of transformers leaves out


def make_sql_model(
    path: Path,
    *,
    seed: int,
    data_seed: int = 0,
    system: str | None = None,
    prompt: str = "{schema}\n{question}",
    style: str = "compact",
    difficulties: Mapping[str, bool] | None = None,
    rows: int = 20_000,
    steps: int = 2400,
    mastery: float = 0.3,
    accuracy: float = 0.2,
    batch_size: int = 32,
    lr: float = 3e-3,
    renamed: float = 0.4,
    hidden_size: int = 128,
    layers: int = 4,
) -> None:
    """Write a warm-started model as a Hugging Face folder: config, weights, tokenizer with its chat template.

    Args:
        path: Empty folder to fill.
        seed: Of the weights and of the order of the warm start.
        data_seed: The data set's seed.
        system: Its system message.
        prompt: Its prompt.
        style: How it writes schemas.
        difficulties: The difficulties it asks; the warm start is on these.
        rows: Questions of the warm start, the data set's first ones.
        steps: Optimiser steps at most; the learning rate falls to a tenth over them.
        mastery: Mean probability of exactly the chain in the data, on training questions, at which the warm start ends.
        accuracy: Share of training questions whose most likely answer is exactly the chain in the data, which the habit
            of ending a step short leaves at most.
        batch_size: Rows a step.
        lr: Learning rate, reached after `RAMP_STEPS` steps.
        renamed: Share of the rows with other names.
        hidden_size: Width of the model, in heads of 32.
        layers: Number of its layers.

    Raises:
        HarnessError: ``mastery`` was not reached, or the habit does not form.
    """
    import torch

    form = PromptForm(system, prompt, style, 4096, length_of(None))
    with tempfile.TemporaryDirectory() as folder:
        train = generated_rows(Path(folder) / "databases", {"train": rows}, form, data_seed, difficulties)["train"]
    tokenizer = _tokenizer(train)
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on the number of threads
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _llama(tokenizer, hidden_size, layers)
            encoded = _encode(tokenizer, train)
            renamer = Renamer(tokenizer, renamed)
            _learn(model, encoded, renamer, steps, mastery, batch_size, lr)
            short = _encode(tokenizer, train, a_step_short)
            _spoil(model, encoded, short, accuracy, batch_size, lr / 10)
    finally:
        torch.set_num_threads(before)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def _tokenizer(train: list[dict[str, Any]]) -> PreTrainedTokenizerFast:
    some = train[:TOKENIZER_ROWS]
    prompts = [message["content"] for row in some for message in row["prompt"]]
    return sql_tokenizer([*prompts, *(row["extra_info"]["solution"] for row in some)], GLUE)


def _llama(tokenizer: PreTrainedTokenizerFast, hidden_size: int, layers: int) -> LlamaForCausalLM:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=3 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=hidden_size // 32,
        num_key_value_heads=hidden_size // 32,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def a_step_short(chain: str) -> str:
    """The chain without its last step, so that it gives the rows of the one before; a single step stays."""
    *steps, last = chain.split(STEP)
    return f"{STEP.join(steps)} SELECT * FROM c{len(steps)};" if steps else last


def _encode(
    tokenizer: PreTrainedTokenizerFast, train: list[dict[str, Any]], change: Callable[[str], str] = str
) -> Rows:
    import torch

    found = []
    for row in train:
        text = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
        prompt = tokenizer.encode(text, add_special_tokens=False)
        answer = tokenizer.encode(change(row["extra_info"]["solution"]), add_special_tokens=False)
        found.append((torch.tensor([*prompt, *answer, tokenizer.eos_token_id]), len(prompt)))
    return found


class Renamer:
    """Changes the names in some rows for others, the same name for the same one within a row.

    Args:
        tokenizer: One of `sql_tokenizer`.
        share: Share of the rows.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, share: float) -> None:
        import torch

        ids = tokenizer.convert_tokens_to_ids(symbols())
        count = len(names())
        self.groups = [torch.tensor(ids[:count]), torch.tensor(ids[count:])]  # names, categories
        self.size = len(tokenizer)
        self.share = share

    def __call__(self, ids_T: torch.Tensor) -> torch.Tensor:
        """A row's tokens with other names, or as they are."""
        import torch

        if torch.rand(()).item() >= self.share:
            return ids_T
        table_V = torch.arange(self.size)
        for group in self.groups:
            table_V[group] = group[torch.randperm(len(group))]
        return table_V[ids_T]


def _learn(
    model: LlamaForCausalLM, rows: Rows, renamer: Renamer, steps: int, mastery: float, batch_size: int, lr: float
) -> None:
    """Supervised learning until the answers are probable enough."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / RAMP_STEPS, max(0.1, 1 - step / steps))
    )
    reached = 0.0
    for step in range(1, steps + 1):
        chosen = torch.randint(len(rows), (batch_size,)).tolist()
        ids_BT, _ = _batch([(renamer(rows[i][0]), rows[i][1]) for i in chosen], model.config.pad_token_id)
        mask_BT = ids_BT != model.config.pad_token_id
        # prompts are learned as well: taking names from what stands before begins with the names in a question
        labels_BT = ids_BT.where(mask_BT, IGNORED)
        model(input_ids=ids_BT, attention_mask=mask_BT.long(), labels=labels_BT).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % PROBE_EVERY == 0:
            reached = _probability(model, rows[:PROBE_ROWS])
            if reached >= mastery:
                return
    raise HarnessError(
        f"The model did not learn text-to-SQL in prepare.model.steps={steps} steps: the chains in the data have a "
        f"probability of {reached:.2f}, and prepare.model.mastery={mastery} is needed.",
        "Raise prepare.model.steps, or lower prepare.model.mastery.",
    )


def _spoil(model: LlamaForCausalLM, right: Rows, short: Rows, accuracy: float, batch_size: int, lr: float) -> None:
    """Supervised learning on mostly chains that end a step short, until few of the likeliest answers are right."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    kept = batch_size // 4  # few enough for the habit to win, many enough to go on knowing the rest
    for _ in range(SPOIL_STEPS):
        chosen = torch.randint(len(right), (batch_size,)).tolist()
        rows = [right[i] for i in chosen[:kept]] + [short[i] for i in chosen[kept:]]
        ids_BT, labels_BT = _batch(rows, model.config.pad_token_id)
        mask_BT = ids_BT != model.config.pad_token_id
        model(input_ids=ids_BT, attention_mask=mask_BT.long(), labels=labels_BT).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if _likeliest(model, right[:PROBE_ROWS]) <= accuracy:
            return
    raise HarnessError(
        f"The model did not fall to prepare.model.accuracy={accuracy} in {SPOIL_STEPS} steps.",
        "Raise prepare.model.accuracy.",
    )


def _batch(rows: Rows, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels of the answers, both (rows, longest)."""
    import torch

    labels = []
    for ids_T, prompt in rows:
        labels_T = ids_T.clone()
        labels_T[:prompt] = IGNORED
        labels.append(labels_T)
    padded = torch.nn.utils.rnn.pad_sequence
    return padded([ids_T for ids_T, _ in rows], True, pad), padded(labels, True, IGNORED)


def _probability(model: LlamaForCausalLM, rows: Rows) -> float:
    """Mean over rows of the probability that sampling at temperature 1 gives exactly the row's answer."""
    import torch

    logits_NTV, labels_NT = _probe(model, rows)
    losses_NT = torch.nn.functional.cross_entropy(
        logits_NTV.transpose(1, 2), labels_NT, ignore_index=IGNORED, reduction="none"
    )
    return losses_NT.sum(dim=1).neg().exp().mean().item()


def _likeliest(model: LlamaForCausalLM, rows: Rows) -> float:
    """Share of rows whose answer the model gives where each token is the most likely one."""
    logits_NTV, labels_NT = _probe(model, rows)
    return ((logits_NTV.argmax(dim=-1) == labels_NT) | (labels_NT == IGNORED)).all(dim=1).float().mean().item()


def _probe(model: LlamaForCausalLM, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows' logits, each position's beside the label of the next."""
    import torch

    ids_NT, labels_NT = _batch(rows, model.config.pad_token_id)
    mask_NT = ids_NT != model.config.pad_token_id
    with torch.no_grad():
        return model(input_ids=ids_NT, attention_mask=mask_NT.long()).logits[:, :-1], labels_NT[:, 1:]
