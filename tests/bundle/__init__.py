"""The offline kit: made, attacked on its way, and installed."""

from __future__ import annotations

from tests.fakehub.repo import sample_bytes

FILES = {"config.json": b"{}", "sub/x.txt": b"x", "same.txt": b"x", "model.bin": sample_bytes("model", 100_000)}
