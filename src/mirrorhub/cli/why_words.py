"""The words that a report is told in: English ones, and what they are in Chinese."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from mirrorhub.cli.why_errors import in_chinese
from mirrorhub.faults import Fault
from mirrorhub.report import TWICE

Words = Callable[[str], str]
LANGUAGES = {"en": "en", "zh": "zh-CN"}
FAULTS = {fault.name: fault.value for fault in Fault} | {TWICE: "came twice"}
CHINESE = {
    # outcomes
    "published": "已发布",
    "failed": "失败",
    "stale": "用了磁盘上的旧内容",
    "cancelled": "已取消",
    # the head
    "How it came": "下载经过",
    "Why it did not come": "为什么没有下载成功",
    "Why the old one was taken": "为什么用了旧内容",
    "when": "时间",
    "revision": "版本",
    "commit": "提交",
    "vouched for by": "内容依据",
    "nobody": "无",
    "lock file": "锁文件",
    "pin": "内置摘要",
    "built into mirrorhub": "（随 mirrorhub 提供）",
    "package index": "软件包索引",
    "files": "文件",
    "came": "取回",
    "wanted": "所需",
    "left by earlier calls": "先前调用留下",
    "place": "位置",
    "error": "错误",
    # titles
    "Time": "时间线",
    "Endpoints": "端点",
    "Bytes from": "数据来源",
    "Left, and lost": "弃用原因与损失",
    "Waits": "等待",
    "Wrong bytes": "错误的数据",
    "Files": "文件",
    "Settings": "设置",
    "Versions": "软件版本",
    # headings
    "endpoint": "端点",
    "its word": "可信级别",
    "outcome": "结果",
    "requests": "请求",
    "connecting": "连接",
    "waiting": "等首字节",
    "body": "收数据",
    "received": "收到",
    "in vain": "白费",
    "lanes": "通道",
    "why": "原因",
    "host": "主机",
    "size": "大小",
    "fault": "故障",
    "times": "次数",
    "time": "耗时",
    "first": "首次",
    "asked for": "请求内容",
    "what": "类型",
    "who": "对象",
    "file": "文件",
    "bytes": "字节",
    "tries": "尝试",
    "resumed": "续传",
    "from": "来自",
    "setting": "设置",
    "value": "值",
    "name": "名称",
    "version": "版本",
    "all": "全部",
    "not checked": "未校验",
    # parts of a call
    "resolve": "查询",
    "lock": "等锁",
    "plan": "计划",
    "transfer": "传输阶段",
    "publish": "发布",
    # what endpoints were, and came to
    "official": "官方",
    "named": "用户指定",
    "mirror": "镜像",
    "served": "提供了内容",
    "listing only": "只给了文件列表",
    "asked": "问过，未提供",
    "out": "本次不再使用",
    "not asked": "未问",
    # waits
    "pause": "两轮之间",
    "parked": "按 Retry-After 等候",
    "silent": "对方无响应",
    # notes
    "Times are of the clock, however many requests were under way: waiting includes a listing until it is whole.": (
        "均为实际经过的时间，与并发请求数无关；“等首字节”包括列表传完为止。"
    ),
    "Only some files are shown.": "只列出部分文件。",
    "× marks what went wrong.": "× 表示出错。",
    # faults
    "no connection in time": "连接超时",
    "no byte in time": "读取超时",
    "connection refused": "连接被拒绝",
    "connection broken": "连接中断",
    "not understood": "协议错误",
    "body shorter than listed": "内容比列表短",
    "body is encoded": "内容被压缩",
    "busy": "繁忙",
    "server error": "服务器错误",
    "name not found": "域名无法解析",
    "certificate not accepted": "证书不被接受",
    "proxy refused": "代理拒绝",
    "not a hub's answer": "不是模型站的应答",
    "listing not accepted": "列表不被接受",
    "access denied": "无权访问",
    "no such repository": "没有此仓库",
    "no such revision": "没有此版本",
    "no such file": "没有此文件",
    "range not honoured": "不支持分段",
    "redirect not followed": "重定向未跟随",
    "body longer than listed": "内容比列表长",
    "wrong digest": "摘要不符",
    "bytes of several endpoints do not fit together": "多个端点的数据拼不到一起",
    "package installer failed": "包安装工具失败",
    "too slow": "太慢",
    "disk": "磁盘",
    "came twice": "重复到达",
    "gave wrong bytes": "给出错误的数据",
    "gave wrong bytes; files: {count}": "给出错误的数据，涉及文件 {count} 个",
    # between words
    ": ": "：",
    ", ": "，",
    # where nothing is known
    "no call is known that brought anything, or failed to. Bring a model with `mirrorhub download`.": (
        "没有已知的下载，成功或失败的都没有。用 `mirrorhub download` 下载模型。"
    ),
    "nothing is known of how {model} came: another program brought it, or nobody. Bring it with "
    "`mirrorhub download {model}`, or say where it is with --cache-dir, --local-dir or --hub.": (
        "不知道 {model} 是怎样下载的：可能由别的程序下载，也可能还没有下载。用 `mirrorhub download {model}` 下载，"
        "或用 --cache-dir、--local-dir、--hub 说明它在哪里。"
    ),
}


def words_in(language: str) -> Words:
    """Return what says a word, or an error, in a language; what has no translation stays as it is."""
    if language != "zh":
        return lambda word: word
    return lambda word: CHINESE.get(word) or in_chinese(word)


def language_of(environ: Mapping[str, str] = os.environ) -> str:
    """Return the language that the environment asks for, of those that there are."""
    named = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environ.get(name, ""))), "")
    return "zh" if named.casefold().startswith("zh") else "en"
