"""A certificate authority of our own and a certificate for 127.0.0.1, made with openssl for one test run."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    authority: Path
    certificate: Path
    key: Path


def _openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make(folder, address="127.0.0.1"):
    authority, authority_key = folder / "ca.crt", folder / "ca.key"
    certificate, key, request, names = (folder / f"server.{end}" for end in ("crt", "key", "csr", "ext"))
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    _openssl("req", "-x509", *new_key, "-keyout", authority_key, "-out", authority, "-days", "2",
             "-subj", "/CN=Switchyard tests", "-addext", "basicConstraints=critical,CA:TRUE")
    _openssl("req", *new_key, "-keyout", key, "-out", request, "-subj", f"/CN={address}")
    names.write_text(f"subjectAltName=IP:{address},DNS:localhost\n")
    _openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial",
             "-out", certificate, "-days", "2", "-extfile", names)
    return Certificates(authority, certificate, key)
