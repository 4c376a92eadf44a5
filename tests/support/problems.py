"""What every error reply has in common: RFC 9457 problem details with the short message in `error`."""

import json


def assert_problem(reply, status, error=None):
    """`reply` is a Reply or a RawReply. Returns the decoded problem."""
    assert reply.status == status, f"expected {status}, got {reply.status}: {reply.body[:500]!r}"
    content_type = (reply.header("Content-Type") or "").split(";")[0].strip()
    assert content_type == "application/problem+json"
    problem = json.loads(reply.body)
    assert {"type", "title", "status", "detail", "error"} <= set(problem), problem
    assert problem["status"] == status
    for member in ("type", "title", "detail", "error"):
        assert isinstance(problem[member], str) and problem[member], f"{member} of {problem}"
    assert reply.header("X-Request-Id")
    if error is not None:
        assert problem["error"] == error
    return problem
