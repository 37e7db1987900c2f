"""Record batches in, states and record batches out: against calls of the loss with the same numbers as arrays."""

from __future__ import annotations

import datetime
import math
import pickle
from decimal import Decimal
from functools import partial

import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import fastloss as fl
from fastloss.arrow import ScoredBatches, compare_batches, npy, parquet, partial_states, score_batches, sources, text
from fastloss.arrow.columns import numbers
from tests.inputs import draw
from tests.support import DEFAULTS, additive, generator

N = 1000
RNG = generator("arrow")
Y, P, W = RNG.normal(size=N), RNG.normal(size=N), RNG.random(N)
SITE = RNG.integers(0, 5, N)
WORDS = np.array(["north", "south", "east", "west", "sea"], object)[SITE]
LABELS, LOGITS = RNG.integers(0, 7, N), RNG.normal(size=(N, 7)).astype(np.float32)
HUBER = fl.Huber(0.7)
COLUMNS = {"y_true": "y", "y_pred": "p"}


@pytest.fixture(autouse=True, params=[512, 1 << 20], ids=["small pieces", "large pieces"])
def _pieces(request, monkeypatch):
    for module in (sources, npy, parquet):
        monkeypatch.setattr(module, "PIECE", request.param)
    monkeypatch.setattr(parquet, "PORTION", 4 * request.param)
    monkeypatch.setattr(text, "CHUNK", request.param)


@pytest.fixture
def table():
    return pa.table({"y": Y, "p": P, "w": W, "site": SITE, "word": WORDS.tolist()})


def lists(matrix, kind=pa.list_):
    """The rows of a matrix as an array of lists."""
    return pa.array(matrix.tolist(), kind(pa.from_numpy_dtype(matrix.dtype)))


def close(found, wanted, rtol=1e-12):
    """The states are those of the same losses, whose sums are of another order."""
    for name in ("count", "weight", "mean", "standard_error"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=rtol, err_msg=name)


def close_groups(found, wanted):
    assert found.labels == wanted.labels
    close(found, wanted)


# Sources ------------------------------------------------------------------------------------------


def batches_of(table):
    yield from table.to_batches(max_chunksize=170)


class Offers:
    """What offers a table through one of Arrow's interfaces alone."""

    def __init__(self, given, name):
        setattr(self, name, getattr(given, name))


def written(table, folder, **options):
    path = folder / "a.parquet"
    pq.write_table(table, path, **options)
    return path


