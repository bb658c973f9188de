"""What a process notices of the clock, and of its own absence."""

import asyncio

from domains.foundation.process.pulse import Pulse, boot_id, described


class Clocks:
    """Both at a time that the test says."""

    def __init__(self):
        self.wall = self.machine = 1000.0

    def pulse(self):
        return Pulse(wall=lambda: self.wall, machine=lambda: self.machine)

    def pass_by(self, seconds, ahead=0.0):
        self.machine += seconds
        self.wall += seconds + ahead


def test_time_that_passes_is_no_news(caplog):
    clocks = Clocks()
    pulse = clocks.pulse()
    clocks.pass_by(1, ahead=0.5)
    assert (pulse.beat(), caplog.text) == (0, "")


def test_a_clock_that_was_set_is_told_once(caplog):
    clocks = Clocks()
    pulse = clocks.pulse()
    clocks.pass_by(1, ahead=-3600)
    assert pulse.beat() == -3600
    assert "event=clock-set seconds=-3600 text=The clock was set" in caplog.text
    clocks.pass_by(1)
    assert pulse.beat() == 0


def test_a_process_that_did_not_run_says_so(caplog):
    clocks = Clocks()
    pulse = clocks.pulse()
    clocks.pass_by(40)
    assert pulse.beat() == 0
    assert "event=asleep text=This process did not run for 40 s" in caplog.text


async def test_who_asks_is_told_of_a_clock_that_was_set(monkeypatch):
    monkeypatch.setattr("domains.foundation.process.pulse.EVERY", 0)
    clocks, told = Clocks(), asyncio.Queue()
    beating = asyncio.create_task(clocks.pulse().run(told.put_nowait))
    await asyncio.sleep(0)
    clocks.pass_by(1, ahead=3600)
    assert await told.get() == 3600
    beating.cancel()


def test_words_and_the_name_of_the_machines_start():
    assert (described(3600), described(-12)) == ("forward by 3,600 s", "back by 12 s")
    assert boot_id() == boot_id() != ""
