"""Writing behind, and looking at the head of a pipe."""

from __future__ import annotations

import io
import os
import threading
import time

import pytest

from wavenetmv.io.heads import with_head
from wavenetmv.video.overlap import WriteBehind


def test_everything_is_written_in_order_before_the_block_ends():
    written = []
    with WriteBehind(lambda item: time.sleep(0.001) or written.append(item), 3) as behind:
        for number in range(50):
            behind.put(number)
    assert written == list(range(50))


def test_at_most_depth_items_wait():
    gate = threading.Event()
    done = []
    with WriteBehind(lambda item: gate.wait(10) and done.append(item), 2) as behind:
        for number in range(3):  # one in the writer's hands
            behind.put(number)
        late = threading.Thread(target=behind.put, args=(3,))
        late.start()
        late.join(0.3)
        assert late.is_alive()
        gate.set()
        late.join(10)
    assert done == [0, 1, 2, 3]


def put_all(behind, count, error=None):
    with behind:
        for number in range(count):
            behind.put(number)
        if error:
            raise error


@pytest.mark.parametrize("count", [1, 1000])
def test_a_failure_of_the_writer_reaches_the_caller(count):
    def fail(item):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        put_all(WriteBehind(fail, 2), count)


def test_a_failure_of_the_caller_drops_what_waits():
    gate = threading.Event()
    done = []
    behind = WriteBehind(lambda item: gate.wait(0.2) or done.append(item), 5)
    with pytest.raises(KeyError):
        put_all(behind, 5, KeyError())
    assert len(done) <= 1


class Unseekable(io.BytesIO):
    def seekable(self):
        return False


@pytest.mark.parametrize("size", [0, 3, 10, 50])
def test_the_head_is_read_twice(size):
    data = bytes(range(10))
    for source in (io.BytesIO(data), Unseekable(data), io.BufferedReader(Unseekable(data))):
        head, whole = with_head(source, size)
        assert head == data[:size]
        again, whole = with_head(whole, 4)
        assert again == data[:4]
        assert whole.read(2) == data[:2]
        assert whole.read() == data[2:]
        assert whole.read(1) == b""


def test_a_file_stays_where_it_was():
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    head, whole = with_head(file, 3)
    assert (head, whole.tell(), whole.read()) == (b"456", 4, b"456789")


def test_a_pipe_gives_what_it_has():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as sink:
        sink.write(b"abc")
        sink.write(b"def")
        head, whole = with_head(source, 4)
        assert head == b"abcd"
        assert whole.read(6) == b"abcdef"  # and waits for no more
        sink.write(b"g")
        assert whole.read(1) == b"g"
