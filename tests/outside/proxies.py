"""The proxies that docs/operations.md gives examples of: each example, and what runs it."""

import os
import re
import shutil

import pytest

from tests.journeys.rig import ROOT


def block(language):
    """Return the one example in that language, word for word."""
    [text] = re.findall(
        rf"```{language}\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL
    )
    return text


def program(name):
    """Find the program; skip where it is not, and fail in CI."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        text = f"not here: {name} (see .ci/apt-packages)"
        pytest.fail(text) if os.environ.get("CI") == "true" else pytest.skip(text)
    return found


def nginx(text, folder):
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 1024; }}\n"
        f"http {{ access_log off; {temporary}\n{text}\n}}"
    )
    return [
        program("nginx"),
        "-c",
        str(folder / "conf"),
        "-p",
        str(folder),
        "-e",
        str(folder / "error.log"),
    ]


def caddy(text, folder):
    (folder / "Caddyfile").write_text(
        "{\n  admin off\n  auto_https off\n}\n" + text.replace("{\n", "{\n    bind 127.0.0.1\n", 1)
    )
    return [
        program("caddy"),
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        str(folder / "Caddyfile"),
    ]
