"""Backends: a reader's lessons."""
import re

from .registry import inside, is_code, rule, tree_rule

# A demultiplexer stays thin, all its files together: what is common belongs to readiness/ or above
# the poller.
THIN_LINES_MAX = 350
THIN_FOLDERS = ('backends/epoll', 'backends/kqueue')
COPIED_LINES_MAX = 11
CONDITIONALS_MAX = 4
MODEL_WORDS = ('Object', 'Start', 'Finish', 'Wake', 'Limits')
MODEL_LINES_MIN = 15
MODEL_LINES_MAX = 30
CONDITIONAL = re.compile(r'^\s*#\s*(?:if|ifdef|ifndef|elif)\b')


def is_backend_main(path):
    match = re.fullmatch(r'backends/(\w+)/(\w+)\.cpp', path)
    return bool(match) and match.group(1) == match.group(2)


@rule(is_backend_main)
def backend_opens_with_its_model(_, lines):
    """A backend's main file opens with its model: {MODEL_LINES_MIN} to {MODEL_LINES_MAX} lines
    under Object, Start, Finish, Wake, Limits."""
    head = []
    for line in lines:
        if not line.startswith('//'):
            break
        head.append(line)
    if not MODEL_LINES_MIN <= len(head) <= MODEL_LINES_MAX:
        yield 1, (f'opens with a comment of {len(head)} lines; the model of a backend has '
                  f'{MODEL_LINES_MIN} to {MODEL_LINES_MAX}')
    for word in MODEL_WORDS:
        if not any(re.match(rf'//\s*{word}\b', line) for line in head):
            yield 1, f'the opening comment has no line that begins with {word}'


@rule(inside('backends/'))
def few_conditionals(_, lines):
    """A file of a backend has at most {CONDITIONALS_MAX} #if: more of them make another file."""
    found = [number for number, line in enumerate(lines, 1) if CONDITIONAL.match(line)]
    if len(found) > CONDITIONALS_MAX:
        yield found[CONDITIONALS_MAX], (f'{len(found)} conditional directives, at most '
                                        f'{CONDITIONALS_MAX}: make it another file')


def significant(lines):
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith(('//', '#include')) and text not in ('{', '}', '};'):
            yield number, text


def copied_runs(lines, path, own, seen):
    """(line, its text, where it stands as well) for each run of copied lines, once a run.

    `seen` knows the windows of lines so far, by backend.
    """
    size = COPIED_LINES_MAX + 1
    in_run = False
    for start in range(len(lines) - size + 1):
        window = tuple(text for _, text in lines[start:start + size])
        line, first_text = lines[start]
        backend, place = seen.setdefault(window, (own, f'{path}:{line}'))
        if backend != own and not in_run:
            yield line, first_text, place
        in_run = backend != own


@tree_rule
def backends_share_by_folder(tree):
    """What two backends have alike for more than {COPIED_LINES_MAX} lines belongs to a shared
    folder; headers count."""
    seen = {}
    for path in sorted(filter(inside('backends/'), tree)):
        parts = path.split('/')
        if len(parts) > 2:
            runs = list(copied_runs(list(significant(tree[path])), path, parts[1], seen))
            for line, text, place in runs:
                yield path, line, (f'more than {COPIED_LINES_MAX} lines from "{text}" as in '
                                   f'{place}; share them')
            if not runs:
                yield path, None, ''


@tree_rule
def demultiplexers_are_thin(tree):
    """epoll/ and kqueue/ have at most {THIN_LINES_MAX} lines each: more belongs to readiness/."""
    for folder in THIN_FOLDERS:
        paths = sorted(path for path in tree if is_code(path) and path.rpartition('/')[0] == folder)
        total = sum(len(tree[path]) for path in paths)
        for path in paths[:1]:
            line = 1 if total > THIN_LINES_MAX else None
            yield path, line, f'{total} lines in {folder}, at most {THIN_LINES_MAX}'
