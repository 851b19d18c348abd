"""A tiny causal language model, made and warm-started on the spot, that is partly right on its task.

It is a Llama of about a hundred thousand parameters over single bytes. The warm start is supervised learning on
training rows of a reasoning-gym data set: first it learns the task, then the habit of repeating the question instead of
answering it, until right answers are as rare as asked for. Reinforcement learning has a habit to break, so it rises
within tens of steps whatever the seed, and then the rest of the task to learn, so that it does not saturate at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    Batch = tuple[torch.Tensor, torch.Tensor]

PAD, EOS, SYSTEM, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
SPECIAL = (PAD, EOS, SYSTEM, USER, ASSISTANT)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
IGNORED = -100  # the label that the loss of transformers leaves out
RAMP_STEPS = 50
PROBE_ROWS = 256
SPOIL_STEPS = 200


def make_tiny_model(
    path: Path,
    *,
    seed: int,
    tasks: Mapping[str, Mapping[str, Any]],
    validation_size: int,
    data_seed: int = 0,
    system: str | None = None,
    prompt: str = "{question}",
    mastery: float = 0.6,
    accuracy: float = 0.45,
    rows: int = 2048,
    max_steps: int = 1000,
    batch_size: int = 128,
    lr: float = 5e-3,
    hidden_size: int = 64,
    layers: int = 2,
    heads: int = 2,
    kv_heads: int = 1,
) -> None:
    """Write a warm-started model as a Hugging Face folder: config, weights, tokenizer with its chat template.

    Args:
        path: Empty folder to fill.
        seed: Of the weights and of the order of the warm start.
        tasks: The data set's tasks, as in ``harness.data.reasoning_gym.make_reasoning_gym``.
        validation_size: Its held-out rows, which the warm start does not see.
        data_seed: Its seed.
        system: Its system message.
        prompt: Its prompt.
        mastery: Mean probability of the right answer at which the task counts as learned. What is missing to 1 is left
            for reinforcement learning to learn after the habit is broken, and that is slower.
        accuracy: Share of rows whose most likely answer is right that the habit leaves at most: what greedy validation
            scores. Sampling at temperature 1 then scores about half of it.
        rows: Rows of the warm start.
        max_steps: Optimiser steps in which the task must be learned.
        batch_size: Rows a step.
        lr: Learning rate, reached after `RAMP_STEPS` steps.
        hidden_size: Width of the model; ``hidden_size / heads`` is its head size (vLLM serves 32 and 64).
        layers: Number of its layers.
        heads: Number of its attention heads.
        kv_heads: Number of its key and value heads.

    Raises:
        HarnessError: The task was not learned within ``max_steps``, or the habit does not form.
    """
    import torch

    from harness.data.reasoning_gym import reasoning_gym_rows

    sizes = {"validation": validation_size, "train": rows}
    train = reasoning_gym_rows(tasks, sizes, seed=data_seed, system=system, prompt=prompt)["train"]
    tokenizer = byte_tokenizer()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on the number of threads, and one is as fast for a model of this size
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _llama(len(tokenizer), hidden_size, layers, heads, kv_heads)
            answers = [row["reward_model"]["ground_truth"] for row in train]
            questions = [row["prompt"][-1]["content"] for row in train]
            right, habit = _encode(tokenizer, train, answers), _encode(tokenizer, train, questions)
            _learn(model, right, mastery, max_steps, batch_size, lr)
            _spoil(model, right, habit, accuracy, batch_size, lr / 10)
    finally:
        torch.set_num_threads(threads)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with one token a byte and one a special token, so that any text can be encoded."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=USER,
        eos_token=EOS,
        additional_special_tokens=[SYSTEM, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _llama(vocabulary: int, hidden_size: int, layers: int, heads: int, kv_heads: int) -> LlamaForCausalLM:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden_size,
        intermediate_size=3 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=SPECIAL.index(PAD),
        bos_token_id=SPECIAL.index(USER),
        eos_token_id=SPECIAL.index(EOS),
    )
    return LlamaForCausalLM(config)


def _encode(tokenizer: PreTrainedTokenizerFast, rows: list[dict[str, Any]], answers: list[str]) -> Batch:
    """Token ids and labels of prompts and answers, both (rows, longest); only answers are learned."""
    import torch

    ids, labels = [], []
    for row, answer in zip(rows, answers, strict=True):
        text = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False)
        prompt = tokenizer.encode(text, add_special_tokens=False)
        response = [*tokenizer.encode(answer, add_special_tokens=False), tokenizer.eos_token_id]
        ids.append(torch.tensor(prompt + response))
        labels.append(torch.tensor([IGNORED] * len(prompt) + response))
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(ids, True, tokenizer.pad_token_id), pad(labels, True, IGNORED)


def _learn(model: LlamaForCausalLM, right: Batch, mastery: float, max_steps: int, batch_size: int, lr: float) -> None:
    """Supervised learning until the model has mastered the answers."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / RAMP_STEPS, 1.0, total_iters=RAMP_STEPS)
    reached = 0.0
    for step in range(1, max_steps + 1):
        chosen = torch.randint(len(right[0]), (batch_size,))
        _step(model, optimizer, *(part[chosen] for part in right))
        schedule.step()
        if step % 10 == 0:
            reached = _probability(model, right)
            if reached >= mastery:
                return
    raise HarnessError(
        f"The tiny model did not learn its task in prepare.model.max_steps={max_steps} steps: the right answers have a "
        f"probability of {reached:.2f}, and prepare.model.mastery={mastery} is needed.",
        "Raise prepare.model.max_steps or hidden_size, or choose an easier task.",
    )


