"""CONTRIBUTING.md says exactly what is checked: two passages of it are made from the lists here."""
import textwrap

from . import rooms
from .registry import RULES, tree_rule

CONTRIBUTING = 'CONTRIBUTING.md'
BEGIN = '<!-- {}: written by `tools/tidy --write` -->'
END = '<!-- end -->'


def listing():
    """Every rule with its reason, as a list in Markdown."""
    lines = []
    for entry in RULES:
        lines += textwrap.wrap(f'- `{entry.name}`: {entry.reason}', 100, subsequent_indent='  ',
                               break_long_words=False, break_on_hyphens=False)
    return lines


PASSAGES = {'rooms': rooms.table, 'rules': listing}


def passage(lines, name):
    """Where the passage of that name is in `lines`, as a slice without its markers, or None."""
    try:
        start = lines.index(BEGIN.format(name)) + 1
        return slice(start, lines.index(END, start))
    except ValueError:
        return None


def rewritten(lines):
    """The page with each passage as the lists have it."""
    lines = list(lines)
    for name, made in PASSAGES.items():
        place = passage(lines, name)
        if place:
            lines[place] = ['', *made(), '']
    return lines


@tree_rule
def contributing_is_true(tree):
    """CONTRIBUTING.md has this list and the table of rooms as tools/tidy makes them (--write)."""
    lines = tree.get(CONTRIBUTING)
    for name, made in PASSAGES.items() if lines is not None else ():
        place = passage(lines, name)
        if place is None:
            yield CONTRIBUTING, 1, f'no passage between {BEGIN.format(name)} and {END}'
        else:
            same = lines[place] == ['', *made(), '']
            yield CONTRIBUTING, None if same else place.start, (
                f'the {name} are not as checked; run tools/tidy --write')
