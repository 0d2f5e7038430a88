"""A model hub to test against: both protocols, in memory or on a real socket, strict, and broken on demand.

messages.py      Request, Response, and the delivery of a response as steps
repo.py          Repo: files, commits, branches and tags of one repository
site.py          Site: what one host serves, to whom, under which prefix
ranges.py        Range requests, answered as the standard says
modelscope.py    the ModelScope protocol        huggingface.py   the Hugging Face protocol
protocol.py      Request -> Response, faults included; pure
faults.py        what can go wrong, as data
dialects.py      what is said otherwise and means the same
rules.py         where a fault applies, and how often
log.py           what was asked and what was sent
server.py        FakeHub on a socket, with h2server.py, h1server.py, loopthread.py and certs.py under it
mock.py          the same hubs behind an httpx transport, in memory
proxy.py         CONNECT and SOCKS5 proxies
"""

from tests.fakehub.log import Log
from tests.fakehub.repo import Repo
from tests.fakehub.server import FakeHub

__all__ = ["FakeHub", "Log", "Repo"]
