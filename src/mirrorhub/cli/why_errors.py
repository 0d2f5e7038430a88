"""What an error says, in Chinese: the sentences that say what to do. What is not known here stays as it is."""

from __future__ import annotations

import re

from mirrorhub.diagnosis import ADVICE, OTHERWISE
from mirrorhub.faults import Fault

ADVICE_IN_CHINESE: dict[Fault, str] = {
    Fault.DNS: "域名无法解析：网络通吗？是否需要代理（HTTPS_PROXY）？",
    Fault.CERTIFICATE: "证书不被接受：请安装 ca-certificates，或用 SSL_CERT_FILE 指定本地网络自己的证书颁发机构。",
    Fault.PROXY: "代理拒绝：请检查 HTTPS_PROXY 和 NO_PROXY。",
    Fault.NOT_A_HUB: "应答的不是模型站：请检查端点的地址和路径，以及网络是否要求先登录。",
    Fault.BUSY: "端点要求暂时不要再问：请稍后再试，或在 MIRRORHUB_ENDPOINTS 中指定别的端点。",
    Fault.DENIED: "无权访问：请提供令牌（MODELSCOPE_API_TOKEN、HF_TOKEN 或 token=），"
    "并到模型页面查看是否需要接受条款。",
    Fault.INSTALLER: "软件包索引也没有帮上忙：请检查这里的 `pip download` 是否可用。",
}
_SENTENCES = {
    r"No endpoint could say what ([^ ]+) holds\.": r"没有端点能说明 \1 的内容。",
    r"There is no repository ([^ ]+), or it is private\. Check the id and the hub, or give a token\.": (
        r"没有仓库 \1，或者它是私有的。请检查名称和所在的站点，或提供令牌。"
    ),
    r"Check branches and tags\.": "请检查分支和标签。",
    r"could not be fetched\.": "无法取得。",
    r"not done within the ([\d.e+]+) s that were allowed\.": r"未能在允许的 \1 秒内完成。",
    r"What has come stays on disk; the next call goes on there\.": "已取得的内容保留在磁盘上，下次调用从那里继续。",
    r"(\S+) was sent no token: (\S+), which its table names, is empty\. Put a token into it\.": (
        r"没有向 \1 发送令牌：它的表所指的变量 \2 是空的，请把令牌放进去。"
    ),
    r"(\S+(?: and \S+)*) was sent a token and does not accept it for this: .* whether terms must be accepted\.": (
        r"已向 \1 发送令牌，但它不接受：请检查令牌是否有效、是否属于该站（`mirrorhub config` 会说明令牌的来源），"
        "并到模型页面查看是否需要接受条款。"
    ),
    r"The token was not sent to (\S+(?: and \S+)*): it is for the official hub\.": (
        r"没有把令牌发给 \1：它是给官方站的。"
    ),
    r"If that endpoint has one of its own, write into (.*?) (\[\[endpoint\]\] .*?) and put it into that variable; "
    r"auth = true in place of the last line sends it what the official hub is sent\.": (
        r"如果该端点有自己的令牌，请在 \1 中写 \2 并把令牌放进这个变量；"
        "若最后一行换成 auth = true，则把官方站的令牌也发给它。"
    ),
    r"token= is sent to the one endpoint that is given with it\.": "token= 只发给随它单独给出的那一个端点。",
    re.escape(OTHERWISE): "请检查网络，或在 MIRRORHUB_ENDPOINTS 中指定从这里能用的端点。",
}


def in_chinese(error: str) -> str:
    """Say in Chinese what is known of an error's sentences; names and what endpoints said stay as they are."""
    for fault, advice in ADVICE_IN_CHINESE.items():
        # A sentence of its own, or behind the names of endpoints.
        error = re.sub(rf"(?i:{re.escape(ADVICE[fault])})", advice, error)
    for sentence, chinese in _SENTENCES.items():
        error = re.sub(sentence, chinese, error)
    return error
