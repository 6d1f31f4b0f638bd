"""The files of pictures that commands draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from delaystability.cli.terminal import RefusedError
from delaystability.files.output_files import checked_file as writable
from delaystability.files.output_files import write_files

__all__ = ["drawing_for", "output_option", "two_panels", "write_picture"]


def output_option(name: str) -> Any:
    """The option for the file of the picture of this name."""
    return typer.Option(
        "--output", "-o", metavar="FILE", help=f"The file to write: {name}.png, .pdf or .svg."
    )


def drawing_for(output: Path) -> Any:
    """The package's pictures, once the name of the file is known to be good."""
    try:
        import delaystability.plot as drawing
        from delaystability.plot.style import checked_file
    except ImportError as error:
        raise RefusedError(str(error)) from None
    checked_file(output)
    writable("output", output)
    return drawing


def write_picture(picture: Any, output: Path) -> None:
    """Write the picture, and say where."""
    from delaystability.plot.style import picture_bytes

    write_files(output.parent, {output.name: picture_bytes(picture, output)})
    print(output)


def two_panels(drawing: Any, size: str) -> Any:
    """One above the other where the sheet is narrow, and else side by side."""
    if size == "column":
        return drawing.sheet(1, 2, size=size, height=1.0)
    return drawing.sheet(2, 1, size=size, text=0.66, width=0.5)
