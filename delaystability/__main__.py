"""``python -m delaystability`` is the command ``delaystability``."""

from delaystability.cli import main

main()
