"""The generation engine: a running batch that rows join and leave between decoding steps.

Pure PyTorch and transformers; it knows neither verl nor Ray nor asyncio, and belongs to one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from harness.backend.generation.attention import BatchAttention, DecodeAttention, PrefillAttention
from harness.backend.generation.cache import KVCache
from harness.backend.generation.limits import EngineLimits, check_request
from harness.backend.generation.prefill import PrefillPlan, plan_prefill
from harness.backend.generation.requests import GenerationOutput, GenerationRequest
from harness.backend.generation.rows import RowState
from harness.backend.generation.sampling import sample_tokens

# Batches shrink in steps of this many rows: moving rows costs something, and so does every new shape.
_ROW_STEP = 8


class GenerationEngine:
    """Generates responses for token prompts.

    Which rows share a batch depends only on the order of `submit` calls between steps, and a row's noise only on its
    own seed, so the same calls give the same bits.

    Args:
        model: A causal language model from `harness.backend.generation.model`.
        eos_token_ids: Tokens that end a response unless a request ignores them; one id, several or none.
        limits: How much it takes on at once.
        vocab_size: Ids from here on are never sampled (a model's embedding may be larger than its tokenizer).
    """

    def __init__(
        self,
        model: Any,
        eos_token_ids: int | Iterable[int] | None,
        limits: EngineLimits | None = None,
        vocab_size: int | None = None,
    ) -> None:
        self.limits = limits or EngineLimits()
        self._model = model
        config = model.config.get_text_config()
        self._eos = _ids(eos_token_ids)
        self._vocab_size = min(vocab_size or config.vocab_size, config.vocab_size)
        self._embeddings = config.vocab_size
        self._max_length = self.limits.max_sequence_length or config.max_position_embeddings
        self._device = model.device
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._cache = KVCache(config.num_hidden_layers, heads, head_dim, model.dtype, self._device)
        self._next_ticket = 0
        self.reset()

    @property
    def busy(self) -> bool:
        """Whether a row is running or waiting."""
        return bool(self._tickets or self._waiting)

    @torch.inference_mode()
    def reset(self) -> None:
        """Forgets every row, running or waiting."""
        self._rows = RowState(self._device)
        self._tickets: dict[int, int] = {}  # slot → ticket
        self._waiting: deque[tuple[int, GenerationRequest]] = deque()
        self._used = 0  # slots from 0 that a decoding step computes
        self._row_tokens = 0  # tokens a slot must have room for, while something is running

    @torch.inference_mode()
    def release_cache(self) -> None:
        """Gives the KV cache's memory back. Nothing may be running."""
        self._cache.release()

    def submit(self, request: GenerationRequest) -> int:
        """Queues a request.

        Returns:
            The ticket under which `step` returns its output.

        Raises:
            ConfigurationError: It can never run: too long, or a token that the model does not have.
        """
        self.check(request)
        ticket = self._next_ticket
        self._next_ticket += 1
        self._waiting.append((ticket, request))
        return ticket

    def check(self, request: GenerationRequest) -> None:
        """Raises ConfigurationError where a request can never run; see `submit`."""
        needed = self._cache.bytes_for(len(request.prompt_ids) + request.max_tokens)
        check_request(request, self._max_length, self._embeddings, self.limits.cache_bytes, needed)

    @torch.inference_mode()
    def step(self) -> list[tuple[int, GenerationOutput]]:
        """Admits what fits, decodes one token of every row, and returns what is complete, by ticket."""
        finished = self._admit()
        if self._tickets:
            rows = self._used
            state = self._rows
            lengths = state.length[:rows].clone()
            attention = DecodeAttention(self._cache, lengths, state.width(rows) + 1, state.slots[:rows])
            logits = self._logits(state.token[:rows, None], lengths[:, None], attention)[:, -1]
            state.advance(rows)
            finished += self._sample(state.slots[:rows], logits)
        self._compact()
        return finished

    def generate_batch(
        self, requests: Sequence[GenerationRequest], aborted: Callable[[], bool] = lambda: False
    ) -> list[GenerationOutput]:
        """Generates one response a request, in their order; the batches formed depend on that order alone.

        Args:
            requests: What to generate.
            aborted: Asked between steps; once true, every output is what there is so far.

        Raises:
            RuntimeError: Something else is running.
        """
        if self._tickets or self._waiting:
            raise RuntimeError("generate_batch needs an idle engine")
        for request in requests:
            self.check(request)
        outputs: dict[int, GenerationOutput] = {}
        try:
            tickets = [self.submit(request) for request in requests]
            while self.busy:
                outputs.update(self.abort() if aborted() else self.step())
        finally:
            if self.busy:  # it failed half-way
                self.reset()
        return [outputs[ticket] for ticket in tickets]

    @torch.inference_mode()
    def abort(self) -> list[tuple[int, GenerationOutput]]:
        """Ends every row, running or waiting, with the tokens it has so far."""
        finished = self._take(sorted(self._tickets), aborted=True)
        for ticket, request in self._waiting:
            finished.append((ticket, GenerationOutput([], [] if request.logprobs else None, "aborted")))
        self._waiting.clear()
        self._used = 0
        return finished

    def _admit(self) -> list[tuple[int, GenerationOutput]]:
        """Prefills waiting requests once there is room for enough of them to make the forward pass worth it."""
        finished: list[tuple[int, GenerationOutput]] = []
        while self._waiting:
            room = self._room()
            free = room - len(self._tickets)
            if self._tickets and free < min(len(self._waiting), max(1, room // _ROW_STEP)):
                break
            finished += self._prefill(self._next_prompts(free))
        return finished

    def _room(self) -> int:
        """Most rows that may run together now: the memory of the KV cache is rows × the longest row."""
        longest = max(len(request.prompt_ids) + request.max_tokens for _, request in self._waiting)
        self._row_tokens = max(longest, self._row_tokens if self._tickets else 0)
        return min(self.limits.max_batch_size, self.limits.cache_bytes // self._cache.bytes_for(self._row_tokens))

    def _next_prompts(self, rows: int) -> list[tuple[int, GenerationRequest]]:
        """The next waiting requests, at most this many and within the token budget of a prefill."""
        chosen: list[tuple[int, GenerationRequest]] = []
        seen: set[tuple[int, ...]] = set()
        tokens = 0
        while self._waiting and len(chosen) < rows:
            prompt = tuple(self._waiting[0][1].prompt_ids)
            if prompt not in seen:
                tokens += len(prompt)
                seen.add(prompt)
            if chosen and tokens > self.limits.max_prefill_tokens:
                break
            chosen.append(self._waiting.popleft())
        return chosen

    def _prefill(self, batch: list[tuple[int, GenerationRequest]]) -> list[tuple[int, GenerationOutput]]:
        """Computes the prompts' keys and values and samples each row's first token."""
        requests = [request for _, request in batch]
        plan = plan_prefill([request.prompt_ids for request in requests])
        slots = self._free_slots(len(batch))
        self._cache.reserve(self._used, self._row_tokens, self.limits.cache_bytes)
        self._rows.reserve(self._used, 1, 1)
        first_slot = [slots[plan.row_prompt.index(prompt)] for prompt in range(len(plan.lengths))]
        logits = self._prefill_logits(plan, first_slot)
        # The other responses of a prompt start from the same keys and values.
        copies = [(first_slot[prompt], slot) for prompt, slot in zip(plan.row_prompt, slots, strict=True)]
        copies = [(source, target) for source, target in copies if source != target]
        self._cache.copy([source for source, _ in copies], [target for _, target in copies], max(plan.lengths))
        self._rows.assign(slots, requests, [self._stops(request) for request in requests])
        self._tickets.update(zip(slots, (ticket for ticket, _ in batch), strict=True))
        index = torch.tensor(slots, device=self._device)
        return self._sample(index, logits[torch.tensor(plan.row_prompt, device=self._device)])

    def _prefill_logits(self, plan: PrefillPlan, slots: list[int]) -> torch.Tensor:
        """(U, V) logits after each different prompt."""
        ids = torch.tensor([plan.input_ids], device=self._device)
        positions = torch.tensor([plan.positions], device=self._device)
        last = torch.tensor(plan.last, device=self._device)
        return self._logits(ids, positions, PrefillAttention(plan, self._cache, slots), last)[0]

    def _logits(
        self, ids: torch.Tensor, positions: torch.Tensor, attention: BatchAttention, keep: int | torch.Tensor = 0
    ) -> torch.Tensor:
        output = self._model(
            input_ids=ids, position_ids=positions, use_cache=False, logits_to_keep=keep, batch_attention=attention
        )
        return output.logits[..., : self._vocab_size]

    def _free_slots(self, count: int) -> list[int]:
        free = [slot for slot in range(self._used) if slot not in self._tickets][:count]
        free.extend(range(self._used, self._used + count - len(free)))
        self._used = max(self._used, free[-1] + 1)
        return free

    def _stops(self, request: GenerationRequest) -> tuple[int, ...]:
        return request.stop_token_ids if request.ignore_eos else (*self._eos, *request.stop_token_ids)

    def _sample(self, index: torch.Tensor, logits: torch.Tensor) -> list[tuple[int, GenerationOutput]]:
        tokens, log_probs = sample_tokens(logits, self._rows.parameters(index))
        return self._take(self._rows.record(index, tokens, log_probs), aborted=False)

    def _take(self, slots: list[int], aborted: bool) -> list[tuple[int, GenerationOutput]]:
        """Removes rows from the batch and returns their outputs."""
        if not slots:
            return []
        finished = []
        for slot, (request, tokens, log_probs, stopped) in zip(slots, self._rows.results(slots), strict=True):
            reason = "aborted" if aborted else "stop" if stopped else "length"
            output = GenerationOutput(tokens, log_probs if request.logprobs else None, reason)
            finished.append((self._tickets.pop(slot), output))
        self._rows.clear(slots)
        return finished

    def _compact(self) -> None:
        """Moves rows to the front once that makes the batch smaller, unless waiting requests are to fill the gaps."""
        target = _rounded_rows(len(self._tickets))
        if self._waiting or target >= self._used:
            return
        sources = [slot for slot in self._tickets if slot >= target]
        targets = [slot for slot in range(target) if slot not in self._tickets][: len(sources)]
        if sources:
            self._cache.copy(sources, targets, self._rows.width(self._used))
            self._rows.move(sources, targets)
            for source, slot in zip(sources, targets, strict=True):
                self._tickets[slot] = self._tickets.pop(source)
        self._used = target


def _ids(token_ids: int | Iterable[int] | None) -> tuple[int, ...]:
    if token_ids is None:
        return ()
    return (token_ids,) if isinstance(token_ids, int) else tuple(token_ids)


def _rounded_rows(rows: int) -> int:
    """Next batch size: powers of two up to 4, then multiples of `_ROW_STEP`."""
    if rows <= 2:
        return rows
    return 4 if rows <= 4 else -(-rows // _ROW_STEP) * _ROW_STEP
