"""A certificate says what it proves: relabelled, forged or malformed ones are refused."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import delaystability as ds
from delaystability.model.catalogue import optimizer_from_name
from delaystability.numerics.certificates.named_loop import named_loop
from delaystability.numerics.certificates.precise_threshold import largest_root_modulus
from delaystability.numerics.exact.ball_root import Bracket, enclosed_zero
from delaystability.numerics.exact.circle_proof import CircleProof
from delaystability.numerics.exact.intervals import UndecidedError
from delaystability.numerics.exact.rational_text import rational_from_text, rational_text
from tests.edits import edited
from tests.helpers import WITH_MOMENTUM, make

NINE_TENTHS = Fraction(9, 10)
GOOD = ds.certify(ds.HeavyBall(NINE_TENTHS), 4, 20)
SCHUR_COHN, WINDING = "integer Schur-Cohn test", "winding number in ball arithmetic"
CUSTOM = ds.LinearOptimizer({1: Fraction(1, 2)}, {0: Fraction(3, 4), 2: Fraction(1, 4)})
RANDOM = ds.RandomDelay({2: Fraction(1, 3), 5: Fraction(2, 3)})


DELAY_DEPENDENT = [
    name
    for name in ("sgd", *WITH_MOMENTUM)
    if make(name, NINE_TENTHS).coefficients(1) != make(name, NINE_TENTHS).coefficients(2)
]


class Unlisted(ds.HeavyBall):
    """An optimizer that the catalogue does not have, under a name that it has."""


@pytest.mark.quick(12)
@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
@pytest.mark.parametrize("delay", [0, 3, 400, RANDOM, ds.GeometricDelay(0.7)])
def test_certificates_name_the_loop_that_they_are_about(name, delay):
    optimizer = make(name, NINE_TENTHS)
    if name in DELAY_DEPENDENT and isinstance(delay, ds.Delay):
        with pytest.raises(ValueError, match="do not depend on the delay"):
            ds.certify(optimizer, delay, 15)
        return
    certificate = ds.certify(optimizer, delay, 15)
    assert certificate.verify()
    assert ds.Certificate.from_dict(certificate.to_dict()) == certificate
    for other in {"sgd", *WITH_MOMENTUM} - {name}:
        # Without delay, shifted momentum and heavy ball are one loop, and it is true of both.
        words = named_loop(make(other, NINE_TENTHS), 1).parameters
        law = {key: word for key, word in certificate.parameters.items() if "delay" in key}
        relabelled = replace(certificate, optimizer=other, parameters=words | law)
        if law and other in DELAY_DEPENDENT:
            assert not relabelled.verify()
            continue
        loop = named_loop(make(other, NINE_TENTHS), delay)
        assert relabelled.verify() == ((loop.a, loop.b) == (certificate.a, certificate.b))


@pytest.mark.parametrize("optimizer", [CUSTOM, Unlisted(NINE_TENTHS)])
@pytest.mark.parametrize("delay", [3, RANDOM])
def test_an_optimizer_of_ones_own_is_named_by_its_tables(optimizer, delay):
    certificate = ds.certify(optimizer, delay, 15)
    assert certificate.optimizer == "linear"
    assert certificate.verify()
    changed = certificate.parameters | {"feedforward": "0: 1/7"}
    assert not replace(certificate, parameters=changed).verify()


CHANGES = {
    "another optimizer": {"optimizer": "nesterov"},
    "an unknown optimizer": {"optimizer": "magic"},
    "a momentum next to it": {"parameters": {"momentum": "9000000000001/10000000000000"}},
    "a float momentum": {"parameters": {"momentum": "0.9"}},
    "no momentum": {"parameters": {}},
    "one parameter more": {"parameters": {"momentum": "9/10", "horizon": "1"}},
    "a law of delays": {"parameters": {"momentum": "9/10", "delay distribution": "0: 1/2, 1: 1/2"}},
    "a longer delay": {"delay": 5},
    "a huge delay": {"delay": 10**12},
    "a delay beyond all": {"delay": 2**53 + 1},
    "a delay in words": {"delay": "4"},
    "an unknown method": {"method": "proof by authority"},
    "no tables": {"a": ()},
    "no lower end": {"lower": None},
    "more digits": {"digits": 40},
    "a billion digits": {"digits": 10**9},
    "forged moduli": {"root_moduli": ("0.5", "2.0")},
    "moduli of the other end": {"root_moduli": GOOD.root_moduli[::-1]},
    "text for moduli": {"root_moduli": ("small", "large")},
    "another term": {"b": ((0, Fraction(1)), (1, Fraction(1, 10**9)))},
    "another lag": {"a": ((0, Fraction(1)), (2, Fraction(-9, 10)))},
    "a wide interval": {"upper": GOOD.upper * 2},
    "an empty interval": {"upper": GOOD.lower},
    "a point": {"lower": GOOD.upper},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_certificate_that_says_anything_else_is_refused(change):
    begin = time.process_time()
    assert GOOD.verify()
    assert not replace(GOOD, **change).verify()
    assert time.process_time() - begin < 2


def test_each_digit_of_the_root_moduli_is_checked():
    digits = len(GOOD.root_moduli[0]) - 3
    for place in (3, 20, digits - 2):
        moduli = list(GOOD.root_moduli)
        last = moduli[0][place]
        moduli[0] = moduli[0][:place] + str((int(last) + 4) % 10) + moduli[0][place + 1 :]
        assert not replace(GOOD, root_moduli=tuple(moduli)).verify()
    assert replace(GOOD, root_moduli=None).verify()
    long = ds.certify(ds.SGD(), 40, 20)
    assert not replace(long, root_moduli=GOOD.root_moduli).verify()


def test_a_method_that_is_not_made_for_the_size_is_refused():
    long = ds.certify(ds.HeavyBall(NINE_TENTHS), 400, 15)
    assert long.method == WINDING
    begin = time.process_time()
    assert not replace(long, method=SCHUR_COHN).verify()
    many = ds.certify(ds.HeavyBall(NINE_TENTHS), 200, 200)
    assert not replace(many, method=SCHUR_COHN).verify()
    assert not replace(ds.certify(ds.SGD(), 10**9, 9), method=SCHUR_COHN).verify()
    assert time.process_time() - begin < 2


def test_a_law_of_delays_is_bound_to_its_tables():
    certificate = ds.certify(ds.HeavyBall(NINE_TENTHS), RANDOM, 15)
    words = "0: 1/3, 3: 2/3"
    assert certificate.parameters == {"momentum": "9/10", "delay distribution": words}
    for other in ("0: 2/3, 3: 1/3", "0: 1/3, 4: 2/3", "0: 1", "", words + " over 0: 1, 1: 1/2"):
        changed = certificate.parameters | {"delay distribution": other}
        assert not replace(certificate, parameters=changed).verify()
    shifted = ds.certify(ds.ShiftedMomentum(NINE_TENTHS), 0, 15)
    changed = shifted.parameters | {"delay distribution": "0: 1"}
    assert not replace(shifted, parameters=changed).verify()


# Malformed files


def _changed(**changes):
    return GOOD.to_dict() | changes


MALFORMED = {
    "a": ["1/0", [], [[0, "1"], [0, "1"]], [[0.0, "1"]], [[True, "1"]], [[-1, "1"]], [[0, 1]]],
    "b": [[[0, "1/0"]], [[0, "1e9"]], [[0, "0.5"]], [[0]], [["0", "1"]], [[2**60, "1"]], {}],
    "delay": [-1, 1.0, True, "4", None, 2**53 + 1, 10**12 * 10**12, [4], 10**5000],
    "digits": [0, 1001, 10**9, "20", 20.0, True, None, 10**5000],
    "lower": ["1e999999999", "1/0", "-1", "0", "nan", 1, 0.5, None, "1_0", "\u0661", "1" * 10**5],
    "upper": ["1/-3", " 1", "1/2/3", "0x1", "0xg/0x1", ["1"], "0x" + "f" * 10**5 + "/0x1", ""],
    "method": ["", "magic", 1, None, ["integer Schur-Cohn test"], SCHUR_COHN.upper()],
    "optimizer": [None, 1, "", "x" * 101, ["sgd"]],
    "parameters": [None, [], {"momentum": 0.9}, {"momentum": None}, {1: "1"}, {"m" * 200: "1"}],
    "root_moduli": [["0.9"], "0.9", [0.9, 1.1], ["nan", "1"], ["1e5", "1"], ["9" * 5000, "1"], {}],
    "surplus": [1],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_field_is_named(name):
    for value in MALFORMED[name]:
        begin = time.process_time()
        with pytest.raises(ValueError, match=name) as refused:
            ds.Certificate.from_dict(_changed(**{name: value}))
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 400
        assert time.process_time() - begin < 1


@pytest.mark.parametrize("name", [name for name in GOOD.to_dict() if name != "root_moduli"])
def test_a_missing_field_is_named(name):
    data = GOOD.to_dict()
    del data[name]
    with pytest.raises(ValueError, match=f"{name} must be given"):
        ds.Certificate.from_dict(data)


def _endless():
    tree = [0]
    tree.append(tree)
    return tree


@pytest.mark.parametrize("data", [None, [], "text", 3, {1: 2}, _changed(a=_endless())])
def test_other_data_is_no_certificate(data):
    with pytest.raises(ValueError, match=r"certificate|must"):
        ds.Certificate.from_dict(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "NaN",
        "[" * 10**5,
        '{"a": ' * 10**5,
        GOOD.to_json().replace('"delay": 4', '"delay": ' + "9" * 10**5),
        GOOD.to_json().replace('"delay": 4', '"delay": NaN'),
        GOOD.to_json().replace('"delay": 4', '"delay": 4, "delay": 5'),
        GOOD.to_json().replace('"delay": 4', '"delay": 1e400'),
        GOOD.to_json()[:-5],
        "\ufeff" + GOOD.to_json(),
        None,
        b"{}",
        3,
    ],
)
def test_text_that_is_no_certificate_is_one_value_error(text):
    begin = time.process_time()
    with pytest.raises(ValueError, match="must"):
        ds.Certificate.from_json(text)
    assert time.process_time() - begin < 1


def test_a_text_beyond_all_size_is_not_read(monkeypatch):
    monkeypatch.setattr("delaystability.numerics.certificates.certificate_data._LONGEST_TEXT", 100)
    with pytest.raises(ValueError, match="at most 100 characters; got a text of"):
        ds.Certificate.from_json(GOOD.to_json())


@pytest.mark.parametrize("bits", [1, 8191, 8192, 20_000, 2**18])
def test_rationals_of_any_length_are_text_and_back(bits):
    for value in (Fraction(2**bits - 1, 3), Fraction(-1, 2**bits - 1), Fraction(2 ** (bits - 1))):
        assert rational_from_text("value", rational_text(value)) == value
    with pytest.raises(ValueError, match="value must"):
        rational_from_text("value", rational_text(Fraction(2**bits)), bits)


def _judged(text: str) -> str:
    """What becomes of a certificate file: refused, unproved, or proved."""
    try:
        certificate = ds.Certificate.from_json(text)
    except ValueError as error:
        return "refused" if "\n" not in str(error) else "in several lines"
    try:
        if not certificate.verify():
            return "unproved"
    except UndecidedError:
        return "unproved"
    # Then it says something true about the loop that it names.
    parameters = {key: Fraction(value) for key, value in certificate.parameters.items()}
    optimizer = optimizer_from_name(certificate.optimizer, **parameters)
    found = Fraction(ds.stability_threshold(optimizer, certificate.delay))
    assert abs(found / certificate.lower - 1) < Fraction(1, 10 ** min(certificate.digits, 12))
    return "proved"


def test_random_edits_of_a_certificate_are_refused_or_harmless():
    random, text = np.random.default_rng(0), GOOD.to_json()
    outcomes = []
    for _ in range(150):
        begin = time.process_time()
        outcomes.append(_judged(edited(text, random)))
        assert time.process_time() - begin < 2
    assert set(outcomes) <= {"refused", "unproved", "proved"}
    assert outcomes.count("refused") > 50
    assert outcomes.count("unproved") >= 5
    assert _judged(json.dumps(json.loads(text))) == "proved"


# Ball arithmetic


@pytest.mark.quick(2)
@pytest.mark.parametrize("delay", [0, 4, 250])
def test_a_thousand_digits_cost_little_more_than_their_ball_arithmetic(delay):
    def seconds(work):
        begin = time.process_time()
        work()
        return time.process_time() - begin

    certificate = ds.certify(ds.HeavyBall(NINE_TENTHS), delay, 1000)

    def balls():
        proof = CircleProof(certificate.a, certificate.b, delay, certificate._precision())
        assert proof.roots_outside(certificate.lower) == 0
        assert proof.roots_outside(certificate.upper) > 0
        assert proof.no_crossing_up_to(certificate.lower)

    whole = min(seconds(lambda: ds.certify(ds.HeavyBall(NINE_TENTHS), delay, 1000)) for _ in "123")
    assert whole < 5 * min(seconds(balls) for _ in "123") + 0.02
    assert whole < 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
def test_a_delay_of_a_billion_is_certified_or_refused_with_a_cure(name):
    begin = time.process_time()
    if name == "spike-compensation":
        with pytest.raises(ValueError, match="delay must be at most .*short fraction"):
            ds.certify(make(name, NINE_TENTHS), 10**9)
    else:
        certificate = ds.certify(make(name, NINE_TENTHS), 10**9)
        found = ds.stability_threshold(make(name, 0.9), 10**9)
        assert float(certificate.lower) == pytest.approx(found, rel=1e-12)
        assert certificate.verify()
    assert time.process_time() - begin < 5


def test_a_long_law_of_delays_is_certified_or_refused_by_its_length(monkeypatch):
    law = ds.RandomDelay([Fraction(1, 200)] * 200)
    certificate = ds.certify(ds.HeavyBall(NINE_TENTHS), law, 15)
    found = ds.stability_threshold(ds.HeavyBall(0.9), law, moment="mean")
    assert float(certificate.lower) == pytest.approx(found, rel=1e-9)
    monkeypatch.setattr("delaystability.numerics.certificates.named_loop.MOST_LAGS", 100)
    with pytest.raises(ValueError, match="delay must have at most 100 different values"):
        ds.certify(ds.SGD(), law)


def test_terms_that_nearly_cancel_do_not_hide_a_proof():
    certificate = ds.certify(ds.SGD(), ds.GeometricDelay(1 - 2.0**-53), 20)
    exact = 2 * (2 - Fraction(2) ** -53) / Fraction(2) ** -53
    assert certificate.lower < exact < certificate.upper


def slow_roots_outside(a, b, delay, gain):
    """The same count by NumPy's root finding."""
    coefficients = np.zeros(2 + max(max(lag for lag, _ in a), delay + max(lag for lag, _ in b)))
    for lag, value in a:
        coefficients[lag] += float(value)
        coefficients[lag + 1] -= float(value)
    for lag, value in b:
        coefficients[delay + lag + 1] += float(gain * value)
    return np.abs(np.roots(coefficients))


