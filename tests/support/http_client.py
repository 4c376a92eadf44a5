"""A keep-alive HTTP/1.1 client that adds nothing of its own: no redirects, no path clean-up, no retries."""

import http.client
import json as json_codec
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Endpoint:
    """One service as a client sees it: an address and the prefix the router strips."""
    host: str
    port: int
    prefix: str

    def url(self, path):
        return f"http://{self.host}:{self.port}{self.prefix}{path}"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage = field(repr=False)
    body: bytes

    def json(self):
        return json_codec.loads(self.body)

    def header(self, name):
        return self.headers.get(name)

    @property
    def media_type(self):
        return (self.headers.get("Content-Type") or "").split(";")[0].strip()


class Client:
    """One connection to one endpoint; reconnects only when the server closed it between two requests."""

    def __init__(self, endpoint, timeout_s=60.0, own_address=None):
        """`own_address`: of this machine, such as any of 127.0.0.0/8, if not the one that the system chooses."""
        self.endpoint = endpoint
        self._connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout_s,
                                                      source_address=(own_address, 0) if own_address else None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._connection.close()

    def request(self, method, path, body=None, headers=None):
        try:
            self._connection.request(method, self.endpoint.prefix + path, body=body, headers=headers or {})
            response = self._connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, path, headers=None):
        return self.request("GET", path, headers=headers)

    def post(self, path, json=None, body=None, headers=None):
        if body is None:
            body = json_codec.dumps(json).encode()
        return self.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})


def once(endpoint, method, path, body=None, headers=None):
    """One request on a connection of its own."""
    with Client(endpoint) as client:
        return client.request(method, path, body, headers)
