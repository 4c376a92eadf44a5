"""A corpus of tokens that must not be accepted: each entry is a name and a function that makes the token now.

Unless its name says otherwise, a token is signed with the right secret, so that only the named defect can refuse it."""

import hashlib
import json
import time

from support import tokens
from support.programs import SECRET

_HEADER = tokens.HEADER


def _claims(**changes):
    """Good claims with some changed; a value of ... removes a claim."""
    values = {**tokens.claims(), **changes}
    return tokens.compact({name: value for name, value in values.items() if value is not ...})


def _with_header(header):
    return lambda: tokens.sign(header if isinstance(header, bytes) else tokens.compact(header), _claims(), SECRET)


def _with_claims(**changes):
    return lambda: tokens.sign(_HEADER, _claims(**changes), SECRET)


def _with_payload(template):
    """`@` in the template becomes a time in the future."""
    return lambda: tokens.sign(_HEADER, template.replace(b"@", str(int(time.time()) + 3600).encode()), SECRET)


def _good():
    return tokens.mint(SECRET)


def _segments(change):
    return lambda: ".".join(change(*_good().split(".")))


def _unsigned(header):
    return lambda: f"{tokens.segment(header)}.{tokens.segment(_claims())}."


def _signed_with(digest, algorithm):
    return lambda: tokens.sign(tokens.compact({"alg": algorithm, "typ": "JWT"}), _claims(), SECRET, digest)


def _flip_last_bit(signature):
    raw = bytearray(tokens.unsegment(signature))
    raw[-1] ^= 1
    return tokens.segment(bytes(raw))


