"""A socket that sends exactly the bytes it is given and reads replies leniently: for what no proper client would send."""

import socket
import time
from dataclasses import dataclass
import contextlib


@dataclass(frozen=True)
class RawReply:
    status: int
    headers: list  # of (lower-case name, value)
    body: bytes

    def header(self, name):
        return next((value for key, value in self.headers if key == name.lower()), None)


class RawConnection:
    def __init__(self, endpoint, timeout_s=20.0, own_address=""):
        self._socket = socket.create_connection((endpoint.host, endpoint.port), timeout=timeout_s,
                                                source_address=(own_address, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def send(self, data):
        """Sends all of `data`; False when the server closed the connection before it had taken everything."""
        try:
            self._socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def finish_sending(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def _more(self):
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)

    def read_until_closed(self):
        """Everything the server still sends until it closes; a time-out of the socket is an error."""
        while self._more():
            pass
        data, self._buffer = self._buffer, b""
        return data

    def seconds_until_closed(self):
        started = time.monotonic()
        self.read_until_closed()
        return time.monotonic() - started

    def read_reply(self, to_head=False):
        """The next reply, or None when the server closed the connection without one."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        status = int(status_line.split(" ")[1])
        headers = [(name.strip().lower(), value.strip()) for name, _,
                   value in (line.partition(":") for line in lines)]
        length = next((int(value) for name, value in headers if name == "content-length"), None)
        if to_head or status in (204, 304) or status < 200:
            return RawReply(status, headers, b"")
        if length is None:
            return RawReply(status, headers, self.read_until_closed())
        while len(self._buffer) < length and self._more():
            pass
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return RawReply(status, headers, body)


def exchange(endpoint, data, finish=True):
    """Sends `data` on a connection of its own; all complete replies until the server closes."""
    replies = []
    with RawConnection(endpoint) as connection:
        connection.send(data)
        if finish:
            connection.finish_sending()
        while (reply := connection.read_reply()) is not None:
            replies.append(reply)
    return replies


def post(path, body, *headers, length=None):
    """The bytes of a POST; `headers` are complete lines, `length` overrides the true Content-Length."""
    lines = [f"POST {path} HTTP/1.1", "Host: platform", "Content-Type: application/json",
             f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
