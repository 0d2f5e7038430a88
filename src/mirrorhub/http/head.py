"""The head of an answer, read line by line as libcurl hands it out. No IO here."""

from __future__ import annotations


class Head:
    """The response's status and headers, collected line by line; interim answers (1xx) and trailers are dropped."""

    def __init__(self) -> None:
        self.complete = False
        self.status = 0
        self.http_version = b""
        self.reason: dict[str, bytes] = {}
        self.headers: list[tuple[bytes, bytes]] = []

    def feed(self, line: bytes) -> bool:
        """Take one line, and say whether the head is complete with it."""
        line = line.rstrip(b"\r\n")
        if line.startswith(b"HTTP/"):
            self._start(line)
        elif not line:
            self.complete = self.status >= 200
        elif line[:1] in b" \t" and self.headers:
            name, value = self.headers[-1]
            self.headers[-1] = (name, value + b" " + line.strip())
        else:
            name, _, value = line.partition(b":")
            self.headers.append((name, value.strip()))
        return self.complete

    def expected(self, method: str) -> int:
        """Bytes that the body must have, as far as the headers say."""
        if method == "HEAD" or self.status in (204, 304):
            return 0
        lengths = [value for name, value in self.headers if name.lower() == b"content-length"]
        return int(lengths[0]) if lengths and lengths[0].isdigit() else 0

    def _start(self, line: bytes) -> None:
        version, _, rest = line.partition(b" ")
        status, _, phrase = rest.partition(b" ")
        self.http_version = version
        self.status = int(status) if status.isdigit() else 0
        self.reason = {"reason_phrase": phrase} if phrase else {}
        self.headers = []
