"""Tables of states: their columns, how they merge, and states as Arrow, JSON and HTML."""

from __future__ import annotations

import datetime
import json
import math
import pickle
from dataclasses import astuple
from decimal import Decimal
from html.parser import HTMLParser
from statistics import NormalDist

import numpy as np
import pytest

import fastloss as fl
from fastloss._core import joining, labels, tables
from fastloss._core.isa import kernels
from fastloss.state import NUMBERS, GroupStates, LossState
from tests.support import fresh, generator
from tests.test_partitions import assert_alike

RNG = np.random.default_rng(0)
N = 600
compiled = kernels("groups")
DAYS = np.array(["2024-01-02", "2024-01-01", "2023-12-31", "NaT"], "M8[D]")


@pytest.fixture(autouse=True)
def own_numbers(request, monkeypatch):
    monkeypatch.setitem(globals(), "RNG", generator(request.node.name))


def scored(groups, weighted=False, n=N):
    y, x = RNG.normal(size=(2, n))
    options = {"sample_weight": RNG.integers(0, 4, n) / 4, "mask": RNG.random(n) < 0.9} if weighted else {}
    return fl.SquaredError().states(y, x, groups=groups, **options)


def assert_same(found, wanted):
    """The tables have the same names, labels of the same types, and the same states to the last digit."""
    assert found.names == wanted.names
    assert len(found) == len(wanted)
    for one, other in zip(found.labels, wanted.labels, strict=True):
        assert type(one) is type(other)
        assert (
            one == other or (one is np.nan and other is np.nan) or (isinstance(one, tuple) and repr(one) == repr(other))
        )
    for one, other in zip(found.values(), wanted.values(), strict=True):
        assert_alike(one, other)


# Names and columns ----------------------------------------------------------------------------------


def test_columns_have_the_names_that_they_were_given():
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    columns = {"site": ["b", "a", "b"], "day": [2, 1, 2]}
    frame = pd.DataFrame(columns)
    records = np.rec.fromarrays([np.array(column) for column in columns.values()], names=list(columns))
    two = [columns, frame, pl.DataFrame(columns), pa.table(columns), records, pd.MultiIndex.from_frame(frame)]
    for groups in two:
        found = scored(groups, n=3)
        assert found.names == ("site", "day")
        assert found.labels == [("a", 1), ("b", 2)]
        assert {name: column.tolist() for name, column in found.columns.items()} == {"site": ["a", "b"], "day": [1, 2]}
    one = [{"day": [2, 1, 2]}, frame[["day"]], frame["day"], pl.Series("day", [2, 1, 2]), records[["day"]]]
    for groups in one:
        found = scored(groups, n=3)
        assert found.names == ("day",)
        assert found.labels == [1, 2]
    nameless = [[2, 1, 2], np.array([2, 1, 2]), pd.Series([2, 1, 2]), pl.Series([2, 1, 2]), pa.array([2, 1, 2])]
    assert all(scored(groups, n=3).names == ("group",) for groups in nameless)
    twice = scored(frame.set_axis(["one", "one"], axis=1), n=3)
    assert twice.names == ("one", "one_2")
    assert scored(pd.MultiIndex.from_arrays([[2, 1, 2], [1, 1, 1]]), n=3).names == ("group", "group_2")
    assert scored(frame.set_axis(pd.Index([7, None], dtype=object), axis=1), n=3).names == ("7", "group")


def test_columns_are_arrays_of_what_their_labels_are():
    pd = pytest.importorskip("pandas")
    for groups, dtype in (
        (np.array([3, 1, 3], np.int8), np.int8),
        (np.array([3, 1, 3]) * 10**12, np.int64),
        ([0.5, np.nan, 0.5], np.float64),
        ([True, False, True], np.bool_),
        (DAYS[[0, 1, 0]], DAYS.dtype),
        (["b", "a", "b"], object),
        (pd.Series([3, 1, 3], dtype="Int64"), np.int64),
        (pd.Series([3, None, 3], dtype="Int64"), object),
        (pd.Series([2**64, 1, 1], dtype=object), object),
    ):
        assert scored(groups, n=3).columns["group"].dtype == dtype


