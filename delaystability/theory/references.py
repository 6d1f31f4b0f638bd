"""The literature that the derivations cite."""

from __future__ import annotations

__all__ = ["REFERENCES"]

REFERENCES: dict[str, str] = {
    "giladi2020": (
        "N. Giladi, M. S. Nacson, E. Hoffer, D. Soudry. At stability's edge: how to adjust "
        "hyperparameters to preserve minima selection in asynchronous training of neural "
        "networks? In International Conference on Learning Representations, 2020. "
        "arXiv:1909.12340."
    ),
    "kingma2015": (
        "D. P. Kingma, J. Ba. Adam: a method for stochastic optimization. In International "
        "Conference on Learning Representations, 2015. arXiv:1412.6980."
    ),
    "marden1966": (
        "M. Marden. Geometry of Polynomials. Second edition, American Mathematical Society, 1966."
    ),
    "nesterov1983": (
        "Yu. E. Nesterov. A method for solving the convex programming problem with convergence "
        "rate O(1/k²). Doklady Akademii Nauk SSSR, 269(3):543–547, 1983."
    ),
    "polyak1964": (
        "B. T. Polyak. Some methods of speeding up the convergence of iteration methods. USSR "
        "Computational Mathematics and Mathematical Physics, 4(5):1–17, 1964."
    ),
    "sutskever2013": (
        "I. Sutskever, J. Martens, G. Dahl, G. Hinton. On the importance of initialization and "
        "momentum in deep learning. In International Conference on Machine Learning, 2013."
    ),
}
"""Key to reference."""