@pytest.mark.slow
def test_winding_numbers_of_random_tables_agree_with_root_finding():
    random, counted = np.random.default_rng(5), 0
    for _ in range(120):
        a = [(0, Fraction(1))]
        a += [(lag, Fraction(int(random.integers(-9, 10)), 10)) for lag in range(1, 4)]
        b = [(lag, Fraction(int(random.integers(-9, 10)), 7)) for lag in range(3)]
        b = [(lag, value) for lag, value in b if value] or [(0, Fraction(1))]
        delay, gain = int(random.integers(0, 9)), Fraction(int(random.integers(1, 30)), 10)
        moduli = slow_roots_outside(a, b, delay, gain)
        if np.min(np.abs(moduli - 1)) < 1e-6:
            continue
        proof = CircleProof(tuple(a), tuple(b), delay, 200)
        assert proof.roots_outside(gain) == np.count_nonzero(moduli > 1)
        counted += 1
    assert counted > 100


@pytest.mark.parametrize("delay", [0, 3, 60])
@pytest.mark.parametrize("momentum", [NINE_TENTHS, -NINE_TENTHS])
@pytest.mark.quick(2)
def test_ends_next_to_the_threshold_are_told_apart(delay, momentum):
    certificate = ds.certify(ds.HeavyBall(momentum), delay, 300)
    proof = CircleProof(certificate.a, certificate.b, delay, certificate._precision())
    assert proof.roots_outside(certificate.lower) == 0
    assert proof.roots_outside(certificate.upper) in (1, 2)
    with pytest.raises(UndecidedError):
        proof.no_crossing_up_to(certificate.upper)
    low = CircleProof(certificate.a, certificate.b, delay, 128)
    with pytest.raises(UndecidedError):
        low.no_crossing_up_to(certificate.upper)


