#!/usr/bin/env python3
"""Serve a process reward model for ``reward_manager=sql_process_model``, with Reward-SQL's published interface.

    python experiments/reward_sql/serve_reward_model.py MODEL_FOLDER --port 5050

``POST /compute_score {"input": TEXT}`` answers ``{"score": [σ, …]}``: at each step tag, the probability of the good
token against the bad one. The model is a causal language model that was trained to say so (theirs with the tag `` и``
and the tokens ``+`` and ``-``); texts are scored one after another.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

HERE = Path(__file__).resolve().parent
PATH = "/compute_score"


class RewardModel:
    """A causal language model that judges steps.

    Args:
        path: A Hugging Face folder or hub name.
        tag: What ends a step, one token.
        good, bad: The tokens between which it chooses there.
        device: Where it computes; an accelerator if there is one.
    """

    def __init__(
        self, path: str, tag: str = " и", good: str = " +", bad: str = " -", device: str | None = None
    ) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        self.tag, *self.candidates = (self._token(text) for text in (tag, good, bad))
        dtype = torch.bfloat16 if self.device != "cpu" else torch.float32
        self.model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype).to(self.device).eval()
        self.lock = Lock()

    def score(self, text: str) -> list[float]:
        """The probability of the good token at each step tag, in their order."""
        import torch

        ids = torch.tensor([self.tokenizer.encode(text)], device=self.device)
        with self.lock, torch.inference_mode():
            logits_TV = self.model(ids).logits[0]
            logits_S2 = logits_TV[ids[0] == self.tag][:, self.candidates]  # of the S tags alone: V is large
        return logits_S2.float().softmax(dim=-1)[:, 0].tolist()

    def _token(self, text: str) -> int:
        from harness.errors import ConfigurationError

        ids = self.tokenizer.encode(text, add_special_tokens=False)
        if len(ids) != 1:
            raise ConfigurationError(
                f"{text!r} is {len(ids)} tokens for this model, and one is needed.",
                "Name what it was trained with: --tag, --good and --bad, with the space before it.",
            )
        return int(ids[0])


def server(model: RewardModel, host: str, port: int) -> ThreadingHTTPServer:
    """An HTTP server that is ready to serve; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.path != PATH:
                return self._answer(404, {"error": f"there is {PATH} alone"})
            try:
                text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
            except (KeyError, TypeError, ValueError):
                return self._answer(400, {"error": 'the body must be JSON with "input"'})
            return self._answer(200, {"score": model.score(str(text))})

        def _answer(self, code: int, body: dict[str, Any]) -> None:
            found = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_: Any) -> None:
            """Nothing: a line for every response would bury all else."""

    return ThreadingHTTPServer((host, port), Handler)


def main(words: Sequence[str] | None = None) -> int:
    """Serve until it is interrupted."""
    if Path(sys.path[0] or ".").resolve() == HERE:
        sys.path[0] = str(HERE.parents[1])  # run as a script: its own folder is no place to import from
    found = argparse.ArgumentParser(description="Serve a process reward model.", allow_abbrev=False)
    found.add_argument("model", help="a Hugging Face folder or hub name")
    found.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for other machines")
    found.add_argument("--port", type=int, default=5050)
    for name, default in (("tag", " и"), ("good", " +"), ("bad", " -")):
        found.add_argument(f"--{name}", default=default)
    flags = found.parse_args(words)
    from harness.errors import HarnessError

    try:
        model = RewardModel(flags.model, flags.tag, flags.good, flags.bad)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    with server(model, flags.host, flags.port) as http:
        print(f"serving {flags.model} at http://{flags.host}:{http.server_port}{PATH}", flush=True)
        try:
            http.serve_forever()
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
