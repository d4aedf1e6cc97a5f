"""The findings that are known, each with its reason, from exceptions.txt of the tree in question.

An entry is a line `rule | path | part of the message` and below it, indented, the reason. The list
is there to become empty.
"""
from typing import NamedTuple

from .registry import tree_rule

LIST = 'tools/tidy_rules/exceptions.txt'


class Entry(NamedTuple):
    line: int
    rule: str
    path: str
    part: str


class Exceptions:
    def __init__(self, tree):
        self.entries = []
        self.malformed = []
        self.used = set()
        lines = [(number, line) for number, line in enumerate(tree.get(LIST, ()), 1)
                 if line and not line.startswith('#')]
        for index, (number, line) in enumerate(lines):
            if line.startswith(' '):
                continue
            fields = line.split(' | ')
            has_reason = index + 1 < len(lines) and lines[index + 1][1].startswith(' ')
            if len(fields) == 3 and has_reason:
                self.entries.append(Entry(number, *fields))
            else:
                self.malformed.append(number)

    def cover(self, rule, path, message):
        """Whether this finding is known; its entry then is in use."""
        found = {entry for entry in self.entries
                 if (entry.rule, entry.path) == (rule, path) and entry.part in message}
        self.used |= found
        return bool(found)


@tree_rule
def exceptions_apply(tree):
    """An exception (tools/tidy_rules/exceptions.txt) has its reason, and goes with its finding."""
    for number in tree.exceptions.malformed:
        yield LIST, number, 'an exception is `rule | path | part of the message`, a reason below'
    for entry in tree.exceptions.entries:
        line = None if entry in tree.exceptions.used else entry.line
        yield LIST, line, 'nothing to except any more; take the entry out'
