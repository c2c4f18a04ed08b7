import pytest

from tickets.breaker import Breaker, BreakerOpen


class Away(Exception):
    pass


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(failure=Away, limit=3, pause=30, clock=clock)


def _fail(breaker, times=1, error=Away):
    for _ in range(times):
        with pytest.raises(error), breaker:
            raise error


def test_it_opens_after_three_failures_in_a_row(breaker):
    _fail(breaker, 3)
    with pytest.raises(BreakerOpen), breaker:
        pass


def test_a_success_in_between_starts_the_count_again(breaker):
    _fail(breaker, 2)
    with breaker:
        pass
    _fail(breaker, 2)
    with breaker:
        pass


def test_another_kind_of_error_is_no_failure(breaker):
    _fail(breaker, 5, ValueError)
    with breaker:
        pass


def test_after_the_pause_one_caller_tries_and_the_others_wait_for_it(breaker, clock):
    _fail(breaker, 3)
    clock.now = 30
    with breaker, pytest.raises(BreakerOpen), breaker:
        pass
    with breaker:
        pass


def test_a_trial_that_fails_begins_a_new_pause(breaker, clock):
    _fail(breaker, 3)
    clock.now = 30
    _fail(breaker)
    clock.now = 59
    with pytest.raises(BreakerOpen), breaker:
        pass
