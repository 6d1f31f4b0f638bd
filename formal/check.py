"""Compile every proof from nothing, audit what it rests on, and write verified.json.

    python formal/check.py [--build FOLDER] [--output FILE]

Needs Rocq (coqc) and the library Coquelicot, and nothing of Python but its standard library.
A proof passes if it compiles, if no source asks the kernel to look away, if it proves exactly the
statement that Statements.v prints, and if it rests on the axioms of the reals only. Of each variant
of a statement that Variants.v prints, a file Sharpness*.v must prove that it is false or true, or
say why not.
For each optimizer, Recursion.v must prove that stable means that every run tends to 0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY = "DelayStability"

AXIOMS = {
    "ClassicalDedekindReals.sig_forall_dec": "the reals: a decidable property of the naturals "
    "either fails somewhere or holds everywhere",
    "ClassicalDedekindReals.sig_not_dec": "the reals: a negation is decidable",
    "FunctionalExtensionality.functional_extensionality_dep": "functions that agree everywhere "
    "are equal",
    "Classical_Prop.classic": "the excluded middle, which Coquelicot uses",
}
"""The axioms that a proof may rest on: those of the real numbers of Rocq and of Coquelicot."""

FORBIDDEN = re.compile(
    r"\b(Admitted|admit|give_up|Axioms?|Parameters?|Conjectures?|bypass_check|Unset\s+\w+\s+Checking"
    r"|Guard\s+Checking|Positivity\s+Checking|Universe\s+Checking|type-in-type|Declare\s+ML|Load)\b"
)
THEOREM = re.compile(r"^Theorem (\w+) : (\w+)\.$", re.MULTILINE)
DEFINITION = re.compile(
    r"^Definition (\w+)_statement : Prop :=\n(.*?\.)$", re.MULTILINE | re.DOTALL
)
VARIANT = re.compile(r"^Definition (\w+) : Prop :=$", re.MULTILINE)
DECIDED = re.compile(r"^Lemma (\w+)_(false|true) : (~ )?(\w+)\.$", re.MULTILINE)
IN_WORDS = re.compile(r"^    - (\w+): .{20,}$", re.MULTILINE)
MEANING = re.compile(r"^Theorem (\w+)_stable_means \w[^:]*:", re.MULTILINE)
LOOP = re.compile(r"^Definition (\w+) [^=]*: loop :=", re.MULTILINE)
ASSUMED = re.compile(r"^([A-Za-z_][\w.]*)\s*:", re.MULTILINE)


class RefusedError(Exception):
    """A proof, or the development, does not pass; the message says why."""


@dataclass(frozen=True)
class Theorem:
    """A theorem that passed: what it states, where it stands and what it rests on."""

    name: str
    statement_sha256: str
    proof_sha256: str
    line: int
    axioms: tuple[str, ...]


def sources(folder: Path = HERE) -> list[Path]:
    """The files of the development in the order of compilation."""
    lines = (folder / "_CoqProject").read_text().split("\n")
    return [folder / line for line in lines if line.endswith(".v")]


def without_comments(text: str) -> str:
    """The text of a source with its comments, nested ones too, taken out."""
    kept, depth, at = [], 0, 0
    for match in re.finditer(r"\(\*|\*\)", text):
        if depth == 0:
            kept.append(text[at : match.start()])
        depth += 1 if match.group() == "(*" else -1
        at = match.end()
    if depth:
        raise RefusedError("a comment does not end")
    return "".join((*kept, text[at:]))


def refuse_forbidden(files: Iterable[Path]) -> None:
    """Refuse a source that assumes something or switches a check off."""
    for file in files:
        found = FORBIDDEN.search(without_comments(file.read_text()))
        if found:
            raise RefusedError(f"{file.name} says {found.group()!r}, which no proof may")


def coqc(file: Path, folder: Path) -> str:
    """Compile a file; what it printed."""
    command = ["coqc", "-q", "-w", "-ambiguous-paths", "-Q", str(folder), LIBRARY, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise RefusedError(
            f"{file.name} does not compile:\n{done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout


def compile_all(folder: Path, origin: Path = HERE) -> list[Path]:
    """Copy the sources into an empty folder and compile them there."""
    copies = []
    shutil.copy(origin / "_CoqProject", folder)
    for source in sources(origin):
        copies.append(Path(shutil.copy(source, folder)))
        began = time.monotonic()
        coqc(copies[-1], folder)
        print(f"{source.name:<24} compiled in {time.monotonic() - began:5.1f} s", flush=True)
    return copies


def statements(text: str) -> dict[str, str]:
    """What Statements.v defines, by the names of the theorems."""
    return dict(DEFINITION.findall(text))


def sha256(text: str) -> str:
    """The hash of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def statement_hash(statement: str) -> str:
    """The hash of a statement: line breaks and spaces between words do not count."""
    return sha256(" ".join(statement.split()))


