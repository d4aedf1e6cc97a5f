"""Includes: everything is a call downward. Who may include what is said by the rooms."""
import os
import re

from .registry import includes, inside, is_code, rule, tree_rule
from .rooms import EVERYTHING, room_of

DIRECTIVE = re.compile(r'^\s*#\s*(?:if|ifdef|ifndef|elif|define|undef)\b')
PLATFORM_MACRO = re.compile(
    r'\b(__linux__|__linux|linux|__unix__|__unix|__APPLE__|__MACH__|__FreeBSD__|__NetBSD__|'
    r'__OpenBSD__|__DragonFly__|__ANDROID__|__CYGWIN__|__MINGW32__|__MINGW64__|_WIN32|_WIN64|'
    r'WIN32|_MSC_VER|__sun|TARGET_OS_\w+)\b')
SYSTEM_PATH = re.compile(r'"/(?:proc|sys|dev)/[^"]*"')


def is_standard(header):
    """A header of the C++ standard library: no folder, no suffix."""
    return re.fullmatch(r'[a-z_]+', header) is not None


def path_of(path, header):
    """Where the `header` that `path` names in quotes lives, whether or not it is there."""
    if header.startswith('tern/'):
        return f'include/{header}'
    if header.startswith(EVERYTHING):
        return os.path.normpath(header)
    return os.path.normpath(os.path.join(os.path.dirname(path), header))


@tree_rule
def every_source_has_a_room(tree):
    """A source lives in a room of the table, so that what it may include is said somewhere."""
    for path in filter(is_code, tree):
        yield path, None if room_of(path) else 1, 'in no room; see tools/tidy_rules/rooms.py'


@rule(is_code)
def rooms_include_downward(path, lines):
    """A file includes what the table grants its room, so that everything is a call downward."""
    folder, room = room_of(path) or ('', None)
    for number, angled, header in includes(lines):
        target = path_of(path, header)
        if room and not angled and not target.startswith(folder) and not room.may_include(target):
            yield number, f'{folder} does not include "{header}"'


@rule(is_code)
def outside_headers_have_rooms(path, lines):
    """Above backends/ nobody includes a header of a system; of a library, who the table says."""
    folder, room = room_of(path) or ('', None)
    for number, angled, header in includes(lines):
        if room and angled and not is_standard(header) and not room.may_include_angled(header):
            yield number, f'{folder} does not include <{header}>'


@rule(inside('include/', 'src/', 'tools/'))
def no_platform_macros(_, lines):
    """Above backends/ no line asks for the system: the build chooses files, never lines."""
    for number, line in enumerate(lines, 1):
        match = PLATFORM_MACRO.search(line) if DIRECTIVE.match(line) else None
        if match:
            yield number, f'{match.group(1)}: the build chooses files, never lines'


@rule(inside('include/', 'src/', 'tools/'))
def no_system_paths(_, lines):
    """Above backends/ no line names a file of a system, as /proc/..., /sys/... and /dev/... are."""
    for number, line in enumerate(lines, 1):
        match = SYSTEM_PATH.search(line)
        if match:
            yield number, f'{match.group(0)} is for backends/system/'
