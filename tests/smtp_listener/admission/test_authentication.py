"""Proofs and their judgement (hardening A7, B8, F1)."""

import asyncio
import base64
import statistics
import time
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.backends.database import Database
from domains.senders.credentials import issue
from smtp_listener.admission.accounts import UNKNOWN_A_SECOND, Accounts
from smtp_listener.admission.authentication import Authentication, Proof, decode_login, decode_plain
from smtp_listener.admission.limits import PER_PAIR, LoginThrottle
from smtp_listener.protocol import replies
from smtp_listener.protocol.replies import ServerReply
from tests.deliveries import make

HOME = ip_address("192.0.2.7")


def b64(text):
    return base64.b64encode(text.encode()).decode()


def test_plain_and_login_show_the_same_proof():
    assert (
        decode_plain(b64("\0app\0secret"))
        == decode_login(b64("app"), b64("secret"))
        == Proof("app", "secret")
    )
    assert decode_plain(b64("app\0app\0secret")) == Proof("app", "secret")
    assert decode_plain(b64("boss\0app\0secret")) == Proof("app", "secret", "boss")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "=",
        "!!!",
        "あ",
        b64("app"),
        b64("\0app"),
        b64("\0\0secret"),
        b64("\0app\0"),
        b64("\0a\0b\0c"),
        b64("\0" + "x" * 256 + "\0secret"),
        b64("\0app\0" + "x" * 3000),
        b64("\0a\nb\0secret"),
        "AGFwcABzZWNyZXQ",
        "/w==",
    ],
)
def test_a7_what_is_no_proof_gets_a_neutral_answer(line):
    assert decode_plain(line) == replies.AUTH_BAD_BASE64


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_a_proof_or_a_refusal(one, two):
    assert isinstance(decode_plain(one), Proof | ServerReply)
    assert isinstance(decode_login(one, two), Proof | ServerReply)


@asynccontextmanager
async def authentication(*, first_delay=0.0):
    accounts = Accounts(Database("test"))
    try:
        yield Authentication(accounts, LoginThrottle(first_delay=first_delay))
    finally:
        await accounts.close()


def judge(*proofs, address=HOME, first_delay=0.0):
    async def main():
        async with authentication(first_delay=first_delay) as judge:
            return [await judge.judge(Proof(*proof), address) for proof in proofs]

    return asyncio.run(main())


@pytest.fixture
def app(mail_db):
    credential, secret = issue(make.project(), "app")
    return credential.username, secret


def test_the_right_secret_opens_and_no_other_does(app):
    opened, *others = judge(app, (app[0], "wrong"), ("nobody", app[1]), (app[0].upper(), app[1]))
    assert opened.kind == "password"
    assert others == [replies.AUTH_FAILED] * 3


def test_a_right_secret_from_a_strange_network_is_a_wrong_one(mail_db):
    credential, secret = issue(make.project(), "app", networks=["198.51.100.0/24"])
    assert judge((credential.username, secret)) == [replies.AUTH_FAILED]
    [account] = judge((credential.username, secret), address=ip_address("198.51.100.9"))
    assert account.credential_id == credential.pk


def test_b8_a_right_secret_is_taken_after_any_number_of_wrong_ones(app):
    *wrong, right, one_more = judge(*[(app[0], "wrong")] * 30, app, (app[0], "wrong"))
    assert wrong == [replies.AUTH_FAILED] * PER_PAIR + [replies.AUTH_LOCKED] * 20
    assert right.kind == "password"
    assert (one_more, one_more.closes) == (replies.AUTH_LOCKED, True)


def test_a_flood_of_invented_names_asks_postgresql_for_few_of_them(app):
    class Counting(Database):
        asked = 0

        async def fetch(self, sql, parameters=None, **given):
            self.asked += 1
            return await super().fetch(sql, parameters, **given)

    async def main():
        accounts = Accounts(database := Counting("test"))
        try:
            await asyncio.gather(
                *(accounts.named(f"name-{number}") for number in range(UNKNOWN_A_SECOND))
            )
            found = [await accounts.named(f"other-{number}") for number in range(500)]
            return database.asked, found, await accounts.named(app[0])
        finally:
            await accounts.close()

    asked, found, known = asyncio.run(main())
    assert (asked - UNKNOWN_A_SECOND, found) <= (100, [None] * 500)
    assert known is not None


def test_b8_the_answer_to_a_wrong_try_waits(app):
    started = time.monotonic()
    judge((app[0], "wrong"), (app[0], "wrong"), first_delay=0.05)
    assert time.monotonic() - started >= 0.15


def test_b8_an_unknown_name_takes_the_time_of_a_wrong_secret(app):
    async def main():
        took = {app[0]: [], "nobody": []}
        async with authentication() as judge:
            for number in range(500):
                for name in took:
                    started = time.perf_counter()
                    address = ip_address(
                        f"10.{number // 200}.{number % 200}.{1 if name == 'nobody' else 2}"
                    )
                    await judge.judge(Proof(name, "x" * 32), address)
                    took[name].append(time.perf_counter() - started)
        return [statistics.median(times) for times in took.values()]

    known, unknown = asyncio.run(main())
    assert abs(known - unknown) < 0.2 * known
