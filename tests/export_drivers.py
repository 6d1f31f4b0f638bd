"""Programs that read calls of exported functions, one to the line, and print the answers."""

from __future__ import annotations

C_DRIVER = """\
#include "delaystability.h"
#include <stdio.h>

int main(void) {
    int kind;
    double m, d, h;
    while (scanf("%d %lf %lf %lf", &kind, &m, &d, &h) == 4) {
        double found = 0.0;
        switch (kind) {
            case 0: found = sgd_threshold(d); break;
            case 1: found = heavy_ball_threshold(m, d); break;
            case 2: found = ema_momentum_threshold(m, d); break;
            case 3: found = nesterov_threshold(m, d); break;
            case 4: found = shifted_momentum_threshold(m, d); break;
            case 5: found = spike_compensation_threshold(m, d); break;
            case 6: found = weight_prediction_threshold(m, d, h); break;
        }
        printf("%.17g\\n", found);
    }
    return 0;
}
"""
CPP_DRIVER = """\
#include "delaystability.hpp"
#include <iostream>
#include <string>

using namespace delaystability;

int main() {
    std::cout.precision(17);
    std::string kind, m_text, d_text, h_text;
    while (std::cin >> kind >> m_text >> d_text >> h_text) {
        const double m = std::stod(m_text), d = std::stod(d_text), h = std::stod(h_text);
        try {
            switch (std::stoi(kind)) {
                case 0: std::cout << sgd_threshold(d); break;
                case 1: std::cout << heavy_ball_threshold(m, d); break;
                case 2: std::cout << ema_momentum_threshold(m, d); break;
                case 3: std::cout << nesterov_threshold(m, d); break;
                case 4: std::cout << shifted_momentum_threshold(m, d); break;
                case 5: std::cout << spike_compensation_threshold(m, d); break;
                case 6: std::cout << weight_prediction_threshold(m, d, h); break;
            }
        } catch (const std::invalid_argument& error) {
            std::cout << error.what();
        }
        std::cout << "\\n";
    }
}
"""
RUST_DRIVER = """\
mod delaystability;
use delaystability::*;

fn main() {
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let values: Vec<f64> = line.split(' ').map(|text| text.parse().unwrap()).collect();
        let (m, d, h) = (values[1], values[2], values[3]);
        let found = match values[0] as i32 {
            0 => sgd_threshold(d),
            1 => heavy_ball_threshold(m, d),
            2 => ema_momentum_threshold(m, d),
            3 => nesterov_threshold(m, d),
            4 => shifted_momentum_threshold(m, d),
            5 => spike_compensation_threshold(m, d),
            _ => weight_prediction_threshold(m, d, Some(h)),
        };
        println!("{found}");
    }
    let unused = [max_learning_rate, max_sharpness];
    assert!(unused.iter().all(|rule| rule(1.0, 2.0) == 2.0));
    assert!(adjust_learning_rate(1.0, 2.0, 4.0) == 2.0);
    assert!(any_sequence_threshold(0.0) == 2.0);
    let of_one = [mostly_fresh_threshold, fastest_rate, fastest_momentum, fastest_horizon];
    assert!(of_one.iter().all(|form| form(f64::NAN).is_nan()));
    let of_two = [
        mixed_read_threshold, decayed_sgd_threshold, noisy_sgd_threshold,
        sgd_batch_sharpness_edge, speed_limit, fastest_learning_rate, signsgd_oscillation,
    ];
    assert!(of_two.iter().all(|form| form(f64::NAN, 4.0).is_nan()));
    let of_three = [decayed_heavy_ball_threshold, adaptive_loss_floor, decay_updates];
    assert!(of_three.iter().all(|form| form(f64::NAN, 0.5, 0.5).is_nan()));
    let of_four = [
        adam_oscillation, rmsprop_oscillation, outer_threshold, max_outer_learning_rate,
    ];
    assert!(of_four.iter().all(|form| form(f64::NAN, 0.5, 0.5, 4.0).is_nan()));
}
"""
FORTRAN_DRIVER = """\
program driver
    use, intrinsic :: iso_fortran_env, only: dp => real64
    use delaystability
    implicit none
    integer :: kind_number, status
    real(dp) :: m, d, h, found
    do
        read (*, *, iostat=status) kind_number, m, d, h
        if (status /= 0) exit
        select case (kind_number)
        case (0)
            found = sgd_threshold(d)
        case (1)
            found = heavy_ball_threshold(m, d)
        case (2)
            found = ema_momentum_threshold(m, d)
        case (3)
            found = nesterov_threshold(m, d)
        case (4)
            found = shifted_momentum_threshold(m, d)
        case (5)
            found = spike_compensation_threshold(m, d)
        case default
            found = weight_prediction_threshold(m, d, h)
        end select
        print '(es24.16e3)', found
    end do
end program
"""
JAVASCRIPT_DRIVER = """\
import { readFileSync } from "node:fs";
import * as all from "./delaystability.mjs";

const functions = [
    (m, d) => all.sgdThreshold(d), all.heavyBallThreshold, all.emaMomentumThreshold,
    all.nesterovThreshold, all.shiftedMomentumThreshold, all.spikeCompensationThreshold,
    all.weightPredictionThreshold,
];
for (const line of readFileSync(0, "utf8").trim().split("\\n")) {
    const [kind, m, d, h] = line.replaceAll("inf", "Infinity").split(" ").map(Number);
    try {
        console.log(functions[kind](m, d, h));
    } catch (error) {
        console.log(error.message);
    }
}
for (const wrong of ["0.9", null, undefined, [0.9], true]) {
    try {
        console.log(all.heavyBallThreshold(wrong, 4));
    } catch (error) {
        console.log(error.message);
    }
}
"""
JULIA_DRIVER = """\
include("delaystability.jl")
using .delaystability

for line in eachline()
    kind, m, d, h = parse.(Float64, split(line))
    try
        println(kind == 0 ? sgd_threshold(d) : kind == 1 ? heavy_ball_threshold(m, d) :
            kind == 2 ? ema_momentum_threshold(m, d) : kind == 3 ? nesterov_threshold(m, d) :
            kind == 4 ? shifted_momentum_threshold(m, d) :
            kind == 5 ? spike_compensation_threshold(m, d) :
            weight_prediction_threshold(m, d, h))
    catch error
        println(sprint(showerror, error)[1:20])
    end
end
"""
JAX_DRIVER = """\
import json, sys, warnings
import jax
import numpy as np
import delaystability_jax as exported

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    exported.sgd_threshold(4)
assert any("need 64-bit floats" in str(one.message) for one in caught)
jax.config.update("jax_enable_x64", True)
answers = {}
for name, columns in json.load(sys.stdin).items():
    function = getattr(exported, name)
    values = [np.array(column) for column in columns]
    found = function(*values)
    slopes = []
    if name in ("heavy_ball_threshold", "nesterov_threshold"):
        grid = [np.array(x) for x in ([0.0, -0.5, 0.9, 0.9, -0.3], [2.0, 1.0, 0.0, 7.0, 4.0])]
        slopes = jax.vmap(jax.grad(function))(*grid).tolist()
        assert np.array_equal(function(*grid), jax.jit(jax.vmap(function))(*grid))
    answers[name] = [np.asarray(found).tolist(), slopes]
print(json.dumps(answers))
"""
