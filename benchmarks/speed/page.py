"""Write the results page, in both languages, and its plots from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.speed.results import Told, goal_table, scenario_table, table

FIGURES: Mapping[str, Sequence[str]] = {
    "far": ("far", "far-redirected", "far-many", "far-many-redirected"),
    "lossy-and-near": ("lossy", "near", "near-many"),
    "loopback": ("loopback", "huge", "tiny"),
    "trouble": ("crawling", "dead", "cold-hanging", "cold-lossy"),
    "article": ("article", "article-full"),
}
COLOURS = {"mirrorhub": "#0b7285", "load_vad": "#0b7285", "again": "#0b7285", "huggingface_hub": "#e8a33d"}
COLOURS |= {"modelscope": "#7b61c9"}
OTHERS = "#868e96"
BAR_INCHES = 0.28


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says in one language."""

    suffix: str
    other: str
    opening: str
    goals: str
    article: str
    measured: str
    article_rows: Sequence[str]
    article_head: Sequence[str]


ENGLISH = Words(
    suffix="",
    other="[中文](speed.zh-CN.md)",
    opening="""# Speed, compared

Every client brings the same files from the same nginx over the same line, turn and turn about, each run in a process of
its own with an empty cache. What counts is the whole process, from its start until everything is there.
`(hf)` speaks the Hugging Face protocol and is compared with huggingface_hub, `(ms)` ModelScope's, with modelscope.
mirrorhub compares every byte with its digest; huggingface_hub, curl and aria2c do not.
The bound is what nobody can beat who starts cold: bytes / bandwidth, and four round trips.
A failure is a run that ended without the files, or not in time.
Where a goal was missed, [decision 6](../decisions/0007-speed.md) says why.""",
    goals="Goals",
    article="The article's table",
    measured="Measured",
    article_rows=("default", "mirror endpoint", "mirror and cache", "all"),
    article_head=("", "the article, s", "modelscope here, s", "mirrorhub here, s", "to the first result, s"),
)
CHINESE = Words(
    suffix=".zh-CN",
    other="[English](speed.md)",
    opening="""# 速度对比

每个客户端都从同一个 nginx、经同一条线路取同样的文件，轮流进行；每次运行都是独立的进程，缓存为空。
计时从进程启动开始，到全部文件就绪为止。
`(hf)` 走 Hugging Face 协议，与 huggingface_hub 比较；`(ms)` 走 ModelScope 协议，与 modelscope 比较。
mirrorhub 逐字节校验摘要；huggingface_hub、curl、aria2c 不校验。
bound（下限）是冷启动时谁也无法突破的时间：字节数 / 带宽，加四次往返。
failure（失败）指没有取到文件，或超过时限。
没有达到的目标，原因见[决策 6](../decisions/0007-speed.md)。""",
    goals="目标",
    article="文章中的表",
    measured="测量结果",
    article_rows=("默认", "镜像端点", "镜像 + 缓存", "全部"),
    article_head=("", "文章，秒", "此处 modelscope，秒", "此处 mirrorhub，秒", "到首个结果，秒"),
)
ARTICLE_S = (327, 68, 42, 36)
_THEIRS = ("official alone", "near mirror", "official, warm cache", "near mirror, warm cache")
_OURS = ("official alone", "official and near mirror", "official, warm cache", "official and near mirror, warm cache")


def write_page(told: Told, folder: Path) -> None:
    """Write `speed.md`, `speed.zh-CN.md` and the plots that they show."""
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = {one["name"]: one for one in told["scenarios"]}
    shown = {}
    for figure, names in FIGURES.items():
        if there := [scenarios[name] for name in names if name in scenarios]:
            shown[figure] = there
            plot(there, folder / f"speed-{figure}.svg")
    for words in (ENGLISH, CHINESE):
        (folder / f"speed{words.suffix}.md").write_text(_page(told, shown, scenarios, words), encoding="utf-8")


def plot(scenarios: Sequence[Told], place: Path) -> None:
    """Draw a row of bars for each client: the median, every run as a dot, the bound as a line."""
    matplotlib.rcParams.update({"svg.hashsalt": "mirrorhub", "font.size": 9, "svg.fonttype": "none"})
    heights = [len(one["rows"]) * BAR_INCHES + 0.75 for one in scenarios]
    figure, axes = pyplot.subplots(
        len(scenarios), figsize=(9, sum(heights)), height_ratios=heights, squeeze=False, layout="constrained"
    )
    for axis, one in zip(axes[:, 0], scenarios, strict=True):
        _draw(axis, one)
    figure.savefig(place, metadata={"Date": None}, facecolor="white")
    pyplot.close(figure)


def _draw(axis: Axes, one: Told) -> None:
    labels = list(one["rows"])
    for at, (label, row) in enumerate(one["rows"].items()):
        colour = next((colour for name, colour in COLOURS.items() if label.startswith(name)), OTHERS)
        median = row["medians"].get("seconds")
        if median is None:
            axis.text(0, at, f" failed {row['failures']} of {row['runs']}", va="center", color="#c92a2a")
            continue
        axis.barh(at, median, height=0.66, color=colour, alpha=0.75)
        axis.plot(row["every_s"], [at] * len(row["every_s"]), "o", markersize=2.5, color="#212529")
        failed = f", failed {row['failures']} of {row['runs']}" if row["failures"] else ""
        axis.text(row["most_s"], at, f"  {median:.2f} s{failed}", va="center")
    if one["bound_s"]:
        axis.axvline(one["bound_s"], color="#c92a2a", linewidth=1, linestyle="--", label="bound")
    lines = "; ".join(f"{server}: {line}" for server, line in one["lines"].items()) or "loopback"
    axis.set_title(f"{one['title']} ({lines})", loc="left", fontsize=9, fontweight="bold", wrap=True)
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set_xlim(0, axis.get_xlim()[1] * 1.15)
    axis.spines[["top", "right"]].set_visible(False)


def _page(told: Told, shown: Mapping[str, Sequence[Told]], scenarios: Mapping[str, Told], words: Words) -> str:
    parts = [words.opening.replace("\n", f"\n\n{words.other}\n", 1), f"## {words.goals}", goal_table(told)]
    for name in ("article", "article-full"):
        if name in scenarios:
            parts += [f"## {words.article}: {scenarios[name]['size'] / 1e6:.1f} MB", _article(scenarios[name], words)]
    parts.append(f"## {words.measured}")
    for figure, there in shown.items():
        parts += [f"![{figure}](speed-{figure}.svg)", *(scenario_table(one).strip() for one in there)]
    parts += [scenario_table(one).strip() for name, one in scenarios.items() if name == "on-disk"]
    facts = {"when": told["when"], "machine": told["machine"], "lines": told["lines"]}
    rows = [[name, str(value)] for name, value in (facts | told["settings"] | told["versions"]).items()]
    parts += [table(["", ""], rows), "```bash\npython -m benchmarks.speed --json speed.json --page docs/results\n```"]
    return "\n\n".join(parts) + "\n"


def _article(one: Told, words: Words) -> str:
    rows = []
    for name, article_s, theirs, ours in zip(words.article_rows, ARTICLE_S, _THEIRS, _OURS, strict=True):
        their = one["rows"][f"modelscope, {theirs}"]["medians"]
        own = one["rows"][f"load_vad, {ours}"]["medians"]
        heard = f"{their.get('heard_s', float('nan')):.1f} / {own.get('heard_s', float('nan')):.1f}"
        cells = [f"{figures.get('seconds', float('nan')):.1f}" for figures in (their, own)]
        rows.append([name, str(article_s), *cells, heard])
    return table(words.article_head, rows)
