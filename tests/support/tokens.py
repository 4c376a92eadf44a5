"""JSON Web Tokens made by hand, byte by byte, so that a test can make good ones and every kind of bad one."""

import base64
import hashlib
import hmac
import json
import time

HEADER = b'{"alg":"HS256","typ":"JWT"}'


def segment(data):
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsegment(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def sign_segments(header_segment, payload_segment, secret, digest=hashlib.sha256):
    """Signs two segments as they are, well-formed or not."""
    signed = f"{header_segment}.{payload_segment}"
    return f"{signed}.{segment(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


def sign(header, payload, secret, digest=hashlib.sha256):
    return sign_segments(segment(header), segment(payload), secret, digest)


def claims(user_id=1, username="alice", enabled=True, lifetime_s=3600, **more):
    return {"user_id": user_id, "username": username, "enabled": enabled, "exp": int(time.time()) + lifetime_s,
            **more}


def mint(secret, **claim_values):
    """A token as auth-api would make it, for any merchant and lifetime."""
    return sign(HEADER, compact(claims(**claim_values)), secret)


def parts(token):
    """The decoded bytes of header, payload and signature."""
    return tuple(unsegment(part) for part in token.split("."))
