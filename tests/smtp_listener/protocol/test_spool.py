"""Where a message waits: small in memory, large on disk."""

import tracemalloc

from smtp_listener.protocol.spool import IN_MEMORY, Spool


def test_a_small_message_never_touches_the_disk(tmp_path):
    spool = Spool(tmp_path / "spool")
    spool.append(b"a\r\n")
    spool.append(b"b\r\n")
    assert (spool.whole(), spool.size, spool.is_in_memory) == (b"a\r\nb\r\n", 6, True)
    assert not (tmp_path / "spool").exists()


def test_a_large_message_is_on_disk_without_a_name(tmp_path):
    spool = Spool(tmp_path)
    for number in range(3000):
        spool.append(b"%0100d\r\n" % number)
    whole = b"".join(b"%0100d\r\n" % number for number in range(3000))
    assert not spool.is_in_memory
    assert list(tmp_path.iterdir()) == []
    assert b"".join(spool.body(0).chunks()) == whole
    assert b"".join(spool.body(150).chunks()) == whole[150:]
    assert spool.body(150).size == len(whole) - 150
    spool.close()


def test_the_beginning_of_a_large_message_holds_its_header(tmp_path):
    spool = Spool(tmp_path)
    spool.append(b"x" * 3_000_000)
    assert spool.whole() == b"x" * 4 * IN_MEMORY
    spool.close()


def test_many_tiny_pieces_cost_what_they_hold(tmp_path):
    tracemalloc.start()
    spool = Spool(tmp_path)
    for _ in range(IN_MEMORY):
        spool.append(b"x")
    assert tracemalloc.get_traced_memory()[0] < 2 * IN_MEMORY
    tracemalloc.stop()


def test_a_large_message_costs_no_memory(tmp_path):
    spool, block = Spool(tmp_path), b"x" * 65_536
    tracemalloc.start()
    for _ in range(320):
        spool.append(block)
    assert sum(map(len, spool.body(0).chunks())) == 20 * 1_048_576
    assert tracemalloc.get_traced_memory()[1] < 1_048_576
    tracemalloc.stop()
    spool.close()


def test_it_knows_whether_all_is_ascii(tmp_path):
    spool = Spool(tmp_path)
    spool.append(b"a\r\n")
    assert spool.is_ascii
    spool.append(b"\xe3")
    assert not spool.is_ascii
