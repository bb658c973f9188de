"""Sessions in the database, of which a copy of the database opens none.

The key that a browser shows is stored as a keyed hash, and what a session holds is encrypted: while
a second factor is set up, its seed is part of that.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.contrib.sessions.backends import db
from django.utils import timezone
from django.utils.crypto import salted_hmac

SALT = "relay_portal.sessions"


def stored_key(session_key: str) -> str:
    """Return what stands in the database for the key in a cookie: 160 bits, as many as the column
    holds.
    """
    return salted_hmac(SALT, session_key, algorithm="sha256").hexdigest()[:40]


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls) -> Any:
        from django.contrib.sessions.models import Session

        return Session

    def encode(self, session_dict: dict[str, Any]) -> str:
        return _cipher().encrypt(json.dumps(session_dict, separators=(",", ":")).encode()).decode()

    def decode(self, session_data: str | bytes) -> dict[str, Any]:
        """Return what it holds; nothing where it was written under another secret key, or before
        it was encrypted.
        """
        try:
            found = json.loads(_cipher().decrypt(session_data))
        except (InvalidToken, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    # --- where Django would take the key as it is; the portal runs under WSGI, and uses none of the
    def _get_session_from_db(self) -> Any:
        key = self.session_key
        if key is None:
            return None
        found = self.model.objects.filter(
            session_key=stored_key(key), expire_date__gt=timezone.now()
        ).first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        return super().exists(stored_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        instance: Any = super().create_model_instance(data)
        instance.session_key = stored_key(instance.session_key)
        return instance

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            super().delete(stored_key(key))

    async def acreate_model_instance(self, data: dict[str, Any]) -> Any:
        raise NotImplementedError("it would store the key as it is")


def _cipher() -> Fernet:
    from base64 import urlsafe_b64encode

    return Fernet(urlsafe_b64encode(salted_hmac(f"{SALT}.data", b"", algorithm="sha256").digest()))
