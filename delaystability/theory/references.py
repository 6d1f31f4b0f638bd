"""The literature that the derivations cite."""

from __future__ import annotations

from delaystability.theory.bibliography import Reference

__all__ = ["LITERATURE", "REFERENCES"]

LITERATURE: dict[str, Reference] = {
    "elaydi2005": Reference(
        "book",
        ("S. Elaydi",),
        "An Introduction to Difference Equations",
        2005,
        edition="Third",
        publisher="Springer",
    ),
    "feller1968": Reference(
        "book",
        ("W. Feller",),
        "An Introduction to Probability Theory and Its Applications",
        1968,
        volume="1",
        edition="Third",
        publisher="Wiley",
    ),
    "giladi2020": Reference(
        "inproceedings",
        ("N. Giladi", "M. S. Nacson", "E. Hoffer", "D. Soudry"),
        "At stability's edge: how to adjust hyperparameters to preserve minima selection in "
        "asynchronous training of neural networks?",
        2020,
        booktitle="International Conference on Learning Representations",
        eprint="1909.12340",
    ),
    "kingma2015": Reference(
        "inproceedings",
        ("D. P. Kingma", "J. Ba"),
        "Adam: a method for stochastic optimization",
        2015,
        booktitle="International Conference on Learning Representations",
        eprint="1412.6980",
    ),
    "marden1966": Reference(
        "book",
        ("M. Marden",),
        "Geometry of Polynomials",
        1966,
        edition="Second",
        publisher="American Mathematical Society",
    ),
    "mason2003": Reference(
        "book",
        ("J. C. Mason", "D. C. Handscomb"),
        "Chebyshev Polynomials",
        2003,
        publisher="Chapman & Hall/CRC",
    ),
    "nesterov1983": Reference(
        "article",
        ("Yu. E. Nesterov",),
        "A method for solving the convex programming problem with convergence rate O(1/k²)",
        1983,
        journal="Doklady Akademii Nauk SSSR",
        volume="269",
        number="3",
        pages="543–547",
    ),
    "polyak1964": Reference(
        "article",
        ("B. T. Polyak",),
        "Some methods of speeding up the convergence of iteration methods",
        1964,
        journal="USSR Computational Mathematics and Mathematical Physics",
        volume="4",
        number="5",
        pages="1–17",
    ),
    "sutskever2013": Reference(
        "inproceedings",
        ("I. Sutskever", "J. Martens", "G. Dahl", "G. Hinton"),
        "On the importance of initialization and momentum in deep learning",
        2013,
        booktitle="International Conference on Machine Learning",
    ),
}
"""Key to reference, in alphabetical order."""

REFERENCES: dict[str, str] = {key: entry.text for key, entry in LITERATURE.items()}
"""Key to reference, as a plain sentence."""
