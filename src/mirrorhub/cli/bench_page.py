"""The page that `mirrorhub bench --html` writes: one file, no script, nothing from anywhere else.

In English and Chinese side by side. What servers said is text, and never markup.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorhub.cli.page import document, printable, text

if TYPE_CHECKING:
    from mirrorhub.bench.comparison import Comparison, Measurement, Part

WIDTH, LABEL, BAR, STEP = 1040, 250, 16, 34
"""Of a chart, its names, a bar, and from one bar to the next, in units of the drawing."""
NAME = 30
"""Characters of a name that there is room for."""
PARTS: tuple[tuple[str, str, Part], ...] = (
    ("dns", "DNS 域名解析", lambda one: one.dns_s),
    ("connect", "connect 连接", lambda one: one.connect_s),
    ("tls", "TLS", lambda one: one.tls_s),
    ("first", "first byte 首字节", lambda one: one.first_byte_s),
    ("listing", "listing 文件列表", lambda one: one.listing_s),
)
HEADINGS = (
    ("", ""),
    ("endpoint", "端点"),
    ("DNS", "解析 ms"),
    ("connect", "连接 ms"),
    ("TLS", "ms"),
    ("HTTP", ""),
    ("first byte", "首字节 ms"),
    ("listing", "列表 ms"),
    ("throughput", "速率 Mbit/s"),
    ("Range", "分段"),
    ("bytes from", "数据来自"),
    ("would take", "预计 s"),
)
BEST_FIRST = "The best is first: whoever would bring the whole model soonest from cold. Medians of all rounds."
NONE_WORKED = "No endpoint worked."
INDEX_LEFT = "The package index was not measured; a download would still try it."
SOMETIMES = "did not serve every time"
GROWING = "the rate was still growing when the limit was reached"
CHINESE = {
    BEST_FIRST: "最好的排在最前：从零开始、最快取回整个模型的端点。数值为各轮的中位数。",
    NONE_WORKED: "没有可用的端点。",
    INDEX_LEFT: "软件包索引未测量；下载时仍会尝试它。",
    SOMETIMES: "并非每次都成功",
    GROWING: "达到流量上限时速率仍在上升",
    "it gives only whole files, and none is small enough": "只提供整个文件，而且没有足够小的",
    "nobody could say which files there are": "无从得知有哪些文件",
    "too few bytes came to tell": "收到的数据太少，无法判断",
    "not measured: the package installer fetches it, and it lists nothing": "未测量：由包安装工具获取，没有文件列表",
    "not visited: the time that was allowed was over": "未访问：限定的时间已用完",
}
_STEPS = [number * 10.0**power for power in range(-2, 10) for number in (1, 2, 5)]
STYLE = """
:root { --dns: #8aa4c8; --connect: #4f7cac; --tls: #8063a8; --first: #d98e3f; --listing: #5aa469; --rate: #2f7f86;
  --dot: #0b2f33; }
@media (prefers-color-scheme: dark) { :root { --dns: #9db5d6; --connect: #6b9bd1; --tls: #a88bd0; --first: #e5a55e;
  --listing: #76bf85; --rate: #4aa6ae; --dot: #e9fbfc; } }
th:nth-child(2), td:nth-child(2), th:nth-child(11), td:nth-child(11) { text-align: left; }
td:nth-child(2), td:nth-child(11) { white-space: normal; overflow-wrap: anywhere; min-width: 150px; }
tr.best td { background: var(--band); font-weight: 600; }
td.notes { text-align: left; white-space: normal; overflow-wrap: anywhere; padding-top: 0; font-size: 13px; }
tr.noted td { border-bottom: 0; }
.dns { fill: var(--dns); background: var(--dns); } .connect { fill: var(--connect); background: var(--connect); }
.tls { fill: var(--tls); background: var(--tls); } .first { fill: var(--first); background: var(--first); }
.listing { fill: var(--listing); background: var(--listing); } .rate { fill: var(--rate); background: var(--rate); }
.dot { fill: var(--dot); stroke: var(--paper); background: var(--dot); } .legend i.dot { border-radius: 50%; }
"""


@dataclass(frozen=True, slots=True)
class Columns:
    """What is shown of one endpoint, as text: the same in the terminal and on the page."""

    endpoint: str
    dns: str
    connect: str
    tls: str
    connecting: str
    http: str
    first_byte: str
    listing: str
    listed: str
    rate: str
    takes_range: str
    host: str
    estimate: str
    troubles: tuple[str, ...]
    notes: tuple[str, ...]


def columns_of(measurement: Measurement, size: int) -> Columns:
    """Write what was found of one endpoint: medians, and what went wrong."""
    times = [measurement.median(part) for _, _, part in PARTS]
    dns, connect, tls, first_byte, listing = map(_ms, times)
    estimate_s, rate = measurement.estimate_s(size), measurement.bytes_per_s
    return Columns(
        endpoint=printable(str(measurement.endpoint)),
        dns=dns,
        connect=connect,
        tls=tls,
        connecting=_ms(_together(times[:3])),
        http=measurement.http or "-",
        first_byte=first_byte,
        listing=listing,
        listed="-" if times[4] is None else _ms(_together(times[3:])),
        rate=f"{rate * 8 / 1e6:.1f}" if rate else "-",
        takes_range={True: "yes", False: "no", None: "-"}[measurement.takes_range],
        host=printable(measurement.host or "-"),
        estimate=_seconds(estimate_s),
        troubles=tuple(printable(str(trouble)) for trouble in measurement.troubles),
        notes=_notes(measurement),
    )


def facts_of(found: Comparison) -> str:
    """Say of how many bytes and rounds it is."""
    return f"{_size(found.size)}, {_rounds(found.rounds)}"


def verdict_of(found: Comparison) -> tuple[str, ...]:
    """Say what the order means; or that there is none, and what a download could still try."""
    if found.works:
        return (BEST_FIRST,)
    return (NONE_WORKED, INDEX_LEFT) if found.has_index else (NONE_WORKED,)


def page_of(found: Comparison, now: Callable[[], time.struct_time] = time.localtime) -> str:
    """Write the page."""
    date = time.strftime("%Y-%m-%d %H:%M", now())
    size = _size(found.size) if found.size else "size unknown 大小未知"
    facts = f"{size} · {_rounds(found.rounds)} 轮 · ≤ {found.limit / 1e6:g} MB per endpoint 每个端点"
    verdict = verdict_of(found)
    measured = [measurement for measurement in found.measurements if measurement.rounds]
    body = f"""<h1>Endpoints compared <span lang="zh-CN">端点对比</span></h1>
<p>{text(str(found.repo))}</p>
<p class="soft">{date} · {facts}</p>
<h2>Order <span lang="zh-CN">排序</span></h2>
<p class="soft">{" ".join(verdict)}<br>
<span lang="zh-CN">{"".join(CHINESE[words] for words in verdict)}</span></p>
<div class="scroll">{_table(found)}</div>
<h2>Until the files are known <span lang="zh-CN">得知文件列表之前的耗时</span> <small>ms</small></h2>
{_legend([(name, words) for name, words, _ in PARTS])}
{_times(measured)}
<h2>Throughput <span lang="zh-CN">传输速率</span> <small>Mbit/s</small></h2>
{_legend([("rate", "median 中位数"), ("dot", "each round 每一轮")])}
{_rates(measured)}
"""
    return document(f"mirrorhub bench: {found.repo}", "en", STYLE, body)


def _table(found: Comparison) -> str:
    head = "".join(f"<th>{english}<small lang='zh-CN'>{chinese}</small></th>" for english, chinese in HEADINGS)
    rows = (
        _row(number, columns_of(one, found.size), best=number == 1 and one.works)
        for number, one in enumerate(found.measurements, 1)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _row(number: int, row: Columns, *, best: bool) -> str:
    takes_range = {"yes": "yes 是", "no": "no 否"}.get(row.takes_range, row.takes_range)
    numbers = (row.dns, row.connect, row.tls, row.http, row.first_byte, row.listing, row.rate)
    values = (str(number), row.endpoint, *numbers, takes_range, row.host, row.estimate)
    cells = "".join(f"<td>{text(value)}</td>" for value in values)
    classes = ["best"] * best + ["noted"] * bool(row.notes + row.troubles)
    first = f"<tr class='{' '.join(classes)}'>{cells}</tr>" if classes else f"<tr>{cells}</tr>"
    if not row.notes + row.troubles:
        return first
    troubles = [f"<span class='bad'>{text(trouble)}</span>" for trouble in row.troubles]
    notes = [f"<span class='soft'>{text(note)} {CHINESE.get(note, '')}</span>" for note in row.notes]
    told = f"<td class='notes' colspan='{len(HEADINGS) - 1}'>{'<br>'.join([*troubles, *notes])}</td>"
    return f"{first}<tr><td></td>{told}</tr>"


def _legend(entries: list[tuple[str, str]]) -> str:
    spans = "".join(f"<span><i class='{name}'></i>{words}</span>" for name, words in entries)
    return f"<p class='legend'>{spans}</p>"


def _times(measured: list[Measurement]) -> str:
    """Draw for each endpoint a bar of what passes until the files are known."""
    values = [[(one.median(part) or 0.0) * 1000 for _, _, part in PARTS] for one in measured]
    top = max(map(sum, values), default=0.0)

    def bar(index: int, y: int) -> str:
        drawn, start = "", 0.0
        for (name, words, _), value in zip(PARTS, values[index], strict=True):
            x, width = _along(start, top), _along(value, top) - LABEL
            title = f"<title>{words}: {value:.1f} ms</title>"
            drawn += f"<rect class='{name}' x='{x:.1f}' y='{y}' width='{width:.1f}' height='{BAR}'>{title}</rect>"
            start += value
        return drawn + _figure(start, top, y, f"{start:.0f}" if start else "")

    return _chart(measured, top, bar)


def _rates(measured: list[Measurement]) -> str:
    """Draw for each endpoint a bar of its rate, and a dot for each round."""
    rounds = [[one.bytes_per_s * 8 / 1e6 for one in each.rounds if one.bytes_per_s] for each in measured]
    top = max((max(rates, default=0.0) for rates in rounds), default=0.0)

    def bar(index: int, y: int) -> str:
        if not rounds[index]:
            return f"<text class='soft' x='{LABEL + 6}' y='{y + 13}'>unknown 未知</text>"
        median = (measured[index].bytes_per_s or 0.0) * 8 / 1e6
        width = _along(median, top) - LABEL
        drawn = f"<rect class='rate' x='{LABEL}' y='{y}' width='{width:.1f}' height='{BAR}' rx='2'></rect>"
        for rate in rounds[index]:
            title = f"<title>{rate:.2f} Mbit/s</title>"
            drawn += f"<circle class='dot' cx='{_along(rate, top):.1f}' cy='{y + BAR / 2}' r='4'>{title}</circle>"
        return drawn + _figure(max([median, *rounds[index]]), top, y, f"{median:.1f}")

    return _chart(measured, top, bar)


def _chart(measured: list[Measurement], top: float, bar: Callable[[int, int], str]) -> str:
    height = STEP * len(measured) + 28
    drawn = ""
    for mark in _marks(top):
        x = _along(mark, top)
        drawn += f"<line class='grid' x1='{x:.1f}' x2='{x:.1f}' y1='4' y2='{height - 24}'></line>"
        drawn += f"<text class='soft' x='{x:.1f}' y='{height - 8}' text-anchor='middle'>{mark:g}</text>"
    for index, measurement in enumerate(measured):
        y = 8 + STEP * index
        name = _shortened(printable(str(measurement.endpoint).partition("://")[2] or str(measurement.endpoint)))
        drawn += f"<text x='{LABEL - 12}' y='{y + 13}' text-anchor='end'>{text(name)}</text>"
        if measurement.works:
            drawn += bar(index, y)
        else:
            drawn += f"<text class='soft' x='{LABEL + 6}' y='{y + 13}'>does not work 不可用</text>"
    return f"<div class='scroll'><svg viewBox='0 0 {WIDTH} {height}' role='img'>{drawn}</svg></div>"


def _figure(value: float, top: float, y: int, words: str) -> str:
    return f"<text class='soft' x='{_along(value, top) + 10:.1f}' y='{y + 13}'>{words}</text>"


def _along(value: float, top: float) -> float:
    """Return how far to the right a value lies; to the right of the longest bar there is room for its figure."""
    return LABEL + (value / top if top else 0.0) * (WIDTH - LABEL - 70)


def _marks(top: float) -> list[float]:
    """Choose round values for a scale, seven at most."""
    step = next(step for step in _STEPS if top / step <= 6)
    return [index * step for index in range(int(top / step) + 1)]


def _notes(measurement: Measurement) -> tuple[str, ...]:
    notes = [printable(measurement.reason)] if measurement.reason else []
    if measurement.works and measurement.success < 1:
        notes.append(SOMETIMES)
    if measurement.bytes_per_s and any(one.still_growing for one in measurement.rounds):
        notes.append(GROWING)
    return tuple(notes)


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}" if seconds >= 0.01 else f"{seconds * 1000:.1f}"


def _together(times: list[float | None]) -> float | None:
    """Add up what is known."""
    known = [seconds for seconds in times if seconds is not None]
    return sum(known) if known else None


def _seconds(seconds: float | None) -> str:
    """Write seconds with two digits that tell, at least."""
    return "-" if seconds is None else f"{seconds:.1f}" if seconds >= 1 else f"{seconds:#.2g}"


def _size(size: int) -> str:
    if not size:
        return "size unknown"
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds"


def _shortened(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"