def proof_hash(folder: Path = HERE) -> str:
    """The hash of all sources: definitions, chapters, statements and theorems."""
    return sha256("\0".join(f"{file.name}\0{file.read_text()}" for file in sources(folder)))


def audited(folder: Path) -> Iterator[Theorem]:
    """Each theorem of Theorems.v with its statement and axioms; a fault refuses all of them."""
    stated = statements((folder / "Statements.v").read_text())
    text = (folder / "Theorems.v").read_text()
    found = list(THEOREM.finditer(text))
    names = [match.group(1) for match in found]
    if any(match.group(2) != f"{match.group(1)}_statement" for match in found):
        raise RefusedError("a theorem must prove the statement of its own name")
    if sorted(names) != sorted(stated) or not names:
        raise RefusedError(
            f"stated but not proved, or the other way: {sorted({*names} ^ {*stated})}"
        )
    proof = proof_hash(folder)
    for match, axioms in zip(found, assumptions(names, folder), strict=True):
        name, line = match.group(1), text.count("\n", 0, match.start()) + 1
        refused = [axiom for axiom in axioms if axiom not in AXIOMS]
        if refused:
            raise RefusedError(
                f"{name} rests on {', '.join(refused)}, which is no axiom of the reals"
            )
        yield Theorem(name, statement_hash(stated[name]), proof, line, axioms)


def assumptions(names: list[str], folder: Path) -> list[tuple[str, ...]]:
    """The axioms behind each theorem, each checked against its statement once more."""
    lines = []
    for name in names:
        lines.append(f"Check (Theorems.{name} : Statements.{name}_statement).")
        lines += ["Print next.", f"Print Assumptions Theorems.{name}.", "Print next."]
    return _audit("Statements Theorems", lines, folder)


def _audit(library: str, lines: list[str], folder: Path) -> list[tuple[str, ...]]:
    """The axioms that a file of these lines prints between two times "next"."""
    audit = folder / "Audit.v"
    start = [f"From {LIBRARY} Require {library}.", "Definition next := tt."]
    audit.write_text("\n".join(start + lines) + "\n")
    parts = re.split(r"^next = .*\n(?:\s.*\n)*", coqc(audit, folder), flags=re.MULTILINE)
    return [tuple(sorted(ASSUMED.findall(part.replace("Axioms:\n", "")))) for part in parts[1::2]]


def decided(folder: Path = HERE) -> dict[str, list[str]]:
    """The variants of the statements: which are false, which are true, and which are left to words.

    A variant that is not decided exactly once, or a lemma about another one, refuses all of them.
    """
    printed = VARIANT.findall((folder / "Variants.v").read_text())
    found: dict[str, list[str]] = {"false": [], "true": [], "in_words": []}
    for file in _deciding(folder):
        text = file.read_text()
        found["in_words"] += IN_WORDS.findall(text)
        for name, truth, negation, claim in DECIDED.findall(text):
            if claim != name or bool(negation) != (truth == "false"):
                raise RefusedError(
                    f"{name}_{truth} must decide {name}; it states {negation}{claim}"
                )
            found[truth].append(name)
    names = [name for part in found.values() for name in part]
    if sorted(names) != sorted(printed):
        odd = {name for name in {*names, *printed} if names.count(name) != printed.count(name)}
        raise RefusedError(f"variants must be decided once each; these are not: {sorted(odd)}")
    return {part: sorted(of) for part, of in found.items()}


def _deciding(folder: Path) -> list[Path]:
    return sorted(folder.glob("Sharpness*.v"))