def test_columns_must_fit():
    for groups, message in (
        ({"a": [1, 2, 3], "b": [1, 2]}, r"SquaredError: groups\['b'\] has 2 labels, must have 3 as 'a'"),
        ({"a": {"b": [1, 2, 3], "c": [1, 2, 3]}}, r"SquaredError: groups\['a'\] is a table, must be a column"),
        ({}, r"SquaredError: groups has no columns, must have one or more"),
        ({"a": [[1, 2, 3]]}, r"SquaredError: groups has shape \(1, 3\), must have one axis"),
        ({"a": [1, 2], "b": [1, 2]}, r"SquaredError: groups has shape \(2,\), must be \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            scored(groups, n=3)


def test_the_total_is_the_state_of_all():
    y, x, w = RNG.normal(size=(3, N))
    for options in ({}, {"sample_weight": w**2}):
        table = fl.SquaredError().states(y, x, groups=RNG.integers(0, 50, N), **options)
        assert_alike(table.total, fl.SquaredError().state(y, x, **options))
    assert scored([], n=0).total == LossState()


# Merging ------------------------------------------------------------------------------------------

COLUMNS = {
    "integers": lambda n: RNG.integers(0, 30, n),
    "bytes": lambda n: RNG.integers(0, 30, n).astype(np.int8),
    "far apart": lambda n: RNG.integers(0, 30, n) * 10**15,
    "unsigned": lambda n: RNG.integers(2**64 - 30, 2**64, n, dtype=np.uint64),
    "floats": lambda n: RNG.choice([0.5, -0.0, 0.0, np.nan, np.inf, -2.0], n),
    "half floats": lambda n: RNG.choice([0.5, -1.0, 2.0], n).astype(np.float16),
    "bools": lambda n: RNG.choice([True, False], n),
    "days": lambda n: RNG.choice(DAYS, n),
    "durations": lambda n: RNG.choice(DAYS - DAYS[0], n),
    "words": lambda n: RNG.choice(["north", "south", "éast", "a"], n).astype(object),
    "words, some missing": lambda n: RNG.choice(np.array(["north", "south", None], object), n),
    "numbers, some missing": lambda n: RNG.choice(np.array([1, 2.5, 10, None], object), n),
    "what does not compare": lambda n: np.fromiter(
        (["b", 2, (1, 2), "a"][k] for k in RNG.integers(0, 4, n)), object, n
    ),
    "columns": lambda n: {"site": RNG.choice(["a", "b", None], n), "day": RNG.integers(0, 4, n) * 10**10},
}


def of_rows(groups, rows):
    return {name: column[rows] for name, column in groups.items()} if isinstance(groups, dict) else groups[rows]


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("weighted", [False, True])
def test_tables_of_parts_merge_to_that_of_the_whole(kind, weighted):
    groups = COLUMNS[kind](N)
    y, x, w = RNG.normal(size=(3, N))

    def table(rows):
        options = {"sample_weight": w[rows] ** 2} if weighted else {}
        return fl.SquaredError().states(y[rows], x[rows], groups=of_rows(groups, rows), **options)

    whole = table(np.arange(N))
    for parts in (1, 2, 3, 7, 64):
        ends = np.sort(RNG.integers(0, N + 1, parts - 1))
        found = [table(part) for part in np.split(RNG.permutation(N), ends)]
        assert_same(GroupStates.merge(found), whole)
        assert_same(GroupStates.merge(iter(found[::-1])), whole)
        assert_same(sum(found), whole)


@pytest.mark.parametrize("kind", ["integers", "far apart", "words", "columns"])
def test_tables_with_labels_of_their_own(kind):
    a, b, c = (scored(COLUMNS[kind](N)) for _ in range(3))
    none = scored(of_rows(COLUMNS[kind](N), slice(0)), n=0)
    for first, second in ((a, b), (a, none), (none, b), (none, none), (c, c)):
        found = first + second
        assert set(found.labels) == set(first.labels) | set(second.labels)
        assert kind == "columns" or found.labels == sorted(found.labels)
        for label, state in found.items():
            assert_alike(state, first.get(label, LossState()) + second.get(label, LossState()))
        assert_alike(found.total, first.total + second.total)
    assert_same(a + b, b + a)
    assert_same((a + b) + c, a + (b + c))


def test_labels_that_interleave():
    evens, odds = np.arange(0, 2000, 2), np.arange(1, 2000, 2)
    for first, second in ((evens, odds), (evens[:7], odds), (evens, np.arange(500, 900)), (evens, evens[::-1])):
        for kind in (np.int64, np.uint64, np.int16, np.float64, "M8[D]", str, object):
            one, two = (
                np.char.zfill(labels_.astype(str), 5) if kind is str else labels_.astype(kind)
                for labels_ in (first, second)
            )
            found = scored(one, n=len(one)) + scored(two, n=len(two))
            wanted, counts = np.unique(np.concatenate([one, two]), return_counts=True)
            np.testing.assert_array_equal(found.columns["group"], wanted.astype(found.columns["group"].dtype))
            assert found.count.tolist() == counts.tolist()


def test_labels_of_different_types_keep_what_they_are():
    def both(first, second):
        found = scored(first, n=len(first)) + scored(second, n=len(second))
        return dict(zip(found.labels, found.count.tolist(), strict=True))

    assert both([1, 2], [2.5, 2.0]) == {1: 1, 2: 2, 2.5: 1}
    assert both(np.array([2**63 + 1], np.uint64), [-1, 5]) == {-1: 1, 5: 1, 2**63 + 1: 1}
    assert both(np.array([200], np.uint8), np.array([-100], np.int8)) == {-100: 1, 200: 1}
    assert both(["a"], [1, 1]) == {1: 2, "a": 1}
    assert both(["a", None], ["b", np.nan]) == {"a": 1, "b": 1, np.nan: 2}
    assert both([1.0, np.nan], np.array([1, None], object)) == {1: 2, np.nan: 2}
    assert both(DAYS[:1], ["a"]) == {DAYS[0]: 1, "a": 1}
    assert both(DAYS[:2], DAYS[:1].astype("M8[s]")) == {DAYS[1].astype("M8[s]"): 1, DAYS[0].astype("M8[s]"): 2}
    assert both([True], [1]) == {1: 2}
    assert both([], ["a"]) == {"a": 1}


def test_a_table_without_weights_takes_one_with_them():
    y, x, w = RNG.normal(size=(3, N))
    groups = RNG.integers(0, 9, N)
    plain = fl.SquaredError().states(y, x, groups=groups)
    weighted = fl.SquaredError().states(y, x, groups=groups, sample_weight=w**2)
    assert_same(plain + weighted, weighted + plain)
    assert (plain + weighted).total.count == 2 * N
    np.testing.assert_allclose((plain + weighted).weight, plain.count + weighted.weight, rtol=1e-15)


def test_what_does_not_merge_is_refused():
    with pytest.raises(ValueError, match=r"GroupStates: there are no tables to merge, must be one or more"):
        GroupStates.merge([])
    with pytest.raises(
        ValueError, match=r"GroupStates: the columns of labels are day, must be site, day as in the first"
    ):
        scored({"site": [1], "day": [2]}, n=1) + scored({"day": [2]}, n=1)
    for other in (1, LossState(), {}):
        with pytest.raises(TypeError):
            scored([1], n=1) + other
    with pytest.raises(TypeError):
        LossState() + scored([1], n=1)


def test_many_groups_merge_on_any_number_of_threads():
    n = 40_000
    one, two = (scored(np.arange(n) + shift, weighted, n) for shift, weighted in ((0, False), (n // 2, True)))
    columns, places = tables._joined(one._labels, two._labels)
    assert len(columns["group"]) == 3 * n // 2
    results = []
    for threads in (1, 2, 3):
        to = tables.room(3 * n // 2, True)
        mine = tuple(tables.complete(one._numbers).values())
        compiled.merge_rows(tuple(to.values()), mine, places[0], two._all, places[1], threads)
        results.append(to)
    for found in results:
        for name, column in found.items():
            np.testing.assert_array_equal(column, tables.named((one + two)._numbers, name))


def test_places_are_checked():
    numbers = tuple(scored([1, 2], n=2)._numbers.values())
    full = tuple(tables.complete(scored([1, 2], n=2)._numbers).values())
    to, all_of_it = tuple(tables.room(2, False).values()), np.array([0, 1])
    for given in (
        (to, numbers, np.array([0, 2]), numbers, None), (to, numbers, None, numbers, np.array([-2, 0])),
        (to, numbers, np.array([0]), numbers, None), (to, full, None, numbers, None),
        (to, tuple(column[:1] for column in numbers), None, numbers, None), (full, numbers, None, numbers, None),
        (to, numbers, np.array([0.0, 1.0]), numbers, None), (to[:3], numbers, None, numbers, None),
    ):  # fmt: skip
        with pytest.raises(
            ValueError, match=r"a place that there is none|do not agree|other numbers|another type|3 columns"
        ):
            compiled.merge_rows(*given, 1)
    for given in ((to, np.array([0, 2]), numbers), (to, all_of_it[:1], numbers), (to, all_of_it, full)):
        with pytest.raises(ValueError, match=r"a place that there is none|do not agree"):
            compiled.add_rows(*given)
    with pytest.raises(ValueError, match="do not agree"):
        compiled.average_rows(numbers, np.empty(3), False, 1)
    with pytest.raises(ValueError, match="do not agree"):
        compiled.state_of_losses(np.empty(3), np.empty(2))
    room = np.empty((2, 4), np.intp)
    for given in (
        (all_of_it, all_of_it.astype(float)), (all_of_it.astype("i4"), all_of_it.astype("i4")),
        (all_of_it[:, np.newaxis], all_of_it), (np.arange(3), np.arange(2)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"another type|no room|contiguous"):
            joining.join(*given, *room)


# What states say ----------------------------------------------------------------------------------


def test_intervals_are_of_the_normal_distribution():
    table = scored(RNG.integers(0, 5, N))
    for state in (*table.values(), table.total):
        for level in (0.5, 0.95, 0.999):
            low, high = state.confidence_interval(level)
            normal = NormalDist(state.mean, state.standard_error)
            assert normal.cdf(high) - normal.cdf(low) == pytest.approx(level, rel=1e-12)
            assert (low + high) / 2 == pytest.approx(state.mean, rel=1e-14)
    assert table.total.confidence_interval() == table.total.confidence_interval(0.95)
    low, high = table.confidence_interval(0.9)
    assert list(zip(low, high, strict=True)) == [state.confidence_interval(0.9) for state in table.values()]
    assert all(map(math.isnan, LossState().confidence_interval()))
    for level in (0, 1, -1, 95, math.nan):
        for state in (table, table.total):
            with pytest.raises(ValueError, match=rf"confidence_interval: level is {level}, must lie between 0 and 1"):
                state.confidence_interval(level)


def test_perplexity_and_bits_per_byte():
    logits = RNG.normal(size=(N, 50))
    tokens = RNG.integers(0, 50, N)
    state = fl.CrossEntropy().state(tokens, logits)
    assert state.perplexity == pytest.approx(math.exp(fl.cross_entropy(tokens, logits)), rel=1e-13)
    bits = fl.cross_entropy(tokens, logits, reduction="sum") / math.log(2)
    assert state.bits_per_byte(1000) == pytest.approx(bits / 1000, rel=1e-13)
    assert LossState(count=1, weight=1.0, total=1e4).perplexity == math.inf
    assert math.isnan(LossState().perplexity)
    table = fl.CrossEntropy().states(tokens, logits, groups=tokens % 3)
    assert table.perplexity.tolist() == [each.perplexity for each in table.values()]
    for wrong in (0, -1, math.nan):
        with pytest.raises(ValueError, match=rf"LossState: n_bytes is {wrong}, must be greater than 0"):
            state.bits_per_byte(wrong)


def test_tables_are_pickled():
    for table in (scored(RNG.integers(0, 9, N)), scored(COLUMNS["columns"](N), weighted=True)):
        again = pickle.loads(pickle.dumps(table))
        assert_same(again, table)
        assert_same(again + table, table + table)


class Cells(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


def test_notebooks_show_a_table():
    state = fl.SquaredError().state([0.0, 0.0], [1.0, np.inf], mask=[True, False])
    header, row = Cells(state._repr_html_()).rows
    assert header == ["mean", "95% from", "to", "minimum", "maximum", "weight", "count", "ignored", "nonfinite"]
    assert row == ["all", "1", "nan", "nan", "1", "1", "1", "1", "1", "0"]
    table = scored({"site": ["<b>", "a&b"], "day": DAYS[:2]}, n=2)
    header, *rows = Cells(table._repr_html_()).rows
    assert header[:3] == ["site", "day", "mean"]
    assert [row[:2] for row in rows] == [["<b>", "2024-01-02"], ["a&b", "2024-01-01"]]
    many = scored(np.arange(N))._repr_html_()
    assert len(Cells(many).rows) == 11
    assert "10 of 600 groups" in many


# JSON ---------------------------------------------------------------------------------------------


def strict(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_a_state_is_json_and_back():
    y, x = RNG.normal(size=(2, N))
    for state in (
        fl.SquaredError().state(y, x, sample_weight=y**2, mask=x > 0), fl.SquaredError().state(y, x), LossState(),
        fl.SquaredError().state([0.0, 0.0], [1.0, np.inf]),
    ):  # fmt: skip
        found = strict(state.to_json())
        assert list(found) == ["fastloss.state", *NUMBERS]
        assert found["fastloss.state"] == 1
        assert [float(found[name]) for name in NUMBERS] == list(astuple(state))
        assert LossState.from_json(state.to_json()) == state
    assert strict(LossState().to_json())["minimum"] == "Infinity"
    broken = fl.SquaredError().state([0.0], [np.nan])
    assert strict(broken.to_json())["total"] == "NaN"
    assert math.isnan(LossState.from_json(broken.to_json()).total)


LABELS = COLUMNS | {
    "many words": lambda n: RNG.choice(['"', "\\", "\n", "nan", "Infinity", ""], n).astype(object),
    "dates": lambda n: RNG.choice(np.array([datetime.date(2024, 1, k) for k in (1, 2, 3)]), n),
    "times of a day": lambda n: RNG.choice(np.array([datetime.time(k, 30) for k in (1, 2, 3)]), n),
    "decimals": lambda n: RNG.choice(np.array([Decimal("0.10"), Decimal("7")]), n),
    "bytes of text": lambda n: RNG.choice([b"north", b"s\xff"], n).astype(object),
    "moments": lambda n: RNG.choice(
        np.array([datetime.datetime(2024, 1, k, tzinfo=datetime.UTC) for k in (1, 2)] + [None]), n
    ),
    "seconds": lambda n: RNG.choice(DAYS.astype("M8[ns]"), n),
    "months": lambda n: RNG.choice(DAYS.astype("M8[M]"), n),
}


@pytest.mark.parametrize("kind", [kind for kind in LABELS if kind != "what does not compare"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_table_is_json_and_back(kind, weighted):
    table = scored(LABELS[kind](N), weighted)
    text = table.to_json()
    found = strict(text)
    assert [column["name"] for column in found["columns"]] == list(table.names)
    assert found["count"] == table.count.tolist()
    assert_same(GroupStates.from_json(text), table)
    assert GroupStates.from_json(text).to_json() == text


def test_times_of_pandas_are_json_and_back():
    pd = pytest.importorskip("pandas")
    days = pd.to_datetime(["2024-01-01T00:00:00.000000001", "2024-01-02", None], format="ISO8601")
    for groups in (days, days.tz_localize("UTC")):
        table = scored(groups, n=3)
        found = GroupStates.from_json(table.to_json())
        assert found.labels == table.labels
        assert found.labels[0].nanosecond == 1


def test_json_of_something_else_is_refused():
    state, table = LossState(1).to_json(), scored([1, 2], n=2).to_json()
    for read, text, message in (
        (LossState.from_json, "{}", r"LossState: the JSON has no 'fastloss\.state', must be what to_json returned"),
        (LossState.from_json, "[1]", r"LossState: the JSON has no 'fastloss\.state'"),
        (LossState.from_json, "nothing", r"LossState: the text is no JSON"),
        (LossState.from_json, table, r"LossState: the JSON is of a table of states, must be of one; Group"),
        (GroupStates.from_json, state, r"GroupStates: the JSON has no columns of labels; LossState\.from_json"),
        (LossState.from_json, changed(state, **{"fastloss.state": 2}), r"LossState: the version .* is 2, must be 1"),
        (GroupStates.from_json, changed(table, **{"fastloss.state": None}), r"GroupStates: the version .* is None"),
        (LossState.from_json, changed(state, weight=...), r"LossState: there is no weight, must have count, ignored, "),
        (GroupStates.from_json, changed(table, total=...), r"GroupStates: there is no total, must have count"),
        (GroupStates.from_json, changed(table, total=[1.0]), r"GroupStates: total has 1 elements, must have 2 as g"),
        (LossState.from_json, changed(state, weight="much"), r"LossState: weight is 'much', must be a number"),
        (LossState.from_json, changed(state, count="Infinity"), r"LossState: count is 'Infinity', must be an integer"),
        (GroupStates.from_json, changed(table, count=[1, 0.5]), r"GroupStates: count is 0\.5, must be an integer"),
        (GroupStates.from_json, changed(table, total=[1, None]), r"GroupStates: total is None, must be a number"),
        (GroupStates.from_json, changed(table, columns=[{"name": "a"}]), r"GroupStates: a column has no type, must"),
        (
            GroupStates.from_json, changed(table, columns=[{"name": "a", "type": "word", "labels": [1, 2]}]),
            r"GroupStates: labels of 'a' are of the unknown type 'word'",
        ),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            read(text)
    for label in ((1, 2), 1j, frozenset()):
        with pytest.raises(
            TypeError, match=r"GroupStates: labels of 'group' are of type .*, must be numbers, words or"
        ):
            scored(np.fromiter([label], object, 1), n=1).to_json()
    with pytest.raises(TypeError, match=r"labels of 'group' are of type float and str"):
        scored(np.array(["a", np.inf], object), n=2).to_json()


def changed(text, **numbers):
    found = json.loads(text) | numbers
    return json.dumps({name: number for name, number in found.items() if number is not ...})


def test_labels_that_json_repeats_are_merged():
    found = json.loads(scored([1, 2], n=2).to_json())
    found["columns"][0]["labels"] = [2, 2]
    table = GroupStates.from_json(json.dumps(found))
    assert table.labels == [2]
    assert table.count.tolist() == [2]


# Arrow --------------------------------------------------------------------------------------------


def test_a_state_is_arrow_and_back():
    pa = pytest.importorskip("pyarrow")
    y, x = RNG.normal(size=(2, N))
    states = [fl.SquaredError().state(y[k::3], x[k::3], mask=x[k::3] > 0) for k in range(3)]
    batches = [state.to_arrow() for state in states]
    for state, batch in zip(states, batches, strict=True):
        assert isinstance(batch, pa.RecordBatch)
        assert batch.schema.names == list(NUMBERS)
        assert batch.schema.metadata == {b"fastloss.state": b"1"}
        assert [str(field.type) for field in batch.schema] == ["int64"] * 3 + ["double"] * 12
        assert LossState.from_arrow(batch) == state
    for together in (pa.Table.from_batches(batches), pa.RecordBatchReader.from_batches(batches[0].schema, batches)):
        assert_alike(LossState.from_arrow(together), sum(states))
    assert LossState.from_arrow(batches[0].slice(0, 0)) == LossState()
    table = scored(RNG.integers(0, 9, N))
    assert_alike(LossState.from_arrow(table.to_arrow()), table.total)


ARROW = {kind: column for kind, column in LABELS.items() if kind not in ("what does not compare", "unsigned")}


@pytest.mark.parametrize("kind", ARROW)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_table_is_arrow_and_back(kind, weighted):
    pa = pytest.importorskip("pyarrow")
    table = scored(ARROW[kind](N), weighted)
    arrow = table.to_arrow()
    assert isinstance(arrow, pa.Table)
    assert arrow.schema.names == [*table.names, *NUMBERS]
    assert arrow.schema.metadata == {b"fastloss.state": b"1"}
    assert arrow["count"].to_pylist() == table.count.tolist()
    assert GroupStates.from_arrow(arrow).columns.keys() == table.columns.keys()
    if kind in ("numbers, some missing", "half floats", "bytes"):  # Arrow has them as numbers of one type
        assert GroupStates.from_arrow(arrow).labels[:-1] == table.labels[:-1]
    elif kind == "moments":
        assert GroupStates.from_arrow(arrow).labels[:2] == table.labels[:2]
    else:
        assert_same(GroupStates.from_arrow(arrow), table)
    assert_same(
        GroupStates.from_arrow(pa.concat_tables([arrow, arrow])),
        GroupStates.from_arrow(arrow) + GroupStates.from_arrow(arrow),
    )


def test_unsigned_labels_are_arrow_and_back():
    pytest.importorskip("pyarrow")
    table = scored(COLUMNS["unsigned"](N))
    assert_same(GroupStates.from_arrow(table.to_arrow()), table)


def test_other_libraries_take_and_give_tables():
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    table = scored({"site": RNG.choice(["a", "b", None], N), "day": RNG.integers(0, 3, N)}, weighted=True)
    arrow = table.to_arrow()
    batch = arrow.combine_chunks().to_batches()[0]

    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return arrow.__arrow_c_stream__(requested_schema)

    class Batch:
        def __arrow_c_array__(self, requested_schema=None):
            return batch.__arrow_c_array__(requested_schema)

    for given in (
        Stream(),
        Batch(),
        batch,
        pl.DataFrame(arrow),
        arrow.to_batches()[0],
        arrow.replace_schema_metadata(None),
    ):
        assert_same(GroupStates.from_arrow(given), table)
    if hasattr(pd.DataFrame, "__arrow_c_stream__"):
        assert_same(GroupStates.from_arrow(arrow.to_pandas()), table)
    assert pa.table(pl.DataFrame(arrow)).num_rows == len(table)


def test_columns_add_up_in_another_engine():
    """Sums by column, and the least and largest of the ends: what SQL does with states of partitions."""
    pd = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    y, x, w = RNG.normal(size=(3, N))
    groups = RNG.choice(["a", "b", "c"], N)
    parts = [
        fl.SquaredError().states(y[k::5], x[k::5], groups=groups[k::5], sample_weight=w[k::5] ** 2).to_arrow()
        for k in range(5)
    ]
    how = dict.fromkeys(NUMBERS, "sum") | {"minimum": "min", "maximum": "max"}
    summed = pa.concat_tables(parts).to_pandas().groupby("group").agg(how).reset_index()
    whole = fl.SquaredError().states(y, x, groups=groups, sample_weight=w**2)
    found = GroupStates.from_arrow(pa.Table.from_pandas(summed, preserve_index=False))
    assert found.labels == whole.labels
    for name in ("count", "ignored", "nonfinite", "minimum", "maximum"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
    for name in ("weight", "sum", "mean", "standard_error"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-13)
    wide = pa.Table.from_pandas(summed, preserve_index=False)
    wide = wide.set_column(1, "count", wide["count"].cast(pa.decimal128(38, 0)))
    assert GroupStates.from_arrow(wide).count.tolist() == whole.count.tolist()
    assert pd is not None


def test_arrow_of_something_else_is_refused():
    pa = pytest.importorskip("pyarrow")
    table = scored(["a", "b"], n=2).to_arrow()
    state = LossState(1).to_arrow()
    nulls = table.set_column(4, "minimum", pa.array([None, 1.0]))
    words = table.set_column(1, "count", pa.array(["one", "two"]))
    twice = table.append_column("group", pa.array([1, 2]))
    other = table.replace_schema_metadata({"fastloss.state": "2"})
    for read, given, message in (
        (
            GroupStates.from_arrow,
            table.drop_columns(["second", "first_low"]),
            r"GroupStates: there is no second, first_low",
        ),
        (
            LossState.from_arrow,
            state.drop_columns(["weight"]),
            r"LossState: there is no weight, must have count, ignored",
        ),
        (GroupStates.from_arrow, other, r"GroupStates: the version of the schema is 2, must be 1"),
        (GroupStates.from_arrow, twice, r"GroupStates: there are several columns 'group', must be one"),
        (LossState.from_arrow, other, r"LossState: the version of the schema is 2, must be 1"),
        (GroupStates.from_arrow, nulls, r"GroupStates: minimum has 1 nulls, must have none"),
        (GroupStates.from_arrow, state, r"GroupStates: groups has no columns, must have one or more"),
    ):
        with pytest.raises(ValueError, match=message):
            read(given)
    with pytest.raises(TypeError, match=r"GroupStates: count is of type string, must be of numbers"):
        GroupStates.from_arrow(words)
    for given in (None, {"a": 1}, np.zeros(3)):
        with pytest.raises(
            TypeError, match=r"LossState: .* is no table, must have the interface of Arrow's streams or"
        ):
            LossState.from_arrow(given)
    with pytest.raises(ValueError, match=r"GroupStates: groups\['weight'\] has the name of a number of a state"):
        scored({"weight": [1, 2]}, n=2).to_arrow()
    with pytest.raises(TypeError, match=r"GroupStates: labels of 'group' have no type of Arrow"):
        scored(np.fromiter(["a", 1], object, 2), n=2).to_arrow()


def test_without_pyarrow_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import fastloss as fl\n"
        "try: fl.LossState().to_arrow()\n"
        "except ImportError as error: print(error)"
    )
    assert fresh(code) == "a state as Arrow needs pyarrow: run `pip install '.[arrow]'` in a clone of fastloss\n"


# Labels -------------------------------------------------------------------------------------------


def test_equal_labels():
    floats = np.array([1.0, np.nan])
    assert labels.same(floats, floats.copy())
    assert labels.same(np.array(["a", np.nan], object), np.array(["a", np.nan], object))
    assert not labels.same(floats, np.array([1.0, 2.0]))
    assert not labels.same(np.array(["a", "b"], object), np.array(["a", "c"], object))
    assert not labels.same(np.array([1]), np.array([1, 2]))
