"""W&B's own client says whether it has a key: of its server, wherever the client looks for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.tracking.key import missing_key

KEY, OWN = "0123456789abcdef0123456789abcdef01234567", "https://wandb.lab.example:8443"
NONE = "this machine has no key for W&B"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without any file of W&B's, and a machine without its variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_CONFIG_DIR", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def netrc(home: Path, machine: str) -> None:
    (home / ".netrc").write_text(f"machine {machine}\n  login user\n  password {KEY}\n")
    (home / ".netrc").chmod(0o600)


def settings(home: Path, **values: str) -> None:
    folder = home / ".config" / "wandb"
    folder.mkdir(parents=True)
    lines = [f"{name} = {value}" for name, value in values.items()]
    (folder / "settings").write_text("\n".join(["[default]", *lines, ""]))


def test_no_key(home: Path) -> None:
    assert missing_key() == NONE


def test_a_key_in_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert missing_key() == ""
    monkeypatch.setenv("WANDB_API_KEY", "short")
    assert missing_key() == "WANDB_API_KEY invalid: API key must have 40+ characters, has 5"


def test_a_netrc_entry_counts_for_its_own_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", OWN)
    netrc(home, "api.wandb.ai")
    assert missing_key() == f"{NONE} at {OWN}", "a key of another server's"
    netrc(home, "wandb.lab.example:8443")
    assert missing_key() == ""
    monkeypatch.delenv("WANDB_BASE_URL")
    assert missing_key() == NONE


def test_the_clients_own_settings_count(home: Path) -> None:
    settings(home, base_url=OWN)
    assert missing_key() == f"{NONE} at {OWN}"
    netrc(home, "wandb.lab.example:8443")
    assert missing_key() == ""
    (home / ".netrc").unlink()
    (home / ".config/wandb/settings").write_text(f"[default]\nbase_url = {OWN}\napi_key = {KEY}\n")
    assert missing_key() == ""


def test_a_server_that_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "nowhere")
    assert missing_key().startswith("W&B's client refuses its settings: ")
    assert "'nowhere'" in missing_key()
