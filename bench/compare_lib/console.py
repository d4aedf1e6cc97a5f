"""Where words go: figures to standard output, all else to standard error."""

import sys


def out(text):
    print(text, flush=True)


def warn(text):
    print(f"bench/compare: {text}", file=sys.stderr, flush=True)


def progress(text):
    """One line that overwrites itself, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