SOURCES = {
    "table": lambda table, folder: table,
    "chunked table": lambda table, folder: pa.concat_tables([table[:300], table[300:301], table[301:]]),
    "batch": lambda table, folder: table.to_batches()[0],
    "batches": lambda table, folder: table.to_batches(max_chunksize=170),
    "iterator": lambda table, folder: batches_of(table),
    "iterator of tables": lambda table, folder: iter([table[:10], table[10:10], table[10:]]),
    "reader": lambda table, folder: pa.RecordBatchReader.from_batches(table.schema, batches_of(table)),
    "stream": lambda table, folder: Offers(table, "__arrow_c_stream__"),
    "array": lambda table, folder: Offers(table.to_batches()[0], "__arrow_c_array__"),
    "path": lambda table, folder: written(table, folder),
    "name": lambda table, folder: str(written(table, folder, row_group_size=90)),
    "names": lambda table, folder: [written(table[:700], folder), written(table[700:], (folder / "b"))],
    "Parquet file": lambda table, folder: pq.ParquetFile(written(table, folder)),
    "dataset": lambda table, folder: ds.dataset(written(table, folder)),
    "dataset in memory": lambda table, folder: ds.dataset(table),
    "filtered dataset": lambda table, folder: ds.dataset(written(table, folder)).filter(ds.field("site") >= 0),
    "scanner": lambda table, folder: ds.dataset(table).scanner(batch_size=100),
    "pandas": lambda table, folder: table.to_pandas(),
    "Polars": lambda table, folder: polars.from_arrow(table),
    "lazy Polars": lambda table, folder: polars.from_arrow(table).lazy(),
    "lazy Polars of a file": lambda table, folder: polars.scan_parquet(written(table, folder)),
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_sources(table, tmp_path, make):
    (tmp_path / "b").mkdir()
    found = score_batches(make(table, tmp_path), HUBER, **COLUMNS, weight="w", groups=["word", "site"])
    close_groups(found, HUBER.states(Y, P, sample_weight=W, groups={"word": WORDS, "site": SITE}))
    assert found.names == ("word", "site")


def test_relations_of_duckdb(table):
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql("select *, p + 1 as q from given", alias="a") if (given := table) else None
    found = score_batches(relation, HUBER, **COLUMNS, groups="word")
    close_groups(found, HUBER.states(Y, P, groups=WORDS))
    assert len(given) == N
    with pytest.raises(ValueError, match="y_pred: the relation has no column 'z'; it has y, p, w"):
        score_batches(relation, HUBER, y_true="y", y_pred="z")


@pytest.mark.parametrize("given", [5, None, b"a.csv", {"y": [1.0]}, np.zeros(3), [5], "abc"])
def test_what_is_no_source(given):
    with pytest.raises((TypeError, ValueError), match=r"fastloss.arrow: source (is|has) an? |abc: No such file"):
        score_batches(given, HUBER, **COLUMNS)


def test_only_what_is_wanted_is_read(table, tmp_path):
    """Of other columns the file may be broken, and a library need not convert them."""
    path = written(table, tmp_path)
    meta = pq.ParquetFile(path).metadata.row_group(0).column(2)
    content = bytearray(path.read_bytes())
    begin = meta.dictionary_page_offset or meta.data_page_offset
    content[begin : begin + meta.total_compressed_size] = bytes(meta.total_compressed_size)
    path.write_bytes(content)
    close(score_batches(path, HUBER, **COLUMNS), HUBER.state(Y, P))
    with pytest.raises(ValueError, match=r"a\.parquet: "):
        score_batches(path, HUBER, **COLUMNS, weight="w")
    frame = pandas.DataFrame({"y": Y, "p": P, "other": [object()] * N})
    close(score_batches(frame, HUBER, **COLUMNS), HUBER.state(Y, P))


def test_two_columns_of_one_name(table):
    twice = pa.table([table["y"], table["p"], table["w"], table["w"]], ["y", "p", "w", "w"])
    close(score_batches(twice.select([0, 1]), HUBER, **COLUMNS), HUBER.state(Y, P))
    with pytest.raises(ValueError, match="sample_weight: the source has 2 columns 'w', must have one"):
        score_batches(twice, HUBER, **COLUMNS, weight="w")


def test_every_number_of_threads_has_the_same_bits(table):
    for groups in (None, "word"):
        found = [
            pickle.dumps(score_batches(table, HUBER, **COLUMNS, weight="w", groups=groups, num_threads=n))
            for n in (1, 2, 5, None)
        ]
        assert len(set(found)) == 1


def test_empty_sources(table):
    for empty in (table[:0], iter([]), iter([table[:0].to_batches(), table[:0]][1:])):
        assert score_batches(empty, HUBER, **COLUMNS) == fl.LossState()
    states = score_batches(table[:0], HUBER, **COLUMNS, groups=["word", "site"])
    assert (len(states), states.names, states.labels) == (0, ("word", "site"), [])
    batches = score_batches(table[:0], HUBER, **COLUMNS, outputs="loss")
    assert pa.table(batches).schema == pa.schema([("loss", pa.float64())])
    assert list(partial_states([], HUBER, **COLUMNS)) == []


# Losses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", additive(DEFAULTS), ids=repr)
def test_every_loss(loss):
    if loss.signature.names != ("y_true", "y_pred"):
        with pytest.raises(TypeError, match="must be a loss of y_true and y_pred"):
            score_batches(pa.table({"a": [1.0]}), loss, y_true="a", y_pred="a")
        return
    y, x = draw(loss, 100, np.float64, generator(repr(loss)))
    source = pa.table([pa.array(y.tolist()), pa.array(x.tolist())], ["y", "p"])
    close(score_batches(source, loss, **COLUMNS), loss.state(y, x))


def test_losses_that_do_not_add_up(table):
    with pytest.raises(ValueError, match="RootMeanSquaredError: it is one number for the whole sample"):
        score_batches(table, fl.RootMeanSquaredError(), **COLUMNS)
    with pytest.raises(TypeError, match=r"fastloss.arrow: loss is .*must be a loss object"):
        score_batches(table, fl.huber, **COLUMNS)


def test_columns_side_by_side(table):
    y, x = np.abs(Y), np.stack([P, W + 0.1], axis=1)
    source = pa.table({"y": y, "mean": x[:, 0], "variance": x[:, 1].astype(np.float32), "both": lists(x)})
    side_by_side = score_batches(source, fl.GaussianNLL(), y_true="y", y_pred=["mean", "variance"])
    rounded = np.stack([x[:, 0], x[:, 1].astype(np.float32)], axis=1)
    close(side_by_side, fl.GaussianNLL().state(y, rounded))
    close(score_batches(source, fl.GaussianNLL(), y_true="y", y_pred="both"), fl.GaussianNLL().state(y, x))
    with pytest.raises(ValueError, match=r"y_pred\[\d+\] \(column 'variance', rows from 0\) is -"):
        score_batches(
            source.set_column(2, "variance", pa.array(P)), fl.GaussianNLL(), y_true="y", y_pred=["mean", "variance"]
        )


def test_a_loss_without_targets():
    source = pa.table({"logits": lists(LOGITS)})
    close(score_batches(source, fl.SoftmaxEntropy(), y_pred="logits"), fl.SoftmaxEntropy().state(None, LOGITS))
    with pytest.raises(TypeError, match="CrossEntropy: y_true is None, must be the column of the targets"):
        score_batches(source, fl.CrossEntropy(), y_pred="logits")


def test_sums_of_losses():
    source, loss = pa.table({"y": LABELS, "p": lists(LOGITS)}), fl.CrossEntropy() + 0.5 * fl.SoftmaxFocal()
    close(score_batches(source, loss, **COLUMNS), loss.state(LABELS, LOGITS))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"null_policy": "drop"}, ValueError, "Huber: null_policy is 'drop', must be one of propagate, omit, raise"),
        ({"nan_policy": "drop"}, ValueError, "Huber: nan_policy is 'drop'"),
        ({"outputs": "value"}, ValueError, "Huber: outputs has 'value', must be of loss, grad, hess"),
        ({"num_threads": 0}, ValueError, "Huber: num_threads is 0, must be a positive integer"),
        ({"y_pred": []}, TypeError, "Huber: y_pred is empty, must be one or more columns"),
        ({"weight": "weigth"}, ValueError, "sample_weight: the source has no column 'weigth'; it has y, p"),
        ({"groups": ["site", "z"]}, ValueError, "groups: the source has no column 'z'; it has y, p, w, site, word"),
    ],
)
def test_bad_options(table, options, error, message):
    with pytest.raises(error, match=message):
        list(score_batches(table, HUBER, **{**COLUMNS, "outputs": "loss", **options}))


