"""Files are replaced whole or not at all."""

from __future__ import annotations

import json
import os
import stat

import pytest
import yaml
from omegaconf import OmegaConf

from harness.records.atomic import BLOCK_BYTES, write_json, write_over, write_text, write_yaml


def test_text_is_replaced_and_no_temporary_file_stays(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    write_text(path, "new\n")
    assert path.read_text() == "new\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_the_old_content_and_no_rubbish(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text()) == {"x": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_rename_leaves_no_rubbish(tmp_path):
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_text(target, "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_the_umask_decides_who_may_read(tmp_path):
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_yaml_takes_plain_values_and_omegaconf(tmp_path):
    value = {"z": 1, "a": [1e-6, "x"]}
    write_yaml(tmp_path / "plain.yaml", value)
    write_yaml(tmp_path / "node.yaml", OmegaConf.create(value))
    assert yaml.safe_load((tmp_path / "plain.yaml").read_text()) == value
    assert list(OmegaConf.load(tmp_path / "node.yaml")) == ["z", "a"]


def test_a_lone_surrogate_is_written_as_its_escape(tmp_path):
    write_text(tmp_path / "a", "x\ud800y")
    assert (tmp_path / "a").read_bytes() == b"x\\ud800y"


@pytest.mark.parametrize("new", ['{"x": 2}', json.dumps({"x": 2, "why": "y" * 1000})])
def test_a_file_is_written_over_where_it_lies(tmp_path, new):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1, "more": "z" * 100})
    inode = path.stat().st_ino
    write_over(path, new)
    assert json.loads(path.read_text()) == json.loads(new)
    assert path.stat().st_ino == inode


def test_what_takes_another_block_is_not_written_over(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})
    with pytest.raises(OSError, match="No space left"):
        write_over(path, " " * (BLOCK_BYTES + 1))
    assert json.loads(path.read_text()) == {"x": 1}
