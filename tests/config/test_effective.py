"""What a reload may change, and what only a restart does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clawatch.config.effective import keep_fixed, reloadable
from clawatch.config.loading import load


def loaded(home: Path, text: str) -> Any:
    (home / "config.yaml").write_text(text)
    return load(home / "config.yaml", environ={"HOME": str(home)}).config


def test_a_reload_takes_rules_over_but_neither_addresses_nor_the_store(tmp_path: Path) -> None:
    old = loaded(tmp_path, "server: {port: 1}\ndata_dir: /old")
    new = loaded(tmp_path, "server: {port: 2}\ndata_dir: /new\nstorage: {use: memory}\nredact: [ACME]")
    assert reloadable(old, new) == ["server", "data_dir", "storage"]
    kept = keep_fixed(old, new)
    assert (kept.server, kept.data_dir, kept.storage) == (old.server, old.data_dir, old.storage)
    assert kept.redact == new.redact
    assert reloadable(kept, new) == ["server", "data_dir", "storage"]