# Columns ------------------------------------------------------------------------------------------

INTEGERS = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()]
NUMBERS = [pa.float16(), pa.float32(), pa.float64(), *INTEGERS, pa.decimal128(30, 3), pa.bool_()]


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
@pytest.mark.parametrize("offset", [0, 3, 8])
def test_numbers_of_every_type(kind, offset):
    values = RNG.integers(0, 2, 50) if kind == pa.bool_() else RNG.integers(0, 100, 50)
    array = pa.array(values.astype(float).tolist()).cast(pa.int64()).cast(kind)
    read, kept = numbers("", "", array[offset:], "raise")
    assert kept is None
    np.testing.assert_array_equal(read.astype(float), values[offset:].astype(float))
    if not pa.types.is_decimal(kind) and kind != pa.bool_():
        assert read.dtype == kind.to_pandas_dtype()
        memory = np.frombuffer(array.buffers()[1], np.uint8)
        assert np.shares_memory(read, memory)
    coded = array.cast(pa.int64()).cast(pa.float64()).dictionary_encode()
    np.testing.assert_array_equal(numbers("", "", coded[offset:], "raise")[0], values[offset:].astype(float))
    np.testing.assert_array_equal(numbers("", "", pc.run_end_encode(coded.dictionary), "raise")[0], coded.dictionary)


LISTS = {
    "list": pa.list_,
    "large list": pa.large_list,
    "fixed-size list": lambda kind: pa.list_(kind, 7),
    "list view": pa.list_view,
    "large list view": pa.large_list_view,
}


LOSS_OF = {
    (start, stop): fl.CrossEntropy().state(LABELS[start:stop], LOGITS[start:stop])
    for start, stop in ((0, 100), (7, 60), (5, 5))
}


