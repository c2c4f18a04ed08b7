"""Let calls that are made at the same time share one: group commit, as databases call it, for a batch API."""

import threading
from collections import deque
from collections.abc import Callable, Sequence


class _Entry:
    """Hold one caller's items until they are answered."""

    def __init__(self, items: Sequence):
        self.items = items
        self.taken = False  # by a batch
        self.turn = threading.Event()  # to lead the next batch, if nobody has taken this entry
        self.answered = threading.Event()
        self.answers: list = []
        self.error: BaseException | None = None


class Together:
    """Call `call(items) -> answers` for several threads at once, `size` items at most.

    Who finds nobody calling calls at once, alone. Those who come meanwhile wait, and the first of them then calls for
    all. So a single caller waits for nothing, no timer is involved, and the busier it gets the fuller the batches are.
    Who has waited for `patience` seconds, because a call hangs, calls beside it.
    """

    def __init__(self, call: Callable[[list], list], size: int, patience: float):
        self._call, self._size, self._patience = call, size, patience
        self._lock = threading.Lock()
        self._waiting: deque[_Entry] = deque()
        self._calling = 0

    def __call__(self, items: Sequence) -> list:
        """Return the answers to `items`, `size` at most, in order; raise what the call with them has raised."""
        entry = _Entry(items)
        with self._lock:
            self._waiting.append(entry)
            batch = [] if self._calling else self._take(entry)
        if not batch:
            entry.turn.wait(self._patience)
            with self._lock:
                batch = [] if entry.taken else self._take(entry)
        if batch:
            self._answer(batch)
        entry.answered.wait()  # No longer than the call that has it takes.
        if entry.error:
            raise entry.error
        return entry.answers

    def _take(self, first: _Entry) -> list[_Entry]:
        """Take the caller's own entry and, oldest first, as many others as a batch has room for."""
        self._waiting.remove(first)
        batch, room = [first], self._size - len(first.items)
        while self._waiting and len(self._waiting[0].items) <= room:
            batch.append(self._waiting.popleft())
            room -= len(batch[-1].items)
        for entry in batch:
            entry.taken = True
        self._calling += 1
        return batch

    def _answer(self, batch: list[_Entry]) -> None:
        try:
            answers = iter(self._call([item for entry in batch for item in entry.items]))
            for entry in batch:
                entry.answers = [next(answers) for _ in entry.items]
        except BaseException as error:  # noqa: BLE001  Nobody may wait for ever: each raises it in its own thread.
            for entry in batch:
                entry.error = error
        finally:
            with self._lock:
                self._calling -= 1
                if self._waiting and not self._calling:
                    self._waiting[0].turn.set()
            for entry in batch:
                entry.answered.set()
                entry.turn.set()  # It need not wait for one any more.
