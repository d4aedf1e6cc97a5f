"""Files that nobody builds, includes or runs."""
import os
import re

from .registry import includes, is_code, is_source, tree_rule


@tree_rule
def folders_name_their_sources(tree):
    """A source is named by the meson.build of its own folder: nobody builds one without a name,
    and nobody looks for it elsewhere."""
    named = set()
    for path in tree:
        if path.endswith('meson.build'):
            for text in re.findall(r"'([^'/\n]+)'", '\n'.join(tree[path])):
                named.add(os.path.join(os.path.dirname(path), text))
    for path in sorted(filter(is_source, tree)):
        # A name that the build puts together, `name + '.c'`, counts as well.
        dead = path not in named and not (path.endswith('.c') and path[:-2] in named)
        yield path, 1 if dead else None, 'no meson.build of this folder names this file'


@tree_rule
def no_dead_headers(tree):
    """A header is included by somebody; names are compared from the end, as "tern/x.hpp"."""
    wanted = set()
    chosen = set()
    for path in tree:
        if is_code(path) or path.endswith(('.md', '.in')):
            for _, angled, header in includes(tree[path]):
                wanted.add(header)
                # The include path leads there, and the build chooses which: <chosen.hpp>.
                if angled and header.endswith('.hpp'):
                    chosen.add(header)
                wanted.add(os.path.normpath(os.path.join(os.path.dirname(path), header)))
    for path in sorted(tree):
        if path.endswith(('.hpp', '.h')):
            parts = path.split('/')
            tails = {'/'.join(parts[start:]) for start in range(len(parts))}
            dead = parts[-1] not in chosen and not (tails - {parts[-1]}) & wanted
            yield path, 1 if dead else None, 'nobody includes this header'


@tree_rule
def no_dead_tests(tree):
    """A Python test is run by Meson, or imported by one that is."""
    text = '\n'.join('\n'.join(tree[path]) for path in tree
                     if os.path.basename(path) == 'meson.build')
    modules = set()
    for path in tree:
        if path.endswith('.py'):
            modules.update(re.findall(r'^\s*(?:from|import) ([\w.]+)', '\n'.join(tree[path]),
                                      re.MULTILINE))
    for path in sorted(tree):
        if path.endswith('.py') and path.startswith('tests/'):
            stem = os.path.basename(path.removesuffix('.py').removesuffix('/__init__'))
            dead = f'{stem}.py' not in text and not any(
                stem in module.split('.') for module in modules)
            yield path, 1 if dead else None, 'no meson.build runs this test'