@pytest.mark.parametrize("kind", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize(("start", "stop"), LOSS_OF)
def test_lists_are_matrices_in_place(kind, start, stop):
    array = lists(LOGITS[:100], kind)[start:stop]
    read, kept = numbers("", "", array, "raise")
    assert kept is None
    if stop > start:
        np.testing.assert_array_equal(read, LOGITS[start:stop])
        assert np.shares_memory(read, np.frombuffer(array.values.buffers()[1], np.float32))
    source = pa.table({"y": LABELS[start:stop], "p": array})
    close(score_batches(source, fl.CrossEntropy(), **COLUMNS), LOSS_OF[start, stop])


def test_list_views_in_any_order():
    values, sizes = pa.array(np.arange(12.0)), pa.array([3, 3, 3], pa.int32())
    array = pa.ListViewArray.from_arrays(pa.array([9, 0, 3], pa.int32()), sizes, values)
    np.testing.assert_array_equal(numbers("", "", array, "raise")[0], [[9, 10, 11], [0, 1, 2], [3, 4, 5]])


def test_tensors():
    kind = pa.fixed_shape_tensor(pa.float32(), (2, 3))
    matrix = RNG.normal(size=(20, 2, 3)).astype(np.float32)
    array = pa.ExtensionArray.from_storage(kind, pa.array(matrix.reshape(20, 6).tolist(), kind.storage_type))
    np.testing.assert_array_equal(numbers("", "", array[3:], "raise")[0], matrix[3:])
    turned = pa.fixed_shape_tensor(pa.float32(), (2, 3), permutation=[1, 0])
    array = pa.ExtensionArray.from_storage(turned, array.storage)
    np.testing.assert_array_equal(numbers("", "", array, "raise")[0], matrix.transpose(0, 2, 1))


def test_lists_of_lists():
    deep = RNG.normal(size=(30, 4, 5))
    np.testing.assert_array_equal(numbers("", "", pa.array(deep.tolist())[2:], "raise")[0], deep[2:])
    with_null = pa.array([deep[0].tolist(), None, [[1.0, None, 3.0, 4.0, 5.0], *deep[1][1:].tolist()]])
    read, _ = numbers("", "", with_null, "propagate")
    assert np.isnan(read[1]).all()
    assert np.isnan(read[2]).sum() == 1
    np.testing.assert_array_equal(read[0], deep[0])


def test_lists_of_other_lengths_name_their_row(monkeypatch):
    ragged = LOGITS.tolist()
    ragged[612] = ragged[612][:-1]
    for kind in (pa.list_, pa.large_list, pa.list_view):
        source = pa.table({"y": LABELS, "p": pa.array(ragged, kind(pa.float32()))})
        message = r"CrossEntropy: y_pred\[612\] \(column 'p', rows from 0\) is a list of 6, must have 7 numbers"
        with pytest.raises(ValueError, match=message):
            score_batches(source, fl.CrossEntropy(), **COLUMNS)
    monkeypatch.setattr(sources, "PIECE", 512)
    parts = [pa.table({"y": LABELS[:70] % 5, "p": lists(LOGITS[:70, :size])}) for size in (7, 5)]
    message = r"CrossEntropy: y_pred\[70\] \(column 'p', rows from 0\) has shape \(5,\), must be \(7,\) as before"
    with pytest.raises(ValueError, match=message):
        score_batches(iter(parts), fl.CrossEntropy(), **COLUMNS)
    deep = pa.array([[[1.0, 2.0]], [[1.0]]])
    with pytest.raises(ValueError, match=r"y_pred\[1\] \(column 'p', rows from 0\) is a list of 1, must have 2"):
        score_batches(pa.table({"y": [0, 0], "p": deep}), fl.CrossEntropy(), **COLUMNS)


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (pa.array(["1.5"] * 3), "string"),
        (pa.array([{"a": 1.0}] * 3), "struct"),
        (pa.array([datetime.date(2024, 1, 1)] * 3), "date32"),
        (pa.array([["a"]] * 3), "string"),
        (pa.array([b"a"] * 3), "binary"),
    ],
)
def test_columns_that_are_no_numbers(column, what):
    for name, argument in (("y", "y_true"), ("p", "y_pred")):
        source = pa.table({"y": [1.0] * 3, "p": [1.0] * 3}).drop_columns(name).append_column(name, column)
        message = rf"Huber: {argument} \(column '{name}'\) is of type {what}.*, must be numbers"
        with pytest.raises(TypeError, match=message):
            score_batches(source, HUBER, **COLUMNS)


