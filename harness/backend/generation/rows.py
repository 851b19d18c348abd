"""What is known about each row of the running batch, as tensors, so that a decoding step has no loop over rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from harness.backend.generation.requests import GenerationRequest
from harness.backend.generation.sampling import SamplingParameters, uniform_noise

# No token has this id: pads the lists of stop tokens.
_NO_TOKEN = -1


class RowState:
    """State of the slots; a slot without a row has ``active`` 0 and is carried along unharmed.

    Attributes:
        token: (S,) last sampled token, the next decoding step's input.
        length: (S,) tokens in the KV cache.
        count: (S,) tokens sampled so far.
        active: (S,) 1 where the slot has a row, else 0.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._columns: dict[str, torch.Tensor] = {}
        self._host_length = np.zeros(0, dtype=np.int64)
        self._host_active = np.zeros(0, dtype=np.int64)
        self._requests: list[GenerationRequest | None] = []
        for name in ("token", "length", "count", "active", "limit", "top_k"):
            self._columns[name] = torch.zeros(0, dtype=torch.int64, device=device)
        for name in ("temperature", "top_p"):
            self._columns[name] = torch.zeros(0, dtype=torch.float32, device=device)
        self._columns["stops"] = torch.zeros(0, 0, dtype=torch.int64, device=device)
        self._columns["tokens"] = torch.zeros(0, 0, dtype=torch.int64, device=device)
        self._columns["noise"] = torch.zeros(0, 0, dtype=torch.float32, device=device)
        self._columns["log_probs"] = torch.zeros(0, 0, dtype=torch.float32, device=device)
        self.slots = torch.arange(0, device=device)
        self._refresh_flags()

    def __getattr__(self, name: str) -> torch.Tensor:
        try:
            return self.__dict__["_columns"][name]
        except KeyError:
            raise AttributeError(name) from None

    def width(self, rows: int) -> int:
        """Largest number of cached tokens among the first ``rows`` slots."""
        return int(self._host_length[:rows].max(initial=0))

    def reserve(self, slots: int, new_tokens: int, stops: int) -> None:
        """Grows to at least this many slots, sampled tokens and stop tokens a row."""
        for name, column in self._columns.items():
            shape = [max(slots, column.shape[0])]
            if column.dim() == 2:
                shape.append(max(stops if name == "stops" else new_tokens, column.shape[1]))
            if shape == list(column.shape):
                continue
            grown = column.new_full(shape, _NO_TOKEN if name == "stops" else 0)
            grown[tuple(slice(0, size) for size in column.shape)] = column
            self._columns[name] = grown
        if slots > len(self._requests):
            self._requests.extend([None] * (slots - len(self._requests)))
            self._host_length = np.pad(self._host_length, (0, slots - len(self._host_length)))
            self._host_active = np.pad(self._host_active, (0, slots - len(self._host_active)))
            self.slots = torch.arange(slots, device=self._device)

    def assign(self, slots: list[int], requests: Sequence[GenerationRequest], stops: Sequence[Sequence[int]]) -> None:
        """Puts requests whose prompts are cached into slots.

        Args:
            slots: Where they go.
            requests: One a slot.
            stops: Every token that ends each request's response.
        """
        self.reserve(0, max(request.max_tokens for request in requests), max(map(len, stops)))
        index = torch.tensor(slots, device=self._device)
        values = {
            "length": [len(request.prompt_ids) for request in requests],
            "limit": [request.max_tokens for request in requests],
            "top_k": [request.top_k for request in requests],
            "temperature": [request.temperature for request in requests],
            "top_p": [request.top_p for request in requests],
            "stops": [[*stop, *[_NO_TOKEN] * (self.stops.shape[1] - len(stop))] for stop in stops],
        }
        for name, column in values.items():
            self._columns[name][index] = torch.tensor(column, dtype=self._columns[name].dtype, device=self._device)
        noise = uniform_noise([request.seed for request in requests], self.noise.shape[1])
        self.noise[index] = noise.to(self._device)
        self.count[index] = 0
        self.active[index] = 1
        for slot, request in zip(slots, requests, strict=True):
            self._requests[slot] = request
            self._host_length[slot] = len(request.prompt_ids)
            self._host_active[slot] = 1
        self._refresh_flags()

    def move(self, sources: list[int], targets: list[int]) -> None:
        """Moves rows to empty slots."""
        source, target = torch.tensor(sources, device=self._device), torch.tensor(targets, device=self._device)
        for column in self._columns.values():
            column[target] = column[source]
        for old, new in zip(sources, targets, strict=True):
            self._requests[new] = self._requests[old]
            self._host_length[new] = self._host_length[old]
            self._host_active[new] = 1
        self.clear(sources)

    def clear(self, slots: list[int]) -> None:
        """Empties slots. Their length becomes 0, so that they widen no attention."""
        index = torch.tensor(slots, dtype=torch.int64, device=self._device)
        for name in ("length", "count", "active"):
            self._columns[name][index] = 0
        for slot in slots:
            self._requests[slot] = None
            self._host_length[slot] = 0
            self._host_active[slot] = 0
        self._refresh_flags()

    def _refresh_flags(self) -> None:
        requests = [request for request in self._requests if request is not None]
        self._any_greedy = any(request.temperature == 0 for request in requests)
        self._any_sampled = any(request.temperature > 0 for request in requests)
        self._any_filtered = any(request.top_k > 0 or request.top_p < 1 for request in requests)

    def parameters(self, index: torch.Tensor) -> SamplingParameters:
        """Sampling parameters of these slots, with the noise of their next token."""
        return SamplingParameters(
            temperature=self.temperature[index],
            top_k=self.top_k[index],
            top_p=self.top_p[index],
            noise=self.noise[index, self.count[index]],
            any_greedy=self._any_greedy,
            any_sampled=self._any_sampled,
            any_filtered=self._any_filtered,
        )

    def advance(self, rows: int) -> None:
        """Notes that a decoding step has cached one more token in each of the first ``rows`` slots that has a row."""
        self.length[:rows] += self.active[:rows]
        self._host_length[:rows] += self._host_active[:rows]

    def record(self, index: torch.Tensor, tokens: torch.Tensor, log_probs: torch.Tensor) -> list[int]:
        """Stores a sampled token a slot.

        Returns:
            The slots whose response is complete.
        """
        count, active = self.count[index], self.active[index]
        self.tokens[index, count] = tokens
        self.log_probs[index, count] = log_probs
        self.token[index] = tokens
        count += active
        self.count[index] = count
        done = ((tokens[:, None] == self.stops[index]).any(-1) | (count >= self.limit[index])) & (active > 0)
        return index[done].tolist() if bool(done.any()) else []

    def results(self, slots: list[int]) -> list[tuple[GenerationRequest, list[int], list[float], bool]]:
        """Request, sampled tokens, their log-probs and whether a stop token ended it, for each of these slots."""
        index = torch.tensor(slots, dtype=torch.int64, device=self._device)
        counts = self.count[index].tolist()
        longest = max(counts, default=0)
        tokens, log_probs = self.tokens[index, :longest].tolist(), self.log_probs[index, :longest].tolist()
        stopped = (self.token[index][:, None] == self.stops[index]).any(-1).tolist()
        return [
            (self._requests[slot], tokens[row][:count], log_probs[row][:count], stopped[row])
            for row, (slot, count) in enumerate(zip(slots, counts, strict=True))
        ]
