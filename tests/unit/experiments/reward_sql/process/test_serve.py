"""The reward model's server: a small model made on the spot, asked over HTTP by the scorer that training uses."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from experiments.reward_sql.execution import Result
from experiments.reward_sql.process.model import StepModel
from experiments.reward_sql.serve_reward_model import RewardModel, main, server
from experiments.reward_sql.sql.chain import steps_of
from harness.errors import ConfigurationError

WORDS = ["?", "и", "+", "-", "WITH", "a", "AS", "(", "SELECT", "1", ")", "*", "FROM", "question", "<", ">", "result"]
SQL = "WITH a AS (SELECT 1) SELECT * FROM a"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="?").save_pretrained(path)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), initializer_range=1.0, **shape)).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    http = server(RewardModel(str(folder), device="cpu"), "127.0.0.1", 0)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}/compute_score"
    http.shutdown()
    thread.join()
    http.server_close()


def test_the_scorer_gets_the_models_probabilities(folder: Path, url: str) -> None:
    steps = steps_of(SQL)
    results = [Result(("1",), ((1,),), "", "ok", 0.0)] * len(steps)
    scorer = StepModel(url)
    found = scorer.score("question", SQL, steps, results, "")
    model, tokenizer = LlamaForCausalLM.from_pretrained(folder), PreTrainedTokenizerFast.from_pretrained(folder)
    ids = tokenizer.encode("question" + scorer.text(SQL, steps, results))
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0]
    wanted = [
        torch.sigmoid(logits[place, 2] - logits[place, 3]).item() for place, token in enumerate(ids) if token == 1
    ]
    assert len(found) == len(steps) == 2
    assert found == pytest.approx(wanted, abs=1e-5)
    assert abs(found[0] - found[1]) > 1e-4


@pytest.mark.parametrize(("path", "body", "code"), [("/compute_score", b"[]", 400), ("/score", b'{"input": ""}', 404)])
def test_what_it_does_not_understand(url: str, path: str, body: bytes, code: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url.replace("/compute_score", path), body, timeout=10)
    with caught.value as error:
        assert error.code == code


def test_a_tag_of_several_tokens_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="'a 1' is 2 tokens"):
        RewardModel(str(folder), tag="a 1")
    assert main([str(folder), "--good", "a a"]) == 2
    assert "--tag, --good and --bad" in capsys.readouterr().err