def test_numbers_outside_their_domain_name_their_row(table):
    labels = LABELS.copy()
    labels[[612, 700]] = 9
    source = pa.table({"y": labels, "p": lists(LOGITS)})
    with pytest.raises(
        IndexError, match=r"y_true\[612\] \(column 'y', rows from 0\) is 9, must be a class from 0 to 6"
    ):
        score_batches(source, fl.CrossEntropy(), **COLUMNS)
    with pytest.raises(ValueError, match=r"sample_weight\[\d+\] \(column 'p', rows from 0\) is -"):
        score_batches(table, HUBER, **COLUMNS, weight="p")


# Nulls --------------------------------------------------------------------------------------------

GONE = np.zeros(N, bool)
GONE[[5, 130, 131, 777]] = True


@pytest.mark.parametrize("name", ["y", "p", "w"])
def test_nulls_of_numbers(table, name):
    source = table.set_column("ypw".index(name), name, pa.array(table[name].to_numpy(), mask=GONE))
    score = partial(score_batches, source, HUBER, **COLUMNS, weight="w")
    omitted = score(null_policy="omit")
    close(omitted, HUBER.state(Y, P, sample_weight=W, mask=~GONE))
    argument = {"y": "y_true", "p": "y_pred", "w": "sample_weight"}[name]
    message = rf"Huber: {argument}\[5\] \(column '{name}', rows from 0\) is null"
    with pytest.raises(ValueError, match=message):
        score(null_policy="raise")
    if name == "w":
        with pytest.raises(ValueError, match=r"sample_weight\[5\] \(column 'w', rows from 0\) is nan"):
            score()
        return
    assert math.isnan(score().mean)
    assert score().count == N
    if name == "y":
        close(score(nan_policy="omit"), omitted)
        with pytest.raises(ValueError, match=r"y_true\[5\] \(column 'y', rows from 0\) is nan"):
            score(nan_policy="raise")


@pytest.mark.parametrize("kind", [*INTEGERS[4:], pa.bool_()], ids=str)
def test_nulls_of_labels(kind):
    labels = LABELS % 2
    source = pa.table({"y": pa.array(labels.tolist(), mask=GONE).cast(kind), "p": LOGITS[:, 0]})
    loss = fl.BinaryCrossEntropyWithLogits()
    wanted = loss.state(labels, LOGITS[:, 0], mask=~GONE)
    close(score_batches(source, loss, **COLUMNS, null_policy="omit"), wanted)
    close(score_batches(source, loss, **COLUMNS, nan_policy="omit"), wanted, rtol=1e-6)  # labels are float64
    assert math.isnan(score_batches(source, loss, **COLUMNS).mean)


