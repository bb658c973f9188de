import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from domains.foundation.secrets.keyring import KeyRing, KeyRingError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "ring"


def test_what_is_encrypted_is_decrypted(path):
    token = KeyRing.open(path).encrypt(b"private")
    assert b"private" not in token
    assert KeyRing.open(path).decrypt(token) == b"private"
    assert KeyRing.open(path).decrypt(memoryview(token)) == b"private"


def test_a_new_ring_is_for_us_alone(path):
    ring = KeyRing.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text().strip() not in repr(ring)


def test_processes_that_start_together_share_one_ring(path):
    with ThreadPoolExecutor(16) as pool:
        rings = list(pool.map(lambda _: KeyRing.open(path), range(64)))
    token = rings[0].encrypt(b"private")
    assert {ring.decrypt(token) for ring in rings} == {b"private"}
    assert os.listdir(path.parent) == ["ring"]


def test_after_a_rotation_old_and_new_decrypt_also_in_a_running_process(path):
    ring, running = KeyRing.open(path), KeyRing.open(path)
    old = ring.encrypt(b"old")
    ring.rotate()
    new = ring.encrypt(b"new")
    assert (running.decrypt(old), running.decrypt(new)) == (b"old", b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_rotations_at_once_lose_no_key(path):
    KeyRing.open(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: KeyRing.open(path).rotate(), range(16)))
    assert len(KeyRing.open(path)) == 17


def test_what_was_encrypted_again_outlives_the_old_keys(path):
    ring = KeyRing.open(path)
    token = ring.encrypt(b"private")
    ring.rotate()
    again = ring.reencrypt(token)
    ring.forget_old()
    assert (len(ring), ring.decrypt(again)) == (1, b"private")
    with pytest.raises(KeyRingError, match="another key ring"):
        ring.decrypt(token)


def test_a_lost_ring_is_not_silently_made_anew(path):
    with pytest.raises(KeyRingError, match="missing"):
        KeyRing.open(path, create=False)
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"secret-but-short\n", "damaged"),
        (b"\xff" * 44, "damaged"),
    ],
)
def test_a_damaged_ring_says_so_without_showing_it(path, content, reason):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(KeyRingError, match=reason) as caught:
        KeyRing.open(path)
    assert "secret" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_ring_that_is_a_folder_cannot_be_read(path):
    path.mkdir(parents=True)
    with pytest.raises(KeyRingError, match="cannot be read"):
        KeyRing.open(path)


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KeyRingError, match="cannot be made"):
        KeyRing.open(tmp_path / "file" / "ring")


@pytest.mark.parametrize("token", [b"", b"nonsense", b"\xff\0", b"gAAAAA" + b"A" * 100])
def test_nonsense_is_not_decrypted(path, token):
    with pytest.raises(KeyRingError):
        KeyRing.open(path).decrypt(token)
