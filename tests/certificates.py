"""Certificates of a CA of the tests' own, made by openssl."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def expect_openssl() -> None:
    """Where there is no openssl, the test cannot be run."""
    if shutil.which("openssl") is None:
        if os.environ.get("CI"):
            pytest.fail("there is no openssl on the PATH", pytrace=False)
        pytest.skip("there is no openssl on the PATH")


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def sign(folder: Path, name: str, host: str, *more: str, ca: str = "ca") -> None:
    """A certificate for a host, `localhost` or `IP:127.0.0.1`, signed by a CA, which is our own."""
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}")
    openssl(folder, *new, "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (folder / "names").write_text(f"subjectAltName={host if ':' in host else f'DNS:{host}'}")
    by = ("-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-extfile", "names")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", *by, "-out", f"{name}.pem", *more)


def sign_itself(folder: Path, name: str) -> None:
    subject = ("-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost")
    words = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject)
    openssl(folder, *words, "-keyout", f"{name}.key", "-out", f"{name}.pem")


def settings(folder: Path, name: str, port: int, clients: bool) -> dict[str, str]:
    """The settings of a server with this certificate, which wants one of its `clients` too."""
    return {
        "port": "0",
        "tls-port": str(port),
        "tls-cert-file": str(folder / f"{name}.pem"),
        "tls-key-file": str(folder / f"{name}.key"),
        "tls-ca-cert-file": str(folder / "ca.pem"),
        "tls-auth-clients": "yes" if clients else "no",
    }