def _non_canonical(signature):
    """The same 32 bytes, spelt with the two unused bits of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]


def _swapped_claims(header, _, signature):
    return header, tokens.segment(_claims(user_id=2)), signature


BAD_TOKENS = {
    # the algorithm
    "alg none, no signature": _unsigned(b'{"alg":"none","typ":"JWT"}'),
    "alg None": _unsigned(b'{"alg":"None","typ":"JWT"}'),
    "alg NONE": _unsigned(b'{"alg":"NONE","typ":"JWT"}'),
    "alg nOnE": _unsigned(b'{"alg":"nOnE","typ":"JWT"}'),
    "alg none, signed": _with_header({"alg": "none", "typ": "JWT"}),
    "alg empty": _with_header({"alg": "", "typ": "JWT"}),
    "alg missing": _with_header({"typ": "JWT"}),
    "alg null": _with_header({"alg": None, "typ": "JWT"}),
    "alg number": _with_header({"alg": 256, "typ": "JWT"}),
    "alg list": _with_header({"alg": ["HS256"], "typ": "JWT"}),
    "alg in lower case": _with_header({"alg": "hs256", "typ": "JWT"}),
    "alg with a space": _with_header({"alg": "HS256 ", "typ": "JWT"}),
    "alg with a NUL": _with_header(b'{"alg":"HS256\\u0000","typ":"JWT"}'),
    "alg HS384": _signed_with(hashlib.sha384, "HS384"),
    "alg HS512": _signed_with(hashlib.sha512, "HS512"),
    "alg RS256 over an HMAC": _with_header({"alg": "RS256", "typ": "JWT"}),
    "alg ES256 over an HMAC": _with_header({"alg": "ES256", "typ": "JWT"}),
    "alg HS256, signed with SHA-512": _signed_with(hashlib.sha512, "HS256"),
    "alg twice": _with_header(b'{"alg":"HS256","alg":"none","typ":"JWT"}'),
    "alg twice, the good one last": _with_header(b'{"alg":"none","alg":"HS256","typ":"JWT"}'),
    # the rest of the header
    "typ of an encrypted token": _with_header({"alg": "HS256", "typ": "JWE"}),
    "typ number": _with_header({"alg": "HS256", "typ": 1}),
    "crit unknown": _with_header({"alg": "HS256", "typ": "JWT", "crit": ["exotic"], "exotic": True}),
    "crit empty": _with_header({"alg": "HS256", "typ": "JWT", "crit": []}),
    "crit not a list": _with_header({"alg": "HS256", "typ": "JWT", "crit": "exp"}),
    "unencoded payload (b64)": _with_header({"alg": "HS256", "typ": "JWT", "crit": ["b64"], "b64": False}),
    "header not an object": _with_header(b'["HS256"]'),
    "header not JSON": _with_header(b"HS256"),
    "header with rubbish after it": _with_header(_HEADER + b"x"),
    "header empty": _with_header(b""),
    # the signature
    "signed with another secret": lambda: tokens.mint("not the secret, but as long as a secret has to be"),
    "signed with an empty secret": lambda: tokens.mint(""),
    "signature empty": _segments(lambda h, p, s: (h, p, "")),
    "signature cut by a character": _segments(lambda h, p, s: (h, p, s[:-1])),
    "signature cut by a byte": _segments(lambda h, p, s: (h, p, tokens.segment(tokens.unsegment(s)[:-1]))),
    "signature one byte longer": _segments(lambda h, p, s: (h, p, tokens.segment(tokens.unsegment(s) + b"\0"))),
    "signature with one bit flipped": _segments(lambda h, p, s: (h, p, _flip_last_bit(s))),
    "signature of zeros": _segments(lambda h, p, s: (h, p, tokens.segment(bytes(32)))),
    "signature not canonical": _segments(lambda h, p, s: (h, p, _non_canonical(s))),
    "signature of other claims": _segments(_swapped_claims),
    # the form
    "padding": _segments(lambda h, p, s: (h, p, s + "=")),
    "padded header": lambda: _padded_header(),
    "not base64url": _segments(lambda h, p, s: (h, "+/" + p[2:], s)),
    "a space in front": lambda: " " + _good(),
    "a newline at the end": lambda: _good() + "\n",
    "a NUL at the end": lambda: _good() + "\0",
    "one segment": lambda: _good().split(".")[0],
    "two segments": lambda: _good().rsplit(".", 1)[0],
    "four segments": lambda: _good() + ".AAAA",
    "five segments": lambda: _good() + ".AAAA.AAAA",
    "an empty segment in front": lambda: "." + _good(),
    "only dots": lambda: "..",
    "rubbish": lambda: "rubbish",
    "letters beyond ASCII": lambda: _good()[:-1] + "é",
    "30,000 characters": lambda: "A" * 30_000,
    "Bearer in the token": lambda: "Bearer " + _good(),
    "a number for a token": lambda: 12345,
    "an object for a token": lambda: {"alg": "HS256"},
    "a list for a token": lambda: [_good()],
    "true for a token": lambda: True,
    # the payload
    "payload empty": _with_payload(b""),
    "payload not JSON": _with_payload(b"user_id=1"),
    "payload a list": _with_payload(b"[1]"),
    "payload a string": _with_payload(b'"alice"'),
    "payload null": _with_payload(b"null"),
    "payload with rubbish after it": _with_payload(b'{"user_id":1,"username":"a","enabled":true,"exp":@}x'),
    "payload cut": _with_payload(b'{"user_id":1,"username":"a","enabled":true,"exp":@'),
    "payload not UTF-8": _with_payload(b'{"user_id":1,"username":"\xff\xfe","enabled":true,"exp":@}'),
    "payload an empty object": _with_payload(b"{}"),
    "payload deeply nested": _with_payload(
        b'{"user_id":1,"username":"a","enabled":true,"exp":@,"x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    # claims
    "user_id missing": _with_claims(user_id=...),
    "user_id null": _with_claims(user_id=None),
    "user_id a string": _with_claims(user_id="1"),
    "user_id true": _with_claims(user_id=True),
    "user_id with a fraction": _with_claims(user_id=1.5),
    "user_id negative": _with_claims(user_id=-1),
    "user_id beyond 64 bits": _with_claims(user_id=2**64 + 1),
    "user_id beyond a double": _with_payload(b'{"user_id":1e400,"username":"a","enabled":true,"exp":@}'),
    "user_id a list": _with_claims(user_id=[1]),
    "user_id twice": _with_payload(b'{"user_id":1,"user_id":2,"username":"a","enabled":true,"exp":@}'),
    "username a number": _with_claims(username=1),
    "enabled missing": _with_claims(enabled=...),
    "enabled null": _with_claims(enabled=None),
    "enabled a string": _with_claims(enabled="true"),
    "enabled a number": _with_claims(enabled=1),
    "enabled twice": _with_payload(b'{"user_id":1,"username":"a","enabled":false,"enabled":true,"exp":@}'),
    "exp missing": _with_claims(exp=...),
    "exp null": _with_claims(exp=None),
    "exp a string": _with_payload(b'{"user_id":1,"username":"a","enabled":true,"exp":"@"}'),
    "exp true": _with_claims(exp=True),
    "exp zero": _with_claims(exp=0),
    "exp negative": _with_claims(exp=-1),
    "exp beyond 64 bits": _with_claims(exp=2**64 + 1),
    "exp beyond a double": _with_payload(b'{"user_id":1,"username":"a","enabled":true,"exp":1e400}'),
    "exp twice": _with_payload(b'{"user_id":1,"username":"a","enabled":true,"exp":@,"exp":@}'),
    "exp past": _with_claims(exp=1_000_000_000),
    "nbf in the future": lambda: tokens.mint(SECRET, nbf=int(time.time()) + 60),
    "nbf a string": lambda: tokens.mint(SECRET, nbf="yesterday"),
    "nbf null": lambda: tokens.mint(SECRET, nbf=None),
}


def _padded_header():
    """Signed over the padded spelling: the signature holds, the base64url does not."""
    header = json.dumps({"alg": "HS256", "typ": "JWT", "k": ""}, separators=(",", ":")).encode()
    while len(header) % 3 == 0:
        header = header.replace(b'"k":"', b'"k":"x')
    padded = tokens.segment(header) + "=" * (-len(tokens.segment(header)) % 4)
    return tokens.sign_segments(padded, tokens.segment(_claims()), SECRET)
