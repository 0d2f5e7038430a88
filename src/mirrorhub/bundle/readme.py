"""The kit's own README, in both languages: for somebody who has the kit and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

_ENGLISH = """\
# Offline kit

Made by {maker}. What is in it: `manifest.json`; with every file's size and sha256.

{contents}

## Install

Python {python} with pip is needed, and no network:

    python3 kit.zip

(`kit.zip` is this file, whatever it is called; unpacked, `python3 install.py` in its folder does the same.)
Every member is compared with its digest before anything is put in place.
Run it twice, and the second time there is nothing to do; interrupted, it goes on where it stopped.

| option | meaning |
|---|---|
| `--venv DIR` | the virtual environment for the wheels; without it the active one, else a new one beside you |
| `--python EXE` | install the wheels for this Python instead |
| `--modelscope-cache DIR` | where ModelScope's models go; without it where MODELSCOPE_CACHE says |
| `--huggingface-cache DIR` | where Hugging Face's go; without it where HF_HUB_CACHE or HF_HOME says |
| `--no-wheels`, `--no-models` | only the other half |
| `--verify-only` | check everything, write nothing |
| `--sha256 X` | refuse a kit that has another digest than the one printed where it was made |

Whoever can change this file can change its installer, too.
Before you run it, compare its sha256 with what was printed where it was made, over another way than the kit's own.
"""
_CHINESE = """\
# 离线包

由 {maker} 生成。`manifest.json` 列出全部内容以及每个文件的大小和 sha256。

{contents}

## 安装

需要 Python {python} 和 pip，不需要网络：

    python3 kit.zip

（`kit.zip` 就是本文件，文件名可以不同；解压后在文件夹中运行 `python3 install.py` 效果相同。）
所有成员先与摘要比较，然后才放到位；可以运行两次，第二次无需任何操作；中断后会接着进行。

| 选项 | 含义 |
|---|---|
| `--venv DIR` | 安装 wheel 的虚拟环境；省略时使用当前激活的环境，否则在当前目录新建一个 |
| `--python EXE` | 改为安装到这个 Python |
| `--modelscope-cache DIR` | ModelScope 模型放在哪里；省略时按 MODELSCOPE_CACHE |
| `--huggingface-cache DIR` | Hugging Face 模型放在哪里；省略时按 HF_HUB_CACHE 或 HF_HOME |
| `--no-wheels`、`--no-models` | 只安装另一半 |
| `--verify-only` | 只验证，不写入 |
| `--sha256 X` | 摘要与制作时输出的不同就拒绝 |

能改动本文件的人也能改动其中的安装程序。运行之前，请通过另一条途径核对摘要。
"""


def readme(maker: str, contents: Sequence[str], python: str) -> str:
    """Return the README in English."""
    return _ENGLISH.format(maker=maker, contents=_listed(contents), python=python)


def chinese_readme(maker: str, contents: Sequence[str], python: str) -> str:
    """Return the README in Chinese."""
    return _CHINESE.format(maker=maker, contents=_listed(contents), python=python)


def _listed(contents: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in contents)
