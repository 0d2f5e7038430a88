"""What comes of each attack of the hostile mirrors' suite: `python -m benchmarks.hostile [--markdown [zh]] [--sdks]`.

Each attack is met by the mirror alone and before a good one, in every protocol that it is an attack on. The result is
taken from what is on disk afterwards, the text from the error. With `--sdks` the same attacks are met by the installed
SDKs in processes of their own, and only counted: how many were refused, taken, or held the call up.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.fakehub.repo import HubName
from tests.hostile.arena import (
    Chained,
    Outcome,
    alone,
    before_good,
    environment,
    face,
    giving_for_official,
    plant,
    scene,
    seen,
)
from tests.hostile.attack import FILES, ID, Attack
from tests.hostile.bodies import BODIES
from tests.hostile.listings import LISTINGS
from tests.hostile.redirects import REDIRECTS
from tests.hostile.wire import WIRE
from tests.hostile.words import WORDS

Language = Literal["en", "zh"]
PARTS: Mapping[str, tuple[str, str, Sequence[Attack]]] = {
    "listings": ("What a repository holds", "仓库清单", LISTINGS),
    "bodies": ("The bytes of a file", "文件字节", BODIES),
    "redirects": ("Where it would lead us", "重定向", REDIRECTS),
    "wire": ("No HTTP, or too much of it", "协议本身", WIRE),
    "words": ("Lies that fit together", "自洽的谎言", WORDS),
}
RESULTS = {
    "en": {"refused": "refused", "right": "right files", "its word": "its word, and said so", "wrong": "WRONG"},
    "zh": {"refused": "拒绝", "right": "文件正确", "its word": "采信并注明来源", "wrong": "错误"},
}
HEADS = {
    "en": ("attack", "alone", "before a good mirror", "what is said of the mirror"),
    "zh": ("攻击", "只有它", "后面有好镜像", "对该镜像的说明"),
}
LIMIT_S = 30
_VARYING = {
    r"localhost:\d+": "mirror.test",
    r"[\d,]+ are free": "... are free",
    r"/\S*?/root": "~",
    r"stream \d+": "stream",
    r"\[HTTP2\] \[\d+\]": "HTTP/2:",
    r" \(x\d+\)$": "",
}
"""What differs from run to run, and what stands for it."""


@dataclass(frozen=True)
class Row:
    """What came of one attack, in all protocols.

    Attributes:
        name: The attack.
        alone: What came of it where nobody else could be asked.
        beside: What came of it before a good mirror.
        text: What the error said of the mirror.
    """

    name: str
    alone: str
    beside: str
    text: str


def rows_of(attacks: Iterable[Attack]) -> Iterator[Row]:
    """Meet attacks one by one."""
    for attack in attacks:
        first = {hub: met(attack, hub, alone) for hub in attack.hubs}
        # A lie that fits together is told from the truth by the hub's word alone.
        chained = giving_for_official if attack.alone == "its word" else before_good
        second = [met(attack, hub, chained) for hub in attack.hubs]
        said = next((line for one in first.values() if (line := line_of(one))), "")
        yield Row(attack.name, together(attack, first.values()), together(attack, second), said)


def met(attack: Attack, hub: HubName, chained: Chained) -> Outcome:
    """Meet one attack among files of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        with scene(root):
            return face(attack, hub, root, chained)


def together(attack: Attack, outcomes: Iterable[Outcome]) -> str:
    """What came of an attack on every hub; the worst of it."""
    results = {result_of(attack, one) for one in outcomes}
    return next(name for name in ("wrong", "its word", "right", "refused") if name in results)


def result_of(attack: Attack, outcome: Outcome) -> str:
    """What came of it, as the disk says."""
    if outcome.touched or outcome.seconds > attack.limit_s:
        return "wrong"
    if outcome.snapshot is None:
        return "refused" if not outcome.published else "wrong"
    if outcome.files == FILES:
        return "right"
    voucher = outcome.snapshot.vouched_by
    return "its word" if attack.alone == "its word" and voucher.name == outcome.mirror else "wrong"


def line_of(outcome: Outcome) -> str:
    """The line of the error that says what is wrong with the mirror, without what differs from run to run."""
    if outcome.snapshot is not None:
        voucher = outcome.snapshot.vouched_by
        return f"vouched for by {voucher.kind} https://mirror.test" if outcome.files != FILES else ""
    lines = [line.strip() for line in str(outcome.error).splitlines()]
    told = [line for line in lines if outcome.mirror in line and not line.endswith(": ok")]
    text = told[-1] if told else lines[0]
    for varying, word in _VARYING.items():
        text = re.sub(varying, word, text)
    return text if len(text) <= 160 else text[:157] + "..."


