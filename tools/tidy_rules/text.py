"""Text: what every file looks like."""
import re
import shutil
import sys

from .registry import is_code, is_header, is_text, rule, run, tree_rule

# Spelt in halves, or this line would be a finding.
UNFINISHED = re.compile(r'\b(?:TO' r'DO|FIX' r'ME|XX' r'X)\b(?!\([^()]+\))')
HEAD_WORDS = ('OWNERSHIP', 'THREAD', 'INVARIANTS', 'ERRORS', 'SOURCES')
HEAD_WORD = re.compile(rf'(?:^\s*//|  )\s*({"|".join(HEAD_WORDS)}|Sources?(?=:))\b')


@rule(is_text)
def text_is_clean(_, lines):
    """No tab, no white space at the end of a line, no empty line at the end of a file."""
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, 'white space at the end of the line'
        if '\t' in line:
            yield number, 'a tab'
    if lines and not lines[-1].strip():
        yield len(lines), 'an empty line at the end'


@rule(is_text)
def nothing_is_unfinished(_, lines):
    """A mark of unfinished work has its reason in parentheses."""
    for number, line in enumerate(lines, 1):
        match = UNFINISHED.search(line)
        if match:
            yield number, f'{match.group(0)} without a reason; write {match.group(0)}(reason)'


@rule(is_header)
def headers_are_guarded(_, lines):
    """A header begins with #pragma once, after its opening comment."""
    code = [line for line in lines if line.strip() and not line.lstrip().startswith('//')]
    if not code or code[0].strip() != '#pragma once':
        yield 1, 'a header begins with #pragma once, after its opening comment'


@rule(is_header)
def head_words_keep_their_order(_, lines):
    """A comment in a header says OWNERSHIP, THREAD, INVARIANTS, ERRORS, SOURCES in this order."""
    last = 0
    for number, line in enumerate(lines, 1):
        if not line.lstrip().startswith('//'):
            last = 0
            continue
        for word in HEAD_WORD.findall(line):
            place = HEAD_WORDS.index('SOURCES' if word.startswith('Source') else word)
            if place < last:
                yield number, f'{word} comes before {HEAD_WORDS[last]}'
            last = max(last, place)


@tree_rule
def code_is_formatted(tree):
    """clang-format 14 decides, so that nobody has to; another version formats otherwise."""
    paths = sorted(path for path in tree if is_code(path))
    for name in ('clang-format-14', 'clang-format'):
        program = shutil.which(name)
        if program and ' version 14.' in run([program, '--version'], tree).stdout:
            break
    else:
        print('tidy: no clang-format 14: formatting is not checked', file=sys.stderr)
        return
    if not paths or '.clang-format' not in tree:
        return
    answer = run([program, '--dry-run', '-Werror'] + paths, tree).stderr
    bad = {}
    for path, line in re.findall(r'^(\S+?):(\d+):\d+: error: ', answer, re.MULTILINE):
        bad.setdefault(path, int(line))
    for path in paths:
        yield path, bad.get(path), 'not as clang-format has it; run clang-format -i on the file'
