"""What pages that are written to one file have in common: no script, nothing from anywhere else, light and dark."""

from __future__ import annotations

import html

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5d6b7a; --line: #d9e0e7; --paper: #fff; --band: #f5f7f9;
  --bad: #b3372f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #98a5b3; --line: #35404b; --paper: #14191f;
  --band: #1b2229; --bad: #f0857c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 24px 48px; max-width: 1140px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
h1 { margin: 0 0 4px; font-size: 26px; } h2 { margin: 36px 0 8px; font-size: 18px; }
p { margin: 4px 0; } .soft, small { color: var(--soft); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; background: linear-gradient(to right, var(--paper) 40%, transparent) left / 40px 100% local,
  linear-gradient(to left, var(--paper) 40%, transparent) right / 40px 100% local,
  linear-gradient(to right, var(--line), transparent) left / 14px 100% scroll,
  linear-gradient(to left, var(--line), transparent) right / 14px 100% scroll; background-repeat: no-repeat; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap;
  vertical-align: top; }
th { font-size: 13px; line-height: 1.25; } th small { display: block; font-weight: normal; }
svg { display: block; width: 100%; min-width: 640px; height: auto; } svg text { fill: var(--ink); font-size: 13px; }
svg .soft { fill: var(--soft); font-size: 12px; } svg .grid { stroke: var(--line); }
.legend span { margin-right: 18px; } .legend i { display: inline-block; width: 12px; height: 12px; margin-right: 6px;
  border-radius: 3px; vertical-align: -1px; }
"""


def document(title: str, language: str, style: str, body: str) -> str:
    """Write a page: `body` is markup, `title` is text."""
    return f"""<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{text(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
{body}</body>
</html>
"""


def printable(words: str) -> str:
    """Replace control characters, and those that turn the direction of writing."""
    return "".join(char if char.isprintable() else "?" for char in words)


def text(words: str) -> str:
    """Write words so that they are nothing but text, in an element or in an attribute."""
    return html.escape(printable(words))