def test_the_zero_of_a_monotone_function_is_enclosed():
    from flint import arb, ctx

    def value(t):
        return t * t - arb(2)

    def slope(t):
        return 2 * t

    with ctx.workprec(64):
        found = enclosed_zero(value, slope, arb(1), arb(2), (500,))
        assert isinstance(found, Bracket)
        with ctx.workprec(500):
            assert found.ball.contains(arb(2).sqrt())
            assert found.ball.rad() < arb(2) ** -400
        assert enclosed_zero(value, slope, arb(2), arb(3), (500,)) is True
        assert enclosed_zero(lambda t: t * t - arb(4), slope, arb(1), arb(2), (500,)) is None


def test_largest_root_moduli_of_multiple_roots():
    # (z - 3/2)^2 (z - 1/3): a double root, and digits beyond those of its isolation.
    half, third = Fraction(3, 2), Fraction(1, 3)
    double = [Fraction(1), -2 * half, half**2]
    product = [Fraction(0)] * 4
    for power, value in enumerate(double):
        product[power] += value
        product[power + 1] -= third * value
    with mpmath.workdps(120):
        assert abs(largest_root_modulus(product, 100) - mpmath.mpf(3) / 2) < mpmath.mpf(10) ** -98
    root = largest_root_modulus([Fraction(1), Fraction(0), Fraction(-2)], 200)
    with mpmath.workdps(220):
        assert abs(root**2 - 2) < mpmath.mpf(10) ** -198
