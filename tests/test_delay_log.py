"""Logs of delays as users have them: text files of any layout, arrays, series and data frames."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.delay_log.text_file import _plain_numbers, read_log
from delaystability.model.delays import MeasuredDelay
from tests.edits import edited


@pytest.fixture
def log(tmp_path):
    """Writes a text or bytes into a file and reads it."""
    path = tmp_path / "log.csv"

    def read(content, **choice):
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        return MeasuredDelay.from_log(path, **choice).sequence.tolist()

    return read


def test_logs_are_read_in_order(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("# delays\n3.0e+00, 1\n\n2,2\n", encoding="utf-8")
    delay = MeasuredDelay.from_log(path, columns="all")
    assert delay.sequence.tolist() == [[3, 1], [2, 2]]
    assert delay.pmf == {1: Fraction(1, 4), 2: Fraction(1, 2), 3: Fraction(1, 4)}
    assert (delay.mean, delay.minimum, delay.maximum) == (2, 1, 3)
    path.write_text("3 1\n2 2\n", encoding="utf-8")
    assert MeasuredDelay.from_log(str(path), columns=[1, 2]).sequence.tolist() == [[3, 1], [2, 2]]
    assert MeasuredDelay.from_log([[5], [6]]).sequence.tolist() == [5, 6]
    assert MeasuredDelay.from_log(np.array([5.0, 6.0])).sequence.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        delay.sequence[0] = 7


def test_a_log_is_not_changed_by_its_source():
    source = np.array([1, 2, 3])
    delay = MeasuredDelay.from_log(source)
    source[0] = 9
    assert delay.sequence.tolist() == [1, 2, 3]


@pytest.mark.parametrize("largest", [3, 10**6, 2**53])
def test_frequencies_are_counted(largest):
    delay = MeasuredDelay([[0, largest], [largest, 2]])
    expected = {0: Fraction(1, 4), 2: Fraction(1, 4), largest: Fraction(1, 2)}
    assert delay.pmf == expected
    assert list(delay.pmf) == sorted(expected)


# Files


@pytest.mark.parametrize(
    "content",
    [
        "3\n2\n5\n",
        "3\n2\n5",
        "delay\n3\n2\n5\n",
        "staleness of each gradient\n3\n2\n5\n",
        "# a comment\n\n3\n  # another\n2\n \n5\n\n\n",
        "\ufeff3\n2\n5\n",
        "\ufeffdelay\r\n3\r\n2\r\n5\r\n",
        "3\r2\r5\r",
        "3.0\n2.\n5.000\n",
        "3.000e+00\n2e0\n0.5E1\n",
        '"delay"\n3\n2\n5\n',
        " 3\n2 \n+5\n",
        gzip.compress(b"delay\n3\n2\n5\n", mtime=0),
    ],
)
def test_one_column_needs_no_choice(log, content):
    assert log(content) == [3, 2, 5]


@pytest.mark.parametrize("separator", [",", ";", "\t", ", ", " ; ", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("header", ["step{0}delay{0}worker", ""])
def test_one_of_several_columns_is_chosen(log, separator, end, header):
    rows = [header.format(separator)] if header else []
    rows += [separator.join(map(str, row)) for row in ((0, 3, 1), (1, 2, 0), (2, 5, 1))]
    text = end.join(rows) + end
    assert log(text, column=2) == [3, 2, 5]
    assert log(text, columns=[2, 3]) == [[3, 1], [2, 0], [5, 1]]
    assert log(text, columns=[3, 2])[0] == [1, 3]
    assert log(text, columns="all") == [[0, 3, 1], [1, 2, 0], [2, 5, 1]]
    if header:
        assert log(text, column="delay") == [3, 2, 5]
    with pytest.raises(ValueError, match="3 columns.*are delays.*column="):
        log(text)


def test_other_columns_may_hold_anything(log):
    text = 'time,"delay, in updates",note\n10:04,3,"a, b"\n10:05,2,\n'
    assert log(text, column="delay, in updates") == [3, 2]
    assert log(",delay\n0,3\n1,2\n", column="delay") == [3, 2]


@pytest.mark.parametrize(
    "text",
    [
        "step,delay\n0,3\n1,2\n",
        "worker,delay\n0,3\n1,2\n",
        "0,3\n1,2\n",
        "1,0\n2,0\n",
        "0,3,1\n1,2,1\n",
        "step\n3\n2\n",
        "worker\n3\n2\n",
        "3,\n2,\n",
    ],
)
def test_what_is_ambiguous_is_refused_with_the_cure(log, text):
    with pytest.raises(ValueError, match=r"log must hold.*column= \(--column\)"):
        log(text)


def _ages(updates, workers, seed=0):
    """Ages of the last gradients of workers, each of which finishes at random."""
    random, ages = np.random.default_rng(seed), np.zeros(workers, dtype=int)
    rows = []
    for _ in range(updates):
        fresh = random.random(workers) < 1 / workers
        ages = np.where(fresh, np.minimum(random.integers(0, 4, workers), ages), ages + 1)
        rows.append(ages)
    return rows


def test_columns_of_workers_without_a_header_are_known_by_their_entries(log):
    rows = _ages(200, 4)
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    assert log(text) == [list(row) for row in rows]
    for change in ({50: [0, 1, 2, 99]}, {3: [0, 1, 2, 99]}):
        changed = [change.get(number, row) for number, row in enumerate(rows)]
        with pytest.raises(ValueError, match="which of its 4 columns are delays"):
            log("".join(",".join(map(str, row)) + "\n" for row in changed))
    # A counter grows by one as well, and two columns may be worker and delay.
    with pytest.raises(ValueError, match="which of its 5 columns"):
        log("".join(f"{k}," + ",".join(map(str, row)) + "\n" for k, row in enumerate(rows)))
    with pytest.raises(ValueError, match="which of its 2 columns"):
        log("".join(f"{row[0]},{row[1]}\n" for row in rows))
    with pytest.raises(ValueError, match="which of its 4 columns"):
        log("".join(",".join(map(str, row)) + "\n" for row in rows[:19]))


@pytest.mark.parametrize(
    ("text", "choice", "got"),
    [
        ("1\n2\n-3\n", {}, "got -3.0 in row 3"),
        ("delay\n1\n2\n-3\n", {}, r"got -3.0 in row 3 \(line 4\)"),
        ("1\n2.5\n", {}, "got 2.5 in row 2"),
        ("1,2\n3,nan\n", {"columns": "all"}, "got nan in row 2"),
        ("1\ninf\n", {}, "got inf in row 2"),
        ("", {}, "got nothing"),
        ("# only a comment\n", {}, "got nothing"),
        ("delay\n", {}, "got nothing"),
        ("1,2\n3\n", {"columns": "all"}, "rows differ in length"),
        ("1 2\n3\n", {"columns": "all"}, "rows differ in length"),
        ("a,b,c\n1,2\n", {"columns": "all"}, "rows differ in length"),
        ("1,,2\n", {}, "got '1,,2' in line 1"),
        ("1,,2\n", {"columns": "all"}, "got '1,,2' in line 1"),
        ("1,0;2,0\n", {"columns": "all"}, "got '1,0;2,0' in line 1"),
        ("1_000\n", {}, "got '1_000' in line 1"),
        ("3\n1_000\n", {}, "got '1_000' in line 2"),
        ("3\n\u0663\n", {}, "got '\u0663' in line 2"),
        ("\u0663\n", {}, "got '\u0663' in line 1"),
        ("0x10\n", {}, "got '0x10' in line 1"),
        ("NA\n3\n", {}, "got 'NA' in line 1"),
        ("3\nNA\n", {}, "got 'NA' in line 2"),
        ("3\n-\n", {}, "got '-' in line 2"),
        ("delay\n3\ndelay\n4\n", {}, "got 'delay' in line 3"),
        ("a,b\nc,d\n1,2\n", {"column": "a"}, "got 'c,d' in line 2"),
        ("9007199254740993\n", {}, "got 9007199254740993 in row 1 .*beyond"),
        ("3\n9007199254740993.0\n", {}, "got 9007199254740993.0 in row 2 .*beyond"),
        ("9.007199254740993e15\n", {}, "beyond 2"),
        ("1e999\n", {}, "got inf in row 1"),
        ("3\n" + "9" * 5000 + "\n", {}, "line 2"),
        ("3" * (5 << 20), {}, "a line of more than 1048576 bytes"),
    ],
)
def test_bad_logs_are_refused_with_row_and_value(log, text, choice, got):
    with pytest.raises(ValueError, match=f"log must hold integers >= 0.*{got}") as refused:
        log(text, **choice)
    assert len(str(refused.value)) < 500
    assert "\n" not in str(refused.value)


def test_the_largest_delay_is_two_to_the_53(log):
    assert log("3\n9007199254740992\n") == [3, 2**53]
    assert MeasuredDelay([2**53]).maximum == 2**53
    for entry in (2**53 + 1, 2.0**53 + 2, np.uint64(2**63), 10**400):
        with pytest.raises(ValueError, match="log must hold integers >= 0"):
            MeasuredDelay.from_log([entry])
    # The largest itself is not what is wrong.
    for kind in (np.int64, np.float64):
        with pytest.raises(ValueError, match="got -1.* in row 2"):
            MeasuredDelay.from_log(np.array([2**53, -1], dtype=kind))


@pytest.mark.parametrize("start", [0, 1, 17])
@pytest.mark.parametrize("step", [1, 100])
def test_a_column_that_counts_is_no_delay(log, start, step):
    counter = [start + step * k for k in range(20)]
    text = "".join(f"{count},{(7 * count) % 5}\n" for count in counter)
    for choice in ({"columns": "all"}, {"column": 1}):
        with pytest.raises(ValueError, match=f"column 1 counts {counter[0]}, {counter[1]}, .* end"):
            log(text, **choice)
    with pytest.raises(ValueError, match="column 2 counts"):
        MeasuredDelay.from_log([[3, count] for count in counter])
    assert len(log(text, column=2)) == 20
    # Nineteen rows may do so by chance, and so may the beginning of a log.
    assert log("".join(f"{count}\n" for count in counter[:19])) == counter[:19]
    assert log("".join(f"{count}\n" for count in [*counter, 0])) == [*counter, 0]
    assert MeasuredDelay.from_log([[3, 3]] * 30).maximum == 3


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"column": "lag"}, ValueError, "'lag' is not among the columns 'step', 'delay', 'delay'"),
        ({"column": "delay"}, ValueError, "'delay' is twice among"),
        ({"column": 4}, ValueError, "4 is not among"),
        ({"column": 0}, ValueError, "column must be a name or a number from 1; got 0"),
        ({"column": True}, TypeError, "column must be a name or a number from 1; got True"),
        ({"column": 1.5}, TypeError, "column must be a name or a number from 1; got 1.5"),
        ({"columns": []}, TypeError, "columns must be a sequence"),
        ({"columns": "delay"}, TypeError, "columns must be a sequence"),
        ({"columns": 3}, TypeError, "columns must be a sequence"),
        ({"columns": ["step", "step"]}, ValueError, "columns must name each column once"),
        ({"column": 1, "columns": [1]}, ValueError, "column must not be given beside columns"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(log, choice, error, message):
    with pytest.raises(error, match=message):
        log("step,delay,delay\n1,2,3\n", **choice)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    packed = gzip.compress(b"3\n2\n" * 9999, mtime=0)
    broken = [packed[:-9], packed[:40] + b"????" + packed[44:], b"\xff\xfe\x00\x01", b"\x1f\x8b"]
    (tmp_path / "missing").mkdir()
    for number, content in enumerate(broken):
        (tmp_path / f"broken-{number}.gz").write_bytes(content)
    names = ["nowhere.csv", "missing", *(f"broken-{number}.gz" for number in range(len(broken)))]
    for name in names:
        match = f"log must be a readable text file; got '.*{name}': (.*)"
        with pytest.raises(ValueError, match=match) as refusal:
            MeasuredDelay.from_log(tmp_path / name)
        reason = re.search(match, str(refusal.value))[1]
        assert reason != "None" and name not in reason


def slow_log(text: str, column: int) -> list[int]:
    """One column of a comma-separated text, line by line."""
    return [int(float(line.split(",")[column])) for line in text.splitlines()]


@pytest.mark.parametrize("width", [1, 3])
def test_pieces_are_read_as_line_by_line(tmp_path, width, monkeypatch):
    random = np.random.default_rng(1)
    for chunk in (7, 64, 1 << 20):
        monkeypatch.setattr("delaystability.model.delay_log.text_file._CHUNK", chunk)
        for ending in ("", ".0"):
            rows = random.integers(0, 10 ** (5 if chunk > 20 else 1), (300, width))
            text = "".join(",".join(f"{v}{ending}" for v in row) + "\r\n" for row in rows)
            if chunk < 20 and max(map(len, text.splitlines())) >= chunk:
                continue
            (tmp_path / "log").write_text(text, encoding="utf-8", newline="")
            found = read_log(tmp_path / "log", (width,))
            assert found.tolist() == slow_log(text, width - 1) == rows[:, -1].tolist()


def test_the_quick_way_leaves_to_the_slow_one_what_it_does_not_know():
    assert _plain_numbers(b"1\n2\n", None, 1).tolist() == [[1], [2]]
    assert _plain_numbers(b"1,2\n3,4\n", ",", 2).tolist() == [[1, 2], [3, 4]]
    for chunk in (b"1\n\n2\n", b"1 2\n", b"1-2\n3\n", b"-1\n", b"1.5\n", b"9007199254740992\n"):
        assert _plain_numbers(chunk, None, 1) is None
    for chunk in (b"1,2,3\n4\n", b"1,,\n3,4\n", b"1\n2,3\n4\n", b"1,2\n3\n"):
        assert _plain_numbers(chunk, ",", 2) is None


@pytest.mark.slow
def test_three_million_lines_take_little_memory(tmp_path):
    path = tmp_path / "long.csv"
    rows = "".join(f"{k},{(k * 7919) % 37}\n" for k in range(30_000))
    path.write_text("step,delay\n" + 100 * rows, encoding="utf-8")
    program = (
        "import resource, delaystability as ds\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "ds.MeasuredDelay([1]); before = peak()\n"
        f"n = len(ds.MeasuredDelay.from_log({str(path)!r}, column='delay').sequence)\n"
        "print(n, peak() - before)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    count, kilobytes = map(int, run.stdout.split())
    assert count == 3_000_000
    # The delays twice, 48 MB, and the pieces of the file: 10^7 lines stay below 300 MB.
    assert kilobytes < 85_000


@pytest.mark.parametrize("choice", [{}, {"column": "delay"}])
def test_random_edits_of_a_log_are_refused_or_harmless(log, choice):
    random = np.random.default_rng(3)
    delays = random.integers(0, 9, 60)
    lines = [f"{k};{k % 3};{v}" if choice else str(v) for k, v in enumerate(delays)]
    text = "\n".join(["step;worker;delay" if choice else "delay", *lines, ""])
    refused = 0
    for _ in range(200):
        begin = time.process_time()
        changed = edited(text, random)
        try:
            found = log(changed, **choice)
        except (TypeError, ValueError) as error:
            refused += "\n" not in str(error)
        else:
            # What is read stands in the file, in its order.
            words = iter(re.findall(r"[1-9][0-9]*|0+(?![0-9])", changed))
            assert all(
                any(word.lstrip("0") == (str(delay) if delay else "") for word in words)
                for delay in found
            )
        assert time.process_time() - begin < 2
    assert refused > 60


# Arrays, series and data frames


@pytest.mark.parametrize("log", [None, 3.5j, [True], ["a"], [None], object()])
def test_logs_that_are_no_numbers_are_refused(log):
    with pytest.raises((TypeError, ValueError), match="log must hold integers >= 0"):
        MeasuredDelay.from_log(log)


@pytest.mark.parametrize("log", [[], [[]], 3, [[[1]]], [-1], [0.5], [[1, 2], [3]]])
def test_arrays_that_are_no_logs_are_refused(log):
    with pytest.raises(ValueError, match="log must hold integers >= 0"):
        MeasuredDelay.from_log(log)


@pytest.mark.parametrize(
    "entries",
    [
        np.array([3, 2, 5], dtype=np.int8),
        np.array([3, 2, 5], dtype=np.float16),
        np.array([3, 2.0, np.int64(5)], dtype=object),
        np.array([Fraction(3), 2, 5], dtype=object),
        np.ma.MaskedArray([3, 2, 5]),
        (3, np.uint8(2), 5.0),
    ],
)
def test_whole_numbers_of_any_type_are_delays(entries):
    assert MeasuredDelay.from_log(entries).sequence.tolist() == [3, 2, 5]


@pytest.mark.parametrize(
    ("entry", "error"), [(2.5, ValueError), (-1, ValueError), (None, TypeError), (True, TypeError)]
)
def test_objects_that_are_no_delays_are_refused(entry, error):
    entries = np.array([3, entry, 5], dtype=object)
    with pytest.raises(error, match="log must hold integers >= 0.*row 2"):
        MeasuredDelay.from_log(entries)


@pytest.mark.parametrize(
    ("entries", "row"),
    [
        (np.ma.MaskedArray([3, 2, 5], mask=[0, 1, 0]), 2),
        (np.ma.MaskedArray([[3, 2], [5, 1], [1, 1]], mask=[[0, 0], [0, 0], [0, 1]]), 3),
        ([np.ma.MaskedArray([3, 2], mask=[0, 0]), np.ma.MaskedArray([3, 2], mask=[0, 1])], 2),
        ([np.ma.masked, 2], 1),
    ],
)
def test_masked_entries_are_refused(entries, row):
    with pytest.raises(ValueError, match=f"entry in row {row} is masked"):
        MeasuredDelay.from_log(entries)


def test_a_masked_delay_is_refused():
    with pytest.raises(ValueError, match="masked"):
        ds.stability_threshold(ds.SGD(), np.ma.MaskedArray([3, 2], mask=[0, 1]))


class Series:
    """What is used of a series of pandas or polars."""

    def __init__(self, values):
        self.values = values

    def to_numpy(self):
        return np.asarray(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values)


class Frame:
    """What is used of a data frame of pandas or polars."""

    def __init__(self, **columns):
        self.table, self.columns = columns, list(columns)

    def __getitem__(self, name):
        return Series(self.table[name])

    def to_numpy(self):
        return np.stack([np.asarray(values) for values in self.table.values()], axis=1)

    def __array__(self, dtype=None, copy=None):
        return self.to_numpy()


def test_a_series_is_a_log():
    assert MeasuredDelay.from_log(Series([3, 2])).sequence.tolist() == [3, 2]
    assert MeasuredDelay.from_log(Series([3.0, 2.0]), column=1).sequence.tolist() == [3, 2]
    with pytest.raises(ValueError, match="got nan in row 2"):
        MeasuredDelay.from_log(Series([3.0, np.nan]))


def _as_structured(**columns):
    rows = list(zip(*columns.values(), strict=True))
    return np.array(rows, dtype=[(name, np.int64) for name in columns])


@pytest.mark.parametrize("table", [Frame, _as_structured])
def test_a_data_frame_needs_the_name_of_its_column(table):
    frame = table(step=[0, 1], delay=[3, 2], other=[5, 4])
    with pytest.raises(ValueError, match="which of its 3 columns .'step', 'delay', 'other'. are"):
        MeasuredDelay.from_log(frame)
    assert MeasuredDelay.from_log(frame, column="delay").sequence.tolist() == [3, 2]
    assert MeasuredDelay.from_log(frame, column=2).sequence.tolist() == [3, 2]
    both = MeasuredDelay.from_log(frame, columns=["delay", "other"])
    assert both.sequence.tolist() == [[3, 5], [2, 4]]
    assert MeasuredDelay.from_log(table(delay=[3, 2])).sequence.tolist() == [3, 2]
    with pytest.raises(ValueError, match="'lag' is not among"):
        MeasuredDelay.from_log(frame, column="lag")


def test_numbers_do_not_choose_among_columns_that_are_numbers():
    frame = Frame(delay=[3, 2])
    frame.columns = [1]
    with pytest.raises(ValueError, match="column must be the name of a column"):
        MeasuredDelay.from_log(frame, column=1)


def test_pandas_tables_are_read():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"step": [0, 1], "delay": [3, 2]}, index=[5, 9])
    assert MeasuredDelay.from_log(frame, column="delay").sequence.tolist() == [3, 2]
    assert MeasuredDelay.from_log(frame["delay"]).sequence.tolist() == [3, 2]
    with pytest.raises(ValueError, match="which of its 2 columns"):
        MeasuredDelay.from_log(frame)
    with pytest.raises((TypeError, ValueError), match="(NAType|nan).* in row 2"):
        MeasuredDelay.from_log(pandas.Series([3, None], dtype="Int64"))


def test_an_array_has_a_column_for_each_worker():
    rows = np.array([[3, 1], [2, 2]])
    assert MeasuredDelay.from_log(rows).sequence.tolist() == rows.tolist()
    assert MeasuredDelay.from_log(rows, column=2).sequence.tolist() == [1, 2]
    assert MeasuredDelay.from_log(rows, columns=[2, 1]).sequence.tolist() == [[1, 3], [2, 2]]
    with pytest.raises(ValueError, match="3 is not among 2 columns"):
        MeasuredDelay.from_log(rows, column=3)