def audited_variants(folder: Path) -> dict[str, list[str]]:
    """What is decided about the variants, once the kernel has checked it."""
    variants = decided(folder)
    texts = {file.stem: file.read_text() for file in _deciding(folder)}
    chapter = {name: stem for stem, text in texts.items() for name, *_ in DECIDED.findall(text)}
    proved = [(name, truth) for truth in ("false", "true") for name in variants[truth]]
    claims = {
        f"{chapter[name]}.{name}_{truth}": "~ " * (truth == "false") + f"Variants.{name}"
        for name, truth in proved
    }
    checks = [f"Check ({proof} : {claim})." for proof, claim in claims.items()]
    # Axioms are looked up once for all proofs: one by one they take minutes.
    together = f"Definition all := ({', '.join(claims)})."
    lines = [*checks, together, "Print next.", "Print Assumptions all.", "Print next."]
    libraries = " ".join(("Variants", *texts))
    _refuse_axioms("the variants", *_audit(libraries, lines, folder))
    return variants


def meanings(folder: Path = HERE) -> list[str]:
    """The loops of which it is proved that stable means that every run tends to 0: all."""
    loops = LOOP.findall((folder / "Loop.v").read_text())
    proved = MEANING.findall((folder / "Recursion.v").read_text())
    if sorted(loops) != sorted(proved):
        raise RefusedError(f"no meaning of stable for {sorted({*loops} ^ {*proved})}")
    return sorted(proved)


def audited_meanings(folder: Path) -> list[str]:
    """The same, once the axioms behind the proofs have been looked up."""
    loops = meanings(folder)
    together = f"Definition all := ({', '.join(f'Recursion.{x}_stable_means' for x in loops)})."
    lines = [together, "Print next.", "Print Assumptions all.", "Print next."]
    _refuse_axioms("Recursion.v", *_audit("Recursion", lines, folder))
    return loops


def _refuse_axioms(proofs: str, axioms: tuple[str, ...]) -> None:
    refused = {*axioms} - {*AXIOMS}
    if refused:
        raise RefusedError(f"{proofs}: {', '.join(refused)}, which is no axiom of the reals")


def versions() -> dict[str, str]:
    """The versions of Rocq and, where the system knows it, of Coquelicot."""
    said = subprocess.run(["coqc", "--version"], capture_output=True, text=True, check=True).stdout
    found = {"rocq": re.search(r"version ([\w.+-]+)", said)}
    if shutil.which("dpkg-query"):
        query = ["dpkg-query", "-W", "-f", "version ${Version}", "libcoq-coquelicot"]
        said = subprocess.run(query, capture_output=True, text=True).stdout
        found["coquelicot"] = re.search(r"version ([\w.+-]+)", said)
    return {name: match.group(1) for name, match in found.items() if match}


def verified(folder: Path) -> dict[str, object]:
    """Compile and audit everything in this empty folder; the content of verified.json."""
    refuse_forbidden(sources())
    compile_all(folder)
    theorems = list(audited(folder))
    for theorem in theorems:
        print(f"{theorem.name:<24} proved; axioms: {', '.join(theorem.axioms)}")
    variants = audited_variants(folder)
    print("variants: " + ", ".join(f"{len(of)} {part}" for part, of in variants.items()))
    return {
        "proof_sha256": proof_hash(folder),
        "versions": versions(),
        "axioms": {name: AXIOMS[name] for t in theorems for name in t.axioms},
        "variants": variants,
        "stable_means": audited_meanings(folder),
        "theorems": {
            theorem.name: {
                "statement_sha256": theorem.statement_sha256,
                "line": theorem.line,
                "axioms": list(theorem.axioms),
            }
            for theorem in theorems
        },
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", type=Path, help="an empty folder to compile in and keep")
    parser.add_argument("--output", type=Path, default=HERE / "verified.json")
    options = parser.parse_args()
    if shutil.which("coqc") is None:
        sys.exit("coqc was not found: install Rocq and Coquelicot (coq, libcoq-coquelicot)")
    if options.build is not None:
        options.build.mkdir(parents=True, exist_ok=True)
        if any(options.build.iterdir()):
            sys.exit(f"--build must be an empty folder; {options.build} is not")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        try:
            record = verified((options.build or Path(temporary)).resolve())
        except RefusedError as refusal:
            sys.exit(f"refused: {refusal}")
    options.output.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    count, seconds = len(record["theorems"]), time.monotonic() - began  # type: ignore[arg-type]
    print(f"{count} theorems proved in {seconds:.0f} s; written to {options.output}")


if __name__ == "__main__":
    main()
