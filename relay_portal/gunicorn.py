"""The settings of gunicorn, for `up` and for the unit alike (`gunicorn --config
relay_portal/gunicorn.py`).

The unit binds to the loopback address on its command line, which goes before what is here: a proxy
stands before it.
"""

import gc
import os
import sys
from pathlib import Path

_root = str(Path(__file__).resolve().parent.parent)
if _root not in sys.path:  # gunicorn reads this file before it looks at `chdir`
    sys.path.insert(0, _root)

from relay_portal.setup.environment import address, fixed_port, setting  # noqa: E402

_host = setting("EKIDEN_BIND", address, "127.0.0.1")
_port = setting("EKIDEN_PORTAL_PORT", fixed_port, 8000)

wsgi_app = "relay_portal.wsgi"
chdir = _root
bind = f"{f'[{_host}]' if ':' in _host else _host}:{_port}"
workers = 2
threads = 4
worker_class = "relay_portal.serving.worker.WholeRequests"
worker_connections = 1000
keepalive = 15  # seconds between two requests; such a connection costs no thread
graceful_timeout = 20
sendfile = False  # answers pass through the worker's loop
control_socket_disable = True
loglevel = "warning"
logger_class = "relay_portal.serving.weblog.Logger"


def on_starting(_server: object) -> None:
    """End before any worker is started, where this machine may not work for the installation."""
    gc.disable()  # as in manage.py
    os.environ["DJANGO_SETTINGS_MODULE"] = "relay_portal.settings"
    import django

    django.setup()
    from domains.operations import starting

    starting.admit_or_end()
    import relay_portal.urls  # noqa: F401  (all pages, once for all workers)

    gc.freeze()  # no worker's collection walks through what all of them share
    gc.enable()