@pytest.mark.parametrize("kind", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("inside", [False, True], ids=["lists", "elements"])
def test_nulls_of_lists(kind, inside):
    rows = LOGITS.tolist()
    for row in np.flatnonzero(GONE):
        rows[row] = [*rows[row][:3], None, *rows[row][4:]] if inside else None
    source = pa.table({"y": LABELS, "p": pa.array(rows, kind(pa.float32()))})
    score = partial(score_batches, source, fl.CrossEntropy(), **COLUMNS)
    close(score(null_policy="omit"), fl.CrossEntropy().state(LABELS, LOGITS, mask=~GONE))
    assert math.isnan(score().mean)
    assert score().count == N
    with pytest.raises(ValueError, match=r"CrossEntropy: y_pred\[5\] \(column 'p', rows from 0\) is null"):
        score(null_policy="raise")
    losses = pa.table(score(null_policy="omit", outputs=["loss", "grad"]))
    for name in losses.column_names:
        np.testing.assert_array_equal(losses[name].is_null(), GONE)


def test_nulls_throughout():
    labels = pa.array([0, 1, 2])
    for column in (pa.nulls(3, pa.list_(pa.float32())), pa.nulls(3)):
        source = pa.table({"y": labels, "p": column})
        loss = HUBER if column.type == pa.null() else fl.CrossEntropy()
        assert score_batches(source, loss, **COLUMNS, null_policy="omit").count == 0
    assert math.isnan(score_batches(source, HUBER, **COLUMNS).mean)
    source = pa.table({"y": labels, "p": pa.nulls(3, pa.list_(pa.float32()))})
    with pytest.raises(ValueError, match=r"y_pred \(column 'p'\) has lists that are all null"):
        score_batches(source, fl.CrossEntropy(), **COLUMNS)


# Groups -------------------------------------------------------------------------------------------

DAYS = np.array(["2024-01-01", "2024-02-29", "2023-12-31", "1969-07-20", "2100-01-01"], "M8[D]")[SITE]
GROUPS = {
    "integers": (SITE, SITE.tolist()),
    "far apart": (SITE.astype(np.int64) << 40, (SITE.astype(np.int64) << 40).tolist()),
    "words": (WORDS.tolist(), WORDS.tolist()),
    "large words": (pa.array(WORDS.tolist(), pa.large_string()), WORDS.tolist()),
    "views of words": (pa.array(WORDS.tolist(), pa.string_view()), WORDS.tolist()),
    "coded words": (pa.array(WORDS.tolist()).dictionary_encode(), WORDS.tolist()),
    "digits": (pa.array(list(map(str, SITE - 2))), list(map(str, SITE - 2))),
    "digits and words": (
        pa.array([str(k) if i < 500 else f"0{k}" for i, k in enumerate(SITE)]),
        [str(k) if i < 500 else f"0{k}" for i, k in enumerate(SITE)],
    ),
    "bytes": (pa.array([word.encode() for word in WORDS]), [word.encode() for word in WORDS]),
    "booleans": (pa.array((SITE > 2).tolist()), (SITE > 2).tolist()),
    "numbers": (SITE / 4, (SITE / 4).tolist()),
    "decimals": (pa.array([Decimal(k) / 4 for k in SITE.tolist()]), [Decimal(k) / 4 for k in SITE.tolist()]),
    "days": (DAYS, list(DAYS)),
    "times": (DAYS.astype("M8[us]"), list(DAYS.astype("M8[us]"))),
    "zoned times": (pa.array(DAYS.astype("M8[ms]")).cast(pa.timestamp("ms", "CET")), list(DAYS.astype("M8[ms]"))),
    "times of day": (pa.array([datetime.time(k) for k in SITE]), [datetime.time(k) for k in SITE]),
    "run ends": (pc.run_end_encode(pa.array(np.sort(SITE))), np.sort(SITE).tolist()),
}


@pytest.mark.parametrize(("column", "labels"), GROUPS.values(), ids=GROUPS)
@pytest.mark.parametrize("nulls", [False, True], ids=["all there", "with nulls"])
def test_groups(table, column, labels, nulls):
    column = column if isinstance(column, pa.Array) else pa.array(column)
    if nulls:
        if pa.types.is_run_end_encoded(column.type):
            pytest.skip("run ends have no nulls of their own")
        kind = pa.string() if column.type == pa.string_view() else column.type
        column = pc.if_else(pa.array(~GONE), column.cast(kind), None).cast(column.type)
        labels = [math.nan if gone else label for gone, label in zip(GONE, labels, strict=True)]
    found = score_batches(table.append_column("group", column), HUBER, **COLUMNS, groups="group")
    known = [label for label in labels if label == label]
    assert list(found)[: len(set(known))] == sorted(set(known))
    assert len(found) == len(set(known)) + nulls
    for label, state in found.items():
        rows = np.array([(label == own) if label == label else own != own for own in labels])
        close(state, HUBER.state(Y[rows], P[rows]))
    two = score_batches(table.append_column("group", column), HUBER, **COLUMNS, groups=["group", "site"])
    assert two.total.count == N
    assert len(two) == len(set(zip(map(str, labels), SITE.tolist(), strict=True)))


def test_dictionaries_that_differ_from_batch_to_batch(table):
    parts = [table[k : k + 100] for k in range(0, N, 100)]
    batches = [part.set_column(4, "word", part["word"].dictionary_encode()) for part in parts]
    repeated = pa.DictionaryArray.from_arrays([0, 1, 2, None], ["sea", "sea", None])
    batches.append(pa.table({"y": [0.0] * 4, "p": [1.0] * 4, "word": repeated}))
    found = score_batches(iter(batches), fl.SquaredError(), **COLUMNS, groups="word")
    wanted = fl.SquaredError().states(
        np.r_[Y, [0.0] * 4], np.r_[P, [1.0] * 4], groups=[*WORDS, "sea", "sea", None, None]
    )  # fmt: skip
    assert found.labels[:-1] == wanted.labels[:-1]
    close(found, wanted)


def test_groups_of_types_that_differ_from_batch_to_batch(table):
    same = [table.set_column(4, "word", table["word"].cast(kind)) for kind in (pa.large_string(), pa.string_view())]
    found = score_batches(iter([table, *same]), HUBER, **COLUMNS, groups="word")
    np.testing.assert_array_equal(found.count, 3 * HUBER.states(Y, P, groups=WORDS).count)
    numbered = pa.table({"y": Y, "p": P, "word": pa.array(SITE / 2)})
    with pytest.raises(
        TypeError, match="Huber: groups' column 'word' is of type double, must be large_string as before"
    ):
        score_batches(iter([table, numbered]), HUBER, **COLUMNS, groups="word", num_threads=1)
    structs = pa.table({"y": [1.0], "p": [1.0], "word": [{"a": 1}]})
    with pytest.raises(TypeError, match=r"Huber: groups' column 'word' is of type struct.*, must be numbers, words"):
        score_batches(structs, HUBER, **COLUMNS, groups="word")


def test_tables_of_many_groups_are_merged_on_the_way(table, monkeypatch):
    monkeypatch.setattr("fastloss.arrow.scoring.FEW", 3)
    found = score_batches(table, HUBER, **COLUMNS, groups="word")
    close_groups(found, HUBER.states(Y, P, groups=WORDS))


# Outputs ------------------------------------------------------------------------------------------


def test_outputs(table):
    batches = score_batches(table, HUBER, **COLUMNS, weight="w", groups="word", outputs=("hess", "loss", "grad"))
    assert isinstance(batches, ScoredBatches)
    assert batches.rows == 0
    found = pa.Table.from_batches(batches)
    assert batches.rows == N
    close_groups(batches.state, HUBER.states(Y, P, sample_weight=W, groups=WORDS))
    assert found.column_names == ["hess", "loss", "grad"]
    grad, hess = HUBER.grad_and_hess(Y, P, sample_weight=W, reduction="none")
    np.testing.assert_array_equal(found["loss"], HUBER(Y, P, sample_weight=W, reduction="none"))
    np.testing.assert_array_equal(found["grad"], grad)
    np.testing.assert_array_equal(found["hess"], hess)


def test_outputs_of_rows_of_classes(tmp_path):
    source = pa.table({"y": LABELS, "p": lists(LOGITS)})
    batches = score_batches(source, fl.CrossEntropy(), **COLUMNS, outputs=["loss", "grad"])
    found = pa.table(batches)  # through the interface of streams
    assert found.schema == pa.schema([("loss", pa.float32()), ("grad", pa.list_(pa.float32(), 7))])
    grad = fl.CrossEntropy().grad(LABELS, LOGITS, reduction="none")
    np.testing.assert_array_equal(np.stack(found["grad"].to_pylist()).astype(np.float32), grad)
    close(batches.state, fl.CrossEntropy().state(LABELS, LOGITS))


def test_outputs_have_one_type():
    halves = [pa.table({"y": Y[:9], "p": P[:9].astype(np.float32)}), pa.table({"y": Y[9:], "p": P[9:]})]
    found = pa.Table.from_batches(score_batches(iter(halves), HUBER, **COLUMNS, outputs="grad"))
    assert found.schema == pa.schema([("grad", pa.float32())])
    assert len(found) == N


def test_outputs_stop_when_they_are_no_longer_wanted(table):
    read = []

    def slowly():
        for k in range(100):
            read.append(k)
            yield table.slice(k, 5)

    batches = score_batches(slowly(), HUBER, **COLUMNS, outputs="loss", num_threads=2)
    assert len(next(batches)) > 0
    del batches
    assert len(read) <= 100


def test_an_error_comes_after_what_was_before_it(table, monkeypatch):
    monkeypatch.setattr(sources, "PIECE", 512)

    def broken():
        yield table
        raise RuntimeError("gone")

    batches = score_batches(broken(), HUBER, **COLUMNS, outputs="loss")
    assert len(next(batches)) > 0
    with pytest.raises(RuntimeError, match="gone"):
        list(batches)


# Comparison ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_comparison_is_that_of_paired_samples(table, weighted):
    stats = pytest.importorskip("scipy.stats")
    other = P + RNG.normal(size=N)
    source = table.append_column("q", pa.array(other))
    weight = {"weight": "w"} if weighted else {}
    found = compare_batches(source, HUBER, **COLUMNS, other="q", **weight)
    w = W if weighted else np.ones(N)
    close(found.first, HUBER.state(Y, P, sample_weight=w))
    close(found.second, HUBER.state(Y, other, sample_weight=w))
    first, second = (HUBER(Y, x, reduction="none") for x in (P, other))
    mean = np.average(first - second, weights=w)
    error = math.sqrt(N / (N - 1) * np.sum(w**2 * (first - second - mean) ** 2)) / w.sum()
    assert found.difference.mean == pytest.approx(mean, rel=1e-12)
    assert found.difference.standard_error == pytest.approx(error, rel=1e-12)
    if not weighted:
        paired = stats.ttest_rel(first, second)
        assert found.difference.mean / found.difference.standard_error == pytest.approx(paired.statistic, rel=1e-12)
        low, high = found.difference.confidence_interval(0.9)
        assert (low, high) == pytest.approx(tuple(paired.confidence_interval(0.9)), rel=1e-2)


@pytest.mark.parametrize("groups", [{}, {"groups": "word"}])
def test_comparison_of_infinite_losses_is_no_number(groups):
    source = pa.table({"y": [0.0, 0.0], "p": [np.inf, 1.0], "q": [np.inf, 2.0], "word": ["a", "a"]})
    difference = compare_batches(source, fl.AbsoluteError(), **COLUMNS, other="q", **groups)[2]
    assert np.all(np.isnan(difference.mean))
    assert np.all(np.equal(difference.nonfinite, 1))


def test_comparison_by_group_of_rows_of_classes():
    other = LOGITS[::-1].copy()
    labels = np.where(GONE, -100, LABELS)
    source = pa.table({"y": labels, "p": lists(LOGITS), "q": lists(other), "word": WORDS.tolist()})
    loss = fl.CrossEntropy(class_weight=tuple(np.linspace(0, 2, 7)), label_smoothing=0.1)
    first, second, difference = compare_batches(source, loss, **COLUMNS, other="q", groups="word")
    close_groups(first, loss.states(labels, LOGITS, groups=WORDS))
    close_groups(second, loss.states(labels, other, groups=WORDS))
    np.testing.assert_allclose(difference.mean, first.mean - second.mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(difference.count, first.count)
    np.testing.assert_allclose(difference.weight, first.weight, rtol=1e-12)


def test_comparison_leaves_out_rows_for_both(table):
    source = table.append_column("q", pa.array(P + 1, mask=GONE))
    found = compare_batches(source, HUBER, **COLUMNS, other="q", null_policy="omit")
    close(found.first, HUBER.state(Y, P, mask=~GONE))
    assert found.difference.count == N - GONE.sum()
    with pytest.raises(ValueError, match=r"Huber: y_pred\[5\] \(column 'q', rows from 0\) is null"):
        compare_batches(source, HUBER, **COLUMNS, other="q", null_policy="raise")
    with pytest.raises(ValueError, match="compare: the source has no column 'r'"):
        compare_batches(source, HUBER, **COLUMNS, other="r")


# Partial states -----------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [None, "word", ["word", "day"]])
def test_partial_states_add_up(table, groups):
    table = table.append_column("day", pa.array(DAYS))
    score = partial(partial_states, loss=HUBER, **COLUMNS, weight="w", groups=groups)
    score = pickle.loads(pickle.dumps(score))
    parts = [batch for k in range(0, N, 300) for batch in score(iter(table[k : k + 300].to_batches(max_chunksize=70)))]
    assert all(isinstance(batch, pa.RecordBatch) for batch in parts)
    together = pa.Table.from_batches(parts)
    if groups is None:
        close(fl.LossState.from_arrow(together), HUBER.state(Y, P, sample_weight=W))
        return
    names = [groups] if isinstance(groups, str) else groups
    for name in names:
        assert together.schema.field(name).type == table.schema.field(name).type
    found = fl.GroupStates.from_arrow(together)
    close_groups(found, score_batches(table, HUBER, **COLUMNS, weight="w", groups=groups))


def test_partial_states_have_the_types_of_their_labels(table):
    kinds = {
        "a": pa.array(SITE.astype(np.int32)),
        "b": table["word"].combine_chunks().dictionary_encode(),
        "c": pa.array(DAYS.astype("M8[us]")).cast(pa.timestamp("us", "UTC")),
        "d": pc.if_else(pa.array(~GONE), pa.array(SITE), None),
    }
    for name, column in kinds.items():
        source = table.append_column(name, column)
        (found,) = partial_states(source.to_batches(), HUBER, **COLUMNS, groups=name)
        wanted = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        assert found.schema.field(name).type == wanted
        assert found[name].null_count == (name == "d")
