"""npm's oauth2-mock-server as the authorization server that gives access tokens and vouches for
them.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Self

from tests.journeys.processes import wait_until
from tests.ports import free_port

FOLDER = Path(os.environ.get("EKIDEN_PEERS", "/var/cache/ekiden-peers")) / "tokens"
SCRIPT = Path(__file__).with_suffix(".mjs")


def is_missing() -> bool:
    return not (FOLDER / "node_modules" / "oauth2-mock-server").is_dir()


class AuthorizationServer:
    """Its tokens are this `username`'s."""

    def __init__(self, username: str) -> None:
        self.port = free_port()
        self._username = username

    @property
    def token_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/token"

    @property
    def introspection_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/userinfo"

    def __enter__(self) -> Self:
        command = ["node", str(SCRIPT), str(FOLDER), str(self.port), self._username]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        wait_until(lambda: self.told(), "the authorization server answers")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(300)
        self._process.stdout.close()

    def told(self, **what: Any) -> Any:
        """Have it do so from now on: `lifetime`, `error`, `refused`, `rotates`, or `revoke` what
        it has given. Return how many tokens it has given, and what it was asked.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())
