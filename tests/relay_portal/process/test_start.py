"""What a process reads in as it starts, and what it leaves until it is needed: each start of a
service costs that of seven processes.
"""

import subprocess
import sys

from tests.journeys.processes import ROOT

# Passkeys and OpenID are the portal's.
ELSEWHERE = ("webauthn", "authlib", "requests")
LOOK = f"""
import gc, sys
import deliveries.jobs.worker, deliveries.sending.drain_process
import relay_portal.management.commands.status, smtp_listener.sessions.server
from deliveries.classification.rules import _compiled
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
print([name for name in {ELSEWHERE} if name in sys.modules], _compiled.cache_info().currsize)
"""


def test_mail_and_commands_read_in_nothing_that_only_pages_need_and_compile_no_rule():
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", LOOK]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == "True True\n[] 0\n"