def table(rows: Iterable[Row], language: Language) -> Iterator[str]:
    """Write rows as a table in Markdown."""
    yield "| " + " | ".join(HEADS[language]) + " |"
    yield "|---" * 4 + "|"
    names = RESULTS[language]
    for row in rows:
        text = row.text.replace("|", "\\|")
        yield f"| {row.name} | {names[row.alone]} | {names[row.beside]} | {f'`{text}`' if text else ''} |"


CALLS = {
    "modelscope": "from modelscope import snapshot_download; print(snapshot_download('{id}'))",
    "huggingface": "from huggingface_hub import snapshot_download; print(snapshot_download('{id}'))",
}


def counted(hub: HubName) -> collections.Counter[str]:
    """Let an SDK meet every attack on its protocol, and count what came of it."""
    attacks = [one for _, _, part in PARTS.values() for one in part if hub in one.hubs]
    with ThreadPoolExecutor(2) as pool:
        return collections.Counter(pool.map(lambda attack: by_sdk(attack, hub), attacks))


def by_sdk(attack: Attack, hub: HubName) -> str:
    """What came of an attack on an SDK, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, attack.bring(hub) as bad:
        root = Path(folder) / "root"
        plant(root)
        before = seen(root)
        command = [sys.executable, "-c", CALLS[hub].format(id=ID)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
                env=_environment(root, bad.url),
                cwd=root,
            )
        except subprocess.TimeoutExpired:
            return "held up"
        after = seen(root)
        if any(after.get(name) != facts for name, facts in before.items() if name.endswith(("txt", "keys", "bin"))):
            return "wrote elsewhere"
        if done.returncode != 0:
            return "refused"
        path = Path(done.stdout.splitlines()[-1])
        files = {name: (path / name).read_bytes() for name in FILES if (path / name).is_file()}
        return "right files" if files == FILES else "taken"


def _environment(root: Path, url: str) -> dict[str, str]:
    own = environment(root)
    authorities = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), own["SSL_CERT_FILE"])
    return {
        **os.environ,
        **own,
        **authorities,
        "MODELSCOPE_ENDPOINT": url,
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_XET": "1",
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings belong to the attacks, not to the table."""
    import logging

    logging.getLogger("mirrorhub").setLevel(logging.ERROR)
    logging.getLogger("mirrorhub").propagate = False
    yield


def main() -> None:
    """Print the tables, or the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", nargs="?", const="en", choices=["en", "zh"], help="as the page in docs/results")
    parser.add_argument("--sdks", action="store_true", help="count what comes of the attacks on the installed SDKs")
    options = parser.parse_args()
    language: Language = options.markdown or "en"
    if options.sdks:
        for hub in CALLS:
            print(hub, dict(counted(hub)))  # type: ignore[arg-type]
        return
    total: collections.Counter[str] = collections.Counter()
    pages: list[str] = []
    with quiet():
        for english, chinese, attacks in PARTS.values():
            rows = list(rows_of(attacks))
            total.update(row.alone for row in rows)
            total.update(f"then {row.beside}" for row in rows)
            pages += ["", f"## {chinese if language == 'zh' else english}", "", *table(rows, language)]
    print("\n".join([*introduction(total, language), *pages]))


def introduction(total: Mapping[str, int], language: Language) -> list[str]:
    """What the page is, and the counts."""
    alone, beside = total["refused"], total["then right"]
    count = sum(number for name, number in total.items() if not name.startswith("then"))
    if language == "zh":
        return [
            "# 恶意镜像",
            "",
            "[English](hostile.md)",
            "",
            f"共 {count} 种攻击，每种都在它所针对的协议上试两次：只有这个镜像，以及它后面还有一个好镜像。",
            f"单独时拒绝 {alone} 种，{total['right']} 种不起作用，{total['its word']} 种采信并在结果里注明是谁说的；"
            f"有好镜像时 {beside} 种得到正确的文件。仓库自己的目录以外没有一个文件被改动。",
            "自洽的谎言只有靠别的来源才能识破：官方站（该表倒数第二列即是）、锁文件或内置摘要（见[以谁为准](../explanation/trust.zh-CN.md)）。",
            "",
            "本页由 `python -m benchmarks.hostile --markdown zh` 生成。",
        ]
    return [
        "# Hostile mirrors",
        "",
        "[中文](hostile.zh-CN.md)",
        "",
        f"{count} attacks, each met twice in every protocol that it is an attack on:",
        "by the mirror alone, and by the mirror before a good one.",
        f"Alone, {alone} were refused, {total['right']} had no effect, and {total['its word']} were taken at the",
        f"mirror's word, which the result says; before a good mirror {beside} ended in the right files.",
        "Nothing outside of the repository's own folder was touched.",
        "Lies that fit together can be told only by somebody else's word: the hub's (last column but one), a lock",
        "file's, or that of digests that are built in",
        "(see [Who is believed](../explanation/trust.md)).",
        "",
        "This page is made by `python -m benchmarks.hostile --markdown`.",
    ]


if __name__ == "__main__":
    main()
