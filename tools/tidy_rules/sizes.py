"""Sizes: what is read in one go."""
import collections
import os
import re
import shutil
import sys

from .registry import SCRIPTS, is_code, is_text, rule, run, tree_rule

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FOLDER_SOURCES_MAX = 25
SOURCE_LINES_MAX = 600
TEST_LINES_MAX = 900


@tree_rule
def folders_are_small(tree):
    """A folder holds at most {FOLDER_SOURCES_MAX} .cpp files: it is one subject."""
    folders = collections.Counter(os.path.dirname(path) for path in tree if path.endswith('.cpp'))
    for folder, count in sorted(folders.items()):
        line = 1 if count > FOLDER_SOURCES_MAX else None
        yield f'{folder}/meson.build', line, f'{count} sources, at most {FOLDER_SOURCES_MAX}'


@rule(lambda path: is_code(path) or path.endswith('.py') or path in SCRIPTS)
def files_are_short(path, lines):
    """A file has at most {SOURCE_LINES_MAX} lines, in tests/ and bench/ {TEST_LINES_MAX}."""
    limit = TEST_LINES_MAX if path.startswith(('tests/', 'bench/')) else SOURCE_LINES_MAX
    if len(lines) > limit:
        yield limit + 1, f'{len(lines)} lines, at most {limit}'


@tree_rule
def functions_are_short(tree):
    """A function has at most {FUNCTION_LINES_MAX} lines, from its name to the closing brace."""
    paths = sorted(path for path in tree if is_code(path))
    ctags = shutil.which('ctags')
    if ctags is None or 'Universal Ctags' not in run([ctags, '--version'], tree).stdout:
        print('tidy: no Universal Ctags: function lengths are not checked', file=sys.stderr)
        return
    listing = run([ctags, '-f', '-', '--sort=no', '--languages=C,C++', '--langmap=C++:+.hpp',
                   '--kinds-C++=f', '--kinds-C=f', '--fields=+ne', '-L', '-'],
                  tree, '\n'.join(paths)).stdout
    long = {}
    for entry in listing.splitlines():
        field = entry.split('\t')
        line = re.search(r'\tline:(\d+)', entry)
        end = re.search(r'\tend:(\d+)', entry)
        if entry.startswith('!_') or not line or not end:
            continue
        lines = int(end.group(1)) - int(line.group(1)) + 1
        if lines > FUNCTION_LINES_MAX:
            long.setdefault(field[1], []).append(
                (int(line.group(1)), f'{field[0]} has {lines} lines, at most {FUNCTION_LINES_MAX}'))
    for path in paths:
        for line, message in long.get(path, [(None, '')]):
            yield path, line, message


@rule(lambda path: is_text(path) and not path.endswith('.md') and path != '.gitignore')
def lines_are_short(_, lines):
    """A line has at most {COLUMNS_MAX} columns, but in Markdown."""
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield number, f'{len(line)} columns, at most {COLUMNS_MAX}'
