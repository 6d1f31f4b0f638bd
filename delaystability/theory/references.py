"""The literature that the derivations cite."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LITERATURE", "Reference"]


@dataclass(frozen=True)
class Reference:
    """One work. A field that it does not have is empty.

    Attributes
    ----------
    kind : "article", "inproceedings", "book" or "misc", as in BibTeX
    authors : tuple of names, each with the family name last
    title : str, without the full stop
    year : int
    journal, booktitle, publisher, edition, volume, number, pages : str
        A range of pages has an en dash; the number of an article stands for its pages; an edition
        is a word such as "Second".
    eprint : the number in arXiv, such as "1909.12340"
    """

    kind: str
    authors: tuple[str, ...]
    title: str
    year: int
    journal: str = ""
    booktitle: str = ""
    publisher: str = ""
    edition: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    eprint: str = ""

    def __post_init__(self) -> None:
        host = {"article": self.journal, "inproceedings": self.booktitle, "book": self.publisher}
        if self.kind not in (*host, "misc"):
            raise ValueError(f"kind must be one of {[*host, 'misc']}; got {self.kind!r}")
        if not host.get(self.kind, self.eprint):
            raise ValueError(f"a reference of kind {self.kind!r} needs where it appeared")
        if self.number and not self.volume:
            raise ValueError(f"number {self.number!r} needs a volume")


LITERATURE: dict[str, Reference] = {
    "andreyev2024": Reference(
        "misc",
        ("A. Andreyev", "P. Beneventano"),
        "Edge of stochastic stability: revisiting the edge of stability for SGD",
        2024,
        eprint="2412.20553",
    ),
    "arjevani2020": Reference(
        "inproceedings",
        ("Y. Arjevani", "O. Shamir", "N. Srebro"),
        "A tight convergence analysis for stochastic gradient descent with delayed updates",
        2020,
        booktitle="Algorithmic Learning Theory",
        eprint="1806.10188",
    ),
    "berezansky2009": Reference(
        "article",
        ("L. Berezansky", "E. Braverman"),
        "Exponential stability of difference equations with several delays: recursive approach",
        2009,
        journal="Advances in Difference Equations",
        volume="2009",
        pages="104310",
    ),
    "bernstein2018": Reference(
        "inproceedings",
        ("J. Bernstein", "Y.-X. Wang", "K. Azizzadenesheli", "A. Anandkumar"),
        "signSGD: compressed optimisation for non-convex problems",
        2018,
        booktitle="International Conference on Machine Learning",
        eprint="1802.04434",
    ),
    "bock2022": Reference(
        "misc",
        ("S. Bock", "M. Weiß"),
        "Non-convergence and limit cycles in the Adam optimizer",
        2022,
        eprint="2210.02070",
    ),
    "clark1976": Reference(
        "article",
        ("C. W. Clark",),
        "A delayed-recruitment model of population dynamics, with an application to baleen whale "
        "populations",
        1976,
        journal="Journal of Mathematical Biology",
        volume="3",
        pages="381–391",
    ),
    "cohen2022": Reference(
        "misc",
        (
            *("J. M. Cohen", "B. Ghorbani", "S. Krishnan", "N. Agarwal", "S. Medapati"),
            *("M. Badura", "D. Suo", "D. Cardoze", "Z. Nado", "G. E. Dahl", "J. Gilmer"),
        ),
        "Adaptive gradient methods at the edge of stability",
        2022,
        eprint="2207.14484",
    ),
    "cohen2024": Reference(
        "misc",
        ("J. M. Cohen", "A. Damian", "A. Talwalkar", "J. Z. Kolter", "J. D. Lee"),
        "Understanding optimization in deep learning with central flows",
        2024,
        eprint="2410.24206",
    ),
    "douillard2023": Reference(
        "misc",
        (
            *("A. Douillard", "Q. Feng", "A. A. Rusu", "R. Chhaparia", "Y. Donchev"),
            *("A. Kuncoro", "M. Ranzato", "A. Szlam", "J. Shen"),
        ),
        "DiLoCo: distributed low-communication training of language models",
        2023,
        eprint="2311.08105",
    ),
    "douillard2025": Reference(
        "misc",
        (
            *("A. Douillard", "Y. Donchev", "K. Rush", "S. Kale", "Z. Charles", "Z. Garrett"),
            *("G. Teston", "D. Lacey", "R. McIlroy", "J. Shen", "A. Ramé", "A. Szlam"),
            *("M. Ranzato", "P. Barham"),
        ),
        "Streaming DiLoCo with overlapping communication: towards a distributed free lunch",
        2025,
        eprint="2501.18512",
    ),
    "elaydi2005": Reference(
        "book",
        ("S. Elaydi",),
        "An Introduction to Difference Equations",
        2005,
        edition="Third",
        publisher="Springer",
    ),
    "erbe1995": Reference(
        "article",
        ("L. H. Erbe", "H. Xia", "J. S. Yu"),
        "Global stability of a linear nonautonomous delay difference equation",
        1995,
        journal="Journal of Difference Equations and Applications",
        volume="1",
        pages="151–161",
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
    "goemans1995": Reference(
        "article",
        ("M. X. Goemans", "D. P. Williamson"),
        "Improved approximation algorithms for maximum cut and satisfiability problems using "
        "semidefinite programming",
        1995,
        journal="Journal of the ACM",
        volume="42",
        number="6",
        pages="1115–1145",
    ),
    "kale2025": Reference(
        "misc",
        ("S. Kale", "A. Douillard", "Y. Donchev"),
        "Eager updates for overlapped communication and computation in DiLoCo",
        2025,
        eprint="2502.12996",
    ),
    "kao2004": Reference(
        "article",
        ("C.-Y. Kao", "B. Lincoln"),
        "Simple stability criteria for systems with time-varying delays",
        2004,
        journal="Automatica",
        volume="40",
        pages="1429–1434",
    ),
    "kingma2015": Reference(
        "inproceedings",
        ("D. P. Kingma", "J. Ba"),
        "Adam: a method for stochastic optimization",
        2015,
        booktitle="International Conference on Learning Representations",
        eprint="1412.6980",
    ),
    "kosson2020": Reference(
        "misc",
        ("A. Kosson", "V. Chiley", "A. Venigalla", "J. Hestness", "U. Köster"),
        "Pipelined backpropagation at scale: training large models without batches",
        2020,
        eprint="2003.11666",
    ),
    "kuruklis1994": Reference(
        "article",
        ("S. A. Kuruklis",),
        "The asymptotic stability of x(n+1) - a x(n) + b x(n-k) = 0",
        1994,
        journal="Journal of Mathematical Analysis and Applications",
        volume="188",
        pages="719–731",
    ),
    "levin1976": Reference(
        "article",
        ("S. A. Levin", "R. M. May"),
        "A note on difference-delay equations",
        1976,
        journal="Theoretical Population Biology",
        volume="9",
        number="2",
        pages="178–187",
    ),
    "liu2024": Reference(
        "misc",
        (
            *("B. Liu", "R. Chhaparia", "A. Douillard", "S. Kale", "A. A. Rusu"),
            *("J. Shen", "A. Szlam", "M. Ranzato"),
        ),
        "Asynchronous local-SGD training for language modeling",
        2024,
        eprint="2401.09135",
    ),
    "loshchilov2019": Reference(
        "inproceedings",
        ("I. Loshchilov", "F. Hutter"),
        "Decoupled weight decay regularization",
        2019,
        booktitle="International Conference on Learning Representations",
        eprint="1711.05101",
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
    "mitliagkas2016": Reference(
        "misc",
        ("I. Mitliagkas", "C. Zhang", "S. Hadjis", "C. Ré"),
        "Asynchrony begets momentum, with an application to deep learning",
        2016,
        eprint="1605.09774",
    ),
    "nemirovsky1992": Reference(
        "article",
        ("A. S. Nemirovsky",),
        "Information-based complexity of linear operator equations",
        1992,
        journal="Journal of Complexity",
        volume="8",
        number="2",
        pages="153–175",
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
    "sieber2006": Reference(
        "article",
        ("J. Sieber",),
        "Dynamics of delayed relay systems",
        2006,
        journal="Nonlinearity",
        volume="19",
        number="11",
        pages="2489–2527",
    ),
    "sutskever2013": Reference(
        "inproceedings",
        ("I. Sutskever", "J. Martens", "G. Dahl", "G. Hinton"),
        "On the importance of initialization and momentum in deep learning",
        2013,
        booktitle="International Conference on Machine Learning",
    ),
    "willems1971": Reference(
        "article",
        ("J. C. Willems", "G. L. Blankenship"),
        "Frequency domain stability criteria for stochastic systems",
        1971,
        journal="IEEE Transactions on Automatic Control",
        volume="16",
        number="4",
        pages="292–299",
    ),
    "wu2018": Reference(
        "inproceedings",
        ("L. Wu", "C. Ma", "W. E"),
        "How SGD selects the global minima in over-parameterized learning: a dynamical stability "
        "perspective",
        2018,
        booktitle="Advances in Neural Information Processing Systems",
    ),
    "yang2019": Reference(
        "misc",
        ("B. Yang", "J. Zhang", "J. Li", "C. Ré", "C. R. Aberger", "C. De Sa"),
        "PipeMare: asynchronous pipeline parallel DNN training",
        2019,
        eprint="1910.05124",
    ),
    "yorke1970": Reference(
        "article",
        ("J. A. Yorke",),
        "Asymptotic stability for one dimensional differential-delay equations",
        1970,
        journal="Journal of Differential Equations",
        volume="7",
        pages="189–202",
    ),
    "zheng2017": Reference(
        "inproceedings",
        (
            "S. Zheng",
            "Q. Meng",
            "T. Wang",
            "W. Chen",
            "N. Yu",
            "Z.-M. Ma",
            "T.-Y. Liu",
        ),
        "Asynchronous stochastic gradient descent with delay compensation",
        2017,
        booktitle="International Conference on Machine Learning",
        eprint="1609.08326",
    ),
}
"""Key to reference, in alphabetical order."""
