"""Write the results page, in both languages, and its plots from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.speed.results import Report, goal_table, scenario_table, table

FIGURES: Mapping[str, Sequence[str]] = {
    "far": ("far", "far-redirected", "far-many", "far-many-redirected"),
    "lossy-and-near": ("lossy", "near", "near-many"),
    "loopback": ("loopback", "huge", "tiny"),
    "trouble": ("crawling", "dead", "cold-hanging", "cold-lossy"),
    "article": ("article", "article-full"),
}
COLOURS = {"mirrorhub": "#0b7285", "load_vad": "#0b7285", "huggingface_hub": "#e8a33d"}
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
    about_article: str
    measured: str
    rows: Sequence[str]
    head: Sequence[str]


ENGLISH = Words(
    suffix="",
    other="[中文](speed.zh-CN.md)",
    opening="""# Speed, compared

Every client brings the same files from the same nginx over the same line, turn and turn about, each run in a process of
its own with an empty cache. What counts is the time from the start of the process until everything is there.
`(hf)` speaks the Hugging Face protocol and is compared with huggingface_hub, `(ms)` ModelScope's, with modelscope.
mirrorhub and modelscope compare every byte with its digest; huggingface_hub, curl and aria2c do not.
curl and aria2c are given the addresses and ask for no listing: curl over one HTTP/2 connection, aria2c over up to 64 of
HTTP/1.1. mirrorhub has as many as it decides on, 16 at most to begin with.
The bound is what nobody can beat who starts cold, asks for a listing and brings everything: bytes / bandwidth, and four
round trips. Medians and spread are of the runs that did not fail; a failure is a run that ended without the files, or
not in time.
Where a goal was missed, [decision 7](../decisions/0007-speed.md) says why.""",
    goals="Goals",
    article="The article's table",
    about_article="""The project grew out of an article on the first start of FSMN-VAD (28 MB of small files, 300 ms
away); its figures stand beside ours. The thin line here, 0.7 Mbit/s, was chosen so that the whole repository takes as
long as there: what is compared is what each client makes of it. Seconds are from the start of a process to a detector
that is ready; behind the slash, to the segments of a recording of two minutes. modelscope brings the whole repository,
and so does mirrorhub in the column of that name; `load_vad` brings the four files that the detector reads (1.7 MB). The
detector is mirrorhub's in all columns. With a mirror, mirrorhub's chain is the thin official hub first and the mirror
after it. The article's third row is a mirror and a cache directory of its own; here it is the official hub with a warm
cache.""",
    measured="Measured",
    rows=("the official hub alone", "a near mirror", "a warm cache", "mirror and warm cache"),
    head=("", "the article", "modelscope", "mirrorhub, whole repository", "mirrorhub, load_vad"),
)
CHINESE = Words(
    suffix=".zh-CN",
    other="[English](speed.md)",
    opening="""# 速度对比

每个客户端都从同一个 nginx、经同一条线路取同样的文件，轮流进行；每次运行都是独立的进程，缓存为空。
计时从进程启动开始，到全部文件就绪为止。表中文字为英文。
`(hf)` 走 Hugging Face 协议，与 huggingface_hub 比较；`(ms)` 走 ModelScope 协议，与 modelscope 比较。
mirrorhub 和 modelscope 逐字节校验摘要；huggingface_hub、curl、aria2c 不校验。
curl 和 aria2c 直接得到地址，不取文件列表：curl 用一个 HTTP/2 连接，aria2c 用最多 64 个 HTTP/1.1 连接。
mirrorhub 的连接数由它自己决定，开始时最多 16 个。
bound（下限）是冷启动、要取列表、要取全部文件时谁也无法突破的时间：字节数 / 带宽，加四次往返。
中位数和范围只统计没有失败的运行；failure（失败）指没有取到文件，或超过时限。
没有达到的目标，原因见[决策 7](../decisions/0007-speed.md)（英文）。""",
    goals="目标",
    article="文章中的表",
    about_article="""本项目源于一篇讲 FSMN-VAD 首次启动的文章（28 MB，许多小文件，往返 300 毫秒），其数字列在旁边。
