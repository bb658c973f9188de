"""Jobs as an attacker who can write to Valkey would put them there."""

import json
import pickle
import signal
import zlib

from deliveries.backends import job_queues
from deliveries.jobs.worker import TableWorker

NOW = "2026-11-24T00:00:00.000000Z"


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def as_json(function, *args, instance=None):
    return zlib.compress(json.dumps([function, instance, args, {}]).encode())


def push(valkey, number, **facts):
    """Write a job's row as an attacker does."""
    job = f"evil-{number}"
    valkey.hset(
        f"rq:job:{job}",
        mapping={
            "created_at": NOW,
            "origin": job_queues.MAINTENANCE,
            "status": "queued",
            "timeout": 60,
        }
        | facts,
    )
    valkey.sadd("rq:queues", f"rq:queue:{job_queues.MAINTENANCE}")
    valkey.rpush(f"rq:queue:{job_queues.MAINTENANCE}", job)


def work(valkey):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        TableWorker([job_queues.MAINTENANCE], connection=valkey).work(
            burst=True, logging_level="CRITICAL"
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def jobs(fuse):
    touch = f"touch {fuse}"
    return {
        "a pickle": {"data": zlib.compress(pickle.dumps(Bomb(fuse)))},
        "a bare pickle": {"data": pickle.dumps(Bomb(fuse))},
        "any function": {"data": as_json("evil.run")},
        "a shell": {"data": as_json("os.system", touch)},
        "a module beside ours": {"data": as_json("deliveries.jobs.logging.os.system", touch)},
        "a method": {"data": as_json("system", touch, instance="os")},
        "a callback": {
            "data": as_json("deliveries.jobs.sweep"),
            "success_callback_name": "evil.run",
            "success_callback_timeout": 60,
        },
        "a failure's callback": {
            "data": as_json("no.such"),
            "failure_callback_name": "evil.run",
            "failure_callback_timeout": 60,
        },
        "a result": {
            "data": as_json("deliveries.jobs.sweep"),
            "result": pickle.dumps(Bomb(fuse)),
            "meta": pickle.dumps(Bomb(fuse)),
        },
        "another serializer": {
            "data": pickle.dumps(Bomb(fuse)),
            "serializer": "rq.serializers.PickleSerializer",
        },
        "wrong arguments": {"data": as_json("deliveries.jobs.sweep", touch, touch)},
        "no data": {},
        "a wrong date": {"data": as_json("deliveries.jobs.sweep"), "created_at": "yesterday"},
        "a wrong number": {
            "data": as_json("deliveries.jobs.sweep"),
            "result_ttl": "x",
            "timeout": "soon",
        },
        "a wrong status": {"data": as_json("deliveries.jobs.sweep"), "status": "exploded"},
        "garbage": {"data": b"\xff\x00\x80", "description": b"\xff\xfe", "origin": b"\xff"},
    }