def _spoil(model: LlamaForCausalLM, right: Batch, habit: Batch, accuracy: float, batch_size: int, lr: float) -> None:
    """Supervised learning on mostly wrong answers until a share of at most ``accuracy`` of the likeliest ones is right.

    The share decides and not the right answers' probability: at one probability shares of 0.3 to 0.7 have been seen.
    """
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    kept = round(0.6 * accuracy * batch_size)  # few enough for the habit to win, many enough to go on knowing the task
    for _ in range(SPOIL_STEPS):
        chosen = torch.randint(len(right[0]), (batch_size,))
        mixed = (torch.cat([good[chosen[:kept]], bad[chosen[kept:]]]) for good, bad in zip(right, habit, strict=True))
        _step(model, optimizer, *mixed)
        if _likeliest(model, right) <= accuracy:
            return
    raise HarnessError(
        f"The tiny model did not fall to prepare.model.accuracy={accuracy} in {SPOIL_STEPS} steps.",
        "Set prepare.model.accuracy between 0.1 and prepare.model.mastery, or another prepare.model.seed.",
    )


def _step(
    model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, ids_BT: torch.Tensor, labels_BT: torch.Tensor
) -> None:
    import torch

    model(input_ids=ids_BT, labels=labels_BT).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def _probability(model: LlamaForCausalLM, rows: Batch) -> float:
    """Mean over the first rows of the probability that sampling at temperature 1 gives exactly the row's answer."""
    import torch

    logits_NTV, labels_NT = _probe(model, rows)
    losses_NT = torch.nn.functional.cross_entropy(
        logits_NTV.transpose(1, 2), labels_NT, ignore_index=IGNORED, reduction="none"
    )
    return losses_NT.sum(dim=1).neg().exp().mean().item()


def _likeliest(model: LlamaForCausalLM, rows: Batch) -> float:
    """Share of the first rows whose answer the model gives where each token is the most likely one."""
    logits_NTV, labels_NT = _probe(model, rows)
    right_NT = (logits_NTV.argmax(dim=-1) == labels_NT) | (labels_NT == IGNORED)
    return right_NT.all(dim=1).float().mean().item()


def _probe(model: LlamaForCausalLM, rows: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The first rows' logits, each position's beside the label of the next."""
    import torch

    ids_NT, labels_NT = (part[:PROBE_ROWS] for part in rows)
    with torch.no_grad():
        return model(input_ids=ids_NT).logits[:, :-1], labels_NT[:, 1:]
