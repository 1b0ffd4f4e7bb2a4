"""Quantiles of merged histograms are right to within the relative error, however the times were spread and merged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import ceil
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_layer.histograms import LAST, RELATIVE_ERROR, Histogram, bucket_of
from cache_layer.metrics import Measures
from cache_layer.statistics import by_cache
from cache_layer.steps import Load

times_us = st.lists(st.floats(min_value=1, max_value=1e9), min_size=1, max_size=60)
shares = st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0])


def recorded(times: Sequence[float]) -> Histogram:
    """The way of a load: recorded in a process, named by field, read again."""
    measures = Measures()
    for us in times:
        measures.load(Load(None, "rag"), us / 1e6)
    return by_cache(measures.take())["rag"].load


def nearest_rank(times: Sequence[float], share: float) -> float:
    return sorted(times)[ceil(share * len(times)) - 1]


@given(processes=st.lists(times_us, min_size=1, max_size=5), share=shares)
def test_a_quantile_of_several_processes_is_right_to_within_a_tenth(processes: list[list[float]], share: float) -> None:
    """Fails with three buckets a doubling: the error is 12 % then."""
    merged = reduce(add, map(recorded, processes))
    every = [us for times in processes for us in times]
    found, true = merged.quantile_us(share), nearest_rank(every, share)
    assert found is not None
    assert abs(found - true) <= RELATIVE_ERROR * true * (1 + 1e-6)
    assert RELATIVE_ERROR <= 0.1
    assert merged.count == len(every)
    assert merged.sum_us == pytest.approx(sum(every), abs=len(processes))


@given(times=times_us, cut=st.integers(min_value=0, max_value=60))
def test_how_it_was_cut_up_does_not_matter(times: list[float], cut: int) -> None:
    first, second = recorded(times[:cut]) if times[:cut] else Histogram(), times[cut:]
    merged = first + (recorded(second) if second else Histogram())
    assert merged.buckets == recorded(times).buckets


@given(times=times_us, doublings=st.integers(min_value=0, max_value=30))
def test_what_is_within_a_power_of_two_is_counted_exactly(times: list[float], doublings: int) -> None:
    """Prometheus's bounds are such powers. The times go through seconds as a float, hence the hair's breadth."""
    within = recorded(times).up_to(doublings)
    assert sum(us < 2**doublings * (1 - 1e-9) for us in times) <= within
    assert within <= sum(us <= 2**doublings * (1 + 1e-9) for us in times)


@pytest.mark.parametrize(
    ("us", "bucket"), [(0, 0), (0.2, 0), (1, 0), (1.01, 1), (2, 4), (2.01, 5), (1024, 40), (1e12, LAST)]
)
def test_a_bucket_holds_its_upper_bound(us: float, bucket: int) -> None:
    assert bucket_of(us) == bucket


def test_nothing_has_no_quantile_and_what_is_too_quick_to_tell_counts_as_a_microsecond() -> None:
    assert Histogram().quantile_us(0.5) is None
    assert recorded([0.3, 0.1]).quantile_us(0.5) == 1.0