这里的细线路 0.7 Mbit/s 是特意选的，使整个仓库的下载时间与文章相同：要比较的是各客户端在同样条件下的表现。
数字为从进程启动到检测器可用的秒数；斜线后为到两分钟录音的语音片段为止。
modelscope 下载整个仓库，“mirrorhub，整个仓库”一列也是；
`load_vad` 只取检测器要读的四个文件（1.7 MB）。各列用的都是 mirrorhub 的检测器。
有镜像时，mirrorhub 的端点链是：先细线路上的官方站点，后镜像。
文章的第三行是镜像加自己的缓存目录；这里是官方站点加已有的缓存。""",
    measured="测量结果",
    rows=("只有官方站点", "近处的镜像", "已有缓存", "镜像和已有缓存"),
    head=("", "文章", "modelscope", "mirrorhub，整个仓库", "mirrorhub，load_vad"),
)
ARTICLE_S = (327, 68, 42, 36)
_THEIRS = ("official alone", "near mirror", "official, warm cache", "near mirror, warm cache")
_OURS = ("official alone", "official and near mirror", "official, warm cache", "official and near mirror, warm cache")


def write_page(whole: Report, folder: Path) -> None:
    """Write `speed.md`, `speed.zh-CN.md` and the plots that they show."""
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = {one["name"]: one for one in whole["scenarios"]}
    shown = {}
    for figure, names in FIGURES.items():
        if there := [scenarios[name] for name in names if name in scenarios]:
            shown[figure] = there
            plot(there, folder / f"speed-{figure}.svg")
    for words in (ENGLISH, CHINESE):
        (folder / f"speed{words.suffix}.md").write_text(_page(whole, shown, scenarios, words), encoding="utf-8")


def plot(scenarios: Sequence[Report], place: Path) -> None:
    """Draw a row of bars for each client: the median, every run as a dot, the bound as a line."""
    matplotlib.rcParams.update({"svg.hashsalt": "mirrorhub", "font.size": 9, "svg.fonttype": "none"})
    heights = [len(one["rows"]) * BAR_INCHES + 0.75 for one in scenarios]
    figure, axes = pyplot.subplots(
        len(scenarios), figsize=(9, sum(heights)), height_ratios=heights, squeeze=False, layout="constrained"
    )
    for axis, one in zip(axes[:, 0], scenarios, strict=True):
        _draw(axis, one)
    axes[-1, 0].set_xlabel("seconds: the bar is the median, each dot a run, the dashed line the bound")
    figure.savefig(place, metadata={"Date": None}, facecolor="white")
    pyplot.close(figure)


def _draw(axis: Axes, one: Report) -> None:
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
        # Beside the slowest run's dot, and beside the median's bar where nothing was slower.
        axis.text(row["most_s"], at, f"   {median:.2f}{failed}", va="center")
    if one["bound_s"]:
        axis.axvline(one["bound_s"], color="#c92a2a", linewidth=1, linestyle="--")
    lines = "; ".join(f"{server}: {line}" for server, line in one["lines"].items()) or "loopback"
    axis.set_title(f"{one['title']} ({lines})", loc="left", fontsize=9, fontweight="bold", wrap=True)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_xlim(0, axis.get_xlim()[1] * 1.15)
    axis.spines[["top", "right"]].set_visible(False)


def _page(whole: Report, shown: Mapping[str, Sequence[Report]], scenarios: Mapping[str, Report], words: Words) -> str:
    parts = [words.opening.replace("\n", f"\n\n{words.other}\n", 1), f"## {words.goals}", goal_table(whole)]
    if articles := [scenarios[name] for name in ("article", "article-full") if name in scenarios]:
        parts += [f"## {words.article}", words.about_article]
        for one in articles:
            parts += [f"### {one['size'] / 1e6:.1f} MB", _article(one, words)]
    parts.append(f"## {words.measured}")
    for figure, there in shown.items():
        parts += [f"![{figure}](speed-{figure}.svg)", *(scenario_table(one).strip() for one in there)]
    parts += [scenario_table(one).strip() for name, one in scenarios.items() if name == "on-disk"]
    facts = {name: whole[name] for name in ("when", "quick", "machine", "lines")}
    rows = [[name, str(value)] for name, value in (facts | whole["settings"] | whole["versions"]).items()]
    parts += [table(["", ""], rows), "```bash\npython -m benchmarks.speed --json speed.json --page docs/results\n```"]
    return "\n\n".join(parts) + "\n"


def _article(one: Report, words: Words) -> str:
    rows = []
    for name, article_s, theirs, ours in zip(words.rows, ARTICLE_S, _THEIRS, _OURS, strict=True):
        labels = f"modelscope, {theirs}", f"mirrorhub, {ours}, whole repository", f"load_vad, {ours}"
        rows.append([name, str(article_s), *(_until_heard(one, label) for label in labels)])
    return table(words.head, rows)


def _until_heard(one: Report, label: str) -> str:
    medians = one["rows"].get(label, {"medians": {}})["medians"]
    return f"{medians['seconds']:.1f} / {medians['heard_s']:.1f}" if "heard_s" in medians else ""
