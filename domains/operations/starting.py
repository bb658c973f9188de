"""What a long-running process looks at before it begins: whether it may work for this installation
at all.
"""

from __future__ import annotations

import logging
import sys
import time

from django.db import InterfaceError, OperationalError, connection

from domains.foundation.process import postgres_session, systemd
from domains.foundation.process.postgres_session import UnsafeDatabase
from domains.foundation.secrets.keyring import KeyRingError
from domains.operations import own_keys

AGAIN = 1.0  # seconds until PostgreSQL is asked again
PATIENCE = 60.0  # seconds that systemd allows the start from each try on

logger = logging.getLogger(__name__)


def admit() -> None:
    """Return once this process may begin; waits while PostgreSQL is out of reach, since nobody
    else can say so.

    Raises `UnsafeDatabase` where PostgreSQL breaks a promise, `KeyMismatch` and `KeyRingError`
    where its keys are not the installation's.
    """
    said = ""
    while True:
        try:
            return examine()
        except (OperationalError, InterfaceError) as error:
            connection.close()
            trouble = str(error).strip().partition("\n")[0]
            if trouble != said:
                logger.warning("PostgreSQL is out of reach: %s; waiting for it", trouble)
                said = trouble
            systemd.waiting("Waiting for PostgreSQL", seconds=PATIENCE)
            time.sleep(AGAIN)


def admit_or_end() -> None:
    """Run `admit` for a process that is no command of ours; exit with status 2 where it refuses.

    It leaves no connection open that a fork would share.
    """
    try:
        admit()
    except (KeyRingError, UnsafeDatabase) as error:
        systemd.say_error(f"ekiden: {error}")
        sys.exit(2)
    finally:
        connection.close()


def examine() -> None:
    """Look once; raises as `admit`, and Django's `OperationalError` where PostgreSQL is out of
    reach.
    """
    postgres_session.demand()
    own_keys.check()
