"""What every rule is made with: the list of rules, the tree that they look at, what a file is.

A rule is a function with a decorator. Its name stands in its findings, its docstring is its reason:
one sentence, in which a word in braces is a constant of its module.
"""
import os
import re
import subprocess
from typing import Callable, NamedTuple

CODE = ('.cpp', '.hpp', '.c', '.h')
TEXT = CODE + ('.py', '.sh', '.build', '.md', '.txt', '.yml', '.in')
SCRIPTS = ('tools/run', 'tools/test', 'tools/setup', 'tools/tally', 'tools/report', 'tools/tidy',
           'bench/compare', '.ci/run')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Rule(NamedTuple):
    name: str
    reason: str
    check: Callable  # check(tree) yields (path, line or None for a pass, message)


# In the order in which they are checked.
RULES = []


def register(function, check):
    reason = ' '.join(function.__doc__.split()).format_map(function.__globals__)
    RULES.append(Rule(function.__name__, reason, check))
    return function


def rule(applies):
    """Marks a rule on one file: applies(path), then rule(path, lines) yields (line, message)."""
    def mark(function):
        def check(tree):
            for path, lines in tree.items():
                if applies(path):
                    found = [(path, line, message) for line, message in function(path, lines)]
                    yield from found or [(path, None, '')]
        return register(function, check)
    return mark


def tree_rule(function):
    """Marks a rule on all files: rule(tree) yields (path, line or None for a pass, message)."""
    return register(function, function)


def is_code(path):
    return path.endswith(CODE)


def is_source(path):
    return path.endswith(('.cpp', '.c'))


def is_header(path):
    return path.endswith('.hpp')


def is_text(path):
    return path.endswith(TEXT) or path in SCRIPTS or os.path.basename(path).startswith('.')


def inside(*folders):
    return lambda path: is_code(path) and path.startswith(folders)


def includes(lines):
    """(line, in angles or not, what is named) of each directive."""
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '<', match.group(2)


def run(command, tree, text=''):
    return subprocess.run(command, cwd=tree.root, input=text, capture_output=True, text=True,
                          check=False)


class Tree(dict):
    """Path -> lines, of every text file below `root`."""

    def __init__(self, root):
        super().__init__()
        self.root = root
        for path in sorted(self.paths()):
            full = os.path.join(root, path)
            if os.path.isfile(full) and not os.path.islink(full) and is_text(path):
                with open(full, encoding='utf-8', errors='replace', newline='') as file:
                    text = file.read()
                self[path] = text.split('\n')[:-1] if text.endswith('\n') else text.split('\n')

    def paths(self):
        """What git tracks or would track; outside git, everything but build folders."""
        listing = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', '-z'],
                                 cwd=self.root, capture_output=True, text=True, check=False)
        if listing.returncode == 0 and listing.stdout:
            return [path for path in listing.stdout.split('\0') if path]
        found = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(('.git', 'build'))]
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in files]
        return found
