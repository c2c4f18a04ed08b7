"""Calls at the same time share one; nobody gets another's answer, error or wait."""

import threading
from concurrent.futures import Future, wait

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rehearsal.shop import eventually
from tickets.together import Together

SECONDS = 10
FOR_EVER = threading.TIMEOUT_MAX  # patience: who is not woken then hangs until the test fails


def begin(call, *arguments) -> Future:
    """Call in a thread that nobody waits for in the end: it may hang for ever."""
    future = Future()

    def run():
        try:
            future.set_result(call(*arguments))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result has it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class Service:
    """Answer each item with its double; hold calls while `open` is cleared; fail those that have a `bad` item."""

    def __init__(self):
        self.calls = []
        self.open = threading.Event()
        self.open.set()
        self.bad = set()

    def __call__(self, items):
        self.calls.append(items)
        assert self.open.wait(SECONDS)
        if self.bad & set(items):
            raise ConnectionError(f"failed: {items}")
        return [2 * item for item in items]


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def meanwhile(service):
    """Make calls of `together` that all come while the first is held; return what became of each."""

    def run(together, *calls):
        service.open.clear()
        futures = [begin(together, calls[0])]
        eventually(lambda: service.calls, SECONDS)
        for number, items in enumerate(calls[1:], 1):
            futures.append(begin(together, items))
            eventually(lambda number=number: len(together._waiting) == number, SECONDS)
        service.open.set()
        return [future.exception(SECONDS) or future.result() for future in futures]

    return run


def test_one_alone_calls_at_once(service):
    together = Together(service, size=10, patience=FOR_EVER)
    assert [begin(together, items).result(SECONDS) for items in ([1], [2, 3])] == [[2], [4, 6]]
    assert service.calls == [[1], [2, 3]]


def test_those_who_come_meanwhile_share_the_next_call(service, meanwhile):
    together = Together(service, size=10, patience=FOR_EVER)
    assert meanwhile(together, [1], [2], [3, 4], [5]) == [[2], [4], [6, 8], [10]]
    assert service.calls == [[1], [2, 3, 4, 5]]


def test_a_hundred_at_once_take_eleven_calls(service, meanwhile):
    together = Together(service, size=10, patience=FOR_EVER)
    assert meanwhile(together, *([i] for i in range(100))) == [[2 * i] for i in range(100)]
    assert [len(call) for call in service.calls] == [1, *[10] * 9, 9]


def test_what_does_not_fit_goes_with_the_next_whole(service, meanwhile):
    together = Together(service, size=4, patience=FOR_EVER)
    meanwhile(together, [0], [1, 2, 3], [4, 5], [6])
    assert service.calls == [[0], [1, 2, 3], [4, 5, 6]]


def test_an_error_is_theirs_whose_call_failed(service, meanwhile):
    together = Together(service, size=2, patience=FOR_EVER)
    service.bad = {2}
    first, second, third, fourth = meanwhile(together, [1], [2], [3], [4])
    assert (first, fourth) == ([2], [8])
    assert [str(second), str(third)] == ["failed: [2, 3]"] * 2
    assert begin(together, [5]).result(SECONDS) == [10]


def test_who_has_waited_long_enough_calls_beside_a_call_that_hangs(service):
    together = Together(service, size=10, patience=0)
    service.open.clear()
    futures = [begin(together, [number]) for number in range(3)]
    eventually(lambda: sum(map(len, service.calls)) == 3, SECONDS)  # Nobody waits for the first one's end.
    service.open.set()
    assert [future.result(SECONDS) for future in futures] == [[0], [2], [4]]


# Not shrunk: an example that hangs would hang once for each step of it.
@settings(deadline=None, max_examples=50, phases=[Phase.generate], report_multiple_bugs=False)
@given(
    calls=st.lists(st.integers(1, 6), min_size=1, max_size=40),
    threads=st.integers(1, 16),
    size=st.integers(6, 10),
    patience=st.sampled_from([0, 0.001, FOR_EVER]),
    bad=st.sets(st.integers(0, 100)),
)
def test_however_they_interleave_each_item_is_sent_once_and_answered_to_its_sender(calls, threads, size, patience, bad):
    service, number = Service(), iter(range(1000))
    service.bad = bad
    together = Together(service, size, patience)
    asked = [[next(number) for _ in range(count)] for count in calls]
    turns = threading.Semaphore(threads)

    def ask(items):
        with turns:
            return together(items)

    futures = [begin(ask, items) for items in asked]
    assert wait(futures, SECONDS).not_done == set()
    assert sorted(item for call in service.calls for item in call) == sorted(item for items in asked for item in items)
    assert max(map(len, service.calls)) <= size
    failed = {item for call in service.calls if bad & set(call) for item in call}
    for items, future in zip(asked, futures, strict=True):
        if failed & set(items):
            assert isinstance(future.exception(), ConnectionError)
        else:
            assert future.result() == [2 * item for item in items]
    assert (len(together._waiting), together._calling) == (0, 0)
