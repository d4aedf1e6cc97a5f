"""The rooms of the house: each folder, what lives there, what it may include.

This is the one list: the rules on includes and the table in CONTRIBUTING.md are made from it. The
order is from below to above. A file belongs to the room with the longest matching path, so a room
may be a folder with all below it, a file, or the files that begin alike. Everyone may include the
own room and the C++ standard library.
"""
from typing import NamedTuple

EVERYTHING = ('include/', 'backends/', 'src/', 'tools/', 'examples/', 'tests/', 'bench/')
# Bytes, names, numbers: no socket, no loop. They are a room of their own, so that they stay so.
VALUES = tuple(f'include/tern/{name}.hpp' for name in (
    'close_reason', 'counters', 'endpoint', 'export', 'shared_buffer', 'time', 'url', 'version'))
# Values, too, but of sockets.
SOCKET_VALUES = ('include/tern/datagram.hpp', 'include/tern/socket_options.hpp')
CONTRACT = ('backends/poller.hpp',)
BACKEND = VALUES + SOCKET_VALUES + CONTRACT + ('backends/common/',)
CHOSEN = ('chosen.hpp',)
ANY_SYSTEM = ('',)
EXAMPLE_SUBJECTS = ('curl/', 'libpq-fe.h', 'openssl/')
LIBRARIES = ('CLI/', 'fmt/', 'toml++/')
TOOL_GROUND = ('include/', 'src/chat/', 'src/support/', 'backends/system/')
COMMAND = TOOL_GROUND + ('tools/tern/cli/', 'tools/tern/commands.hpp', 'tools/tern/commit.hpp')
# How the table calls them.
TITLES = {
    EVERYTHING: 'everything',
    VALUES: 'the values of `include/`',
    SOCKET_VALUES: '`datagram.hpp`, `socket_options.hpp`',
    BACKEND: '`poller.hpp`, `common/` and what these may include',
    ANY_SYSTEM: 'the operating system',
    EXAMPLE_SUBJECTS: 'what the example is about',
    CHOSEN: '`<chosen.hpp>`',
    LIBRARIES: 'CLI11, fmt, toml++',
    COMMAND: '`tools/tern/cli/` and what that may include, `commands.hpp`, `commit.hpp`',
    ('openssl/',): 'OpenSSL',
    ('sys/uio.h',): '`<sys/uio.h>`',
}


class Room(NamedTuple):
    folders: tuple  # Of several, each is on its own: what is said here holds for each.
    holds: str
    project: tuple = ()  # Paths, or tuples of paths that have a title.
    outside: tuple = ()  # In the same way, beginnings of what may stand in angles.

    def may_include(self, path):
        return path.startswith(flat(self.project))

    def may_include_angled(self, header):
        return header.startswith(flat(self.outside))


def flat(entries):
    return tuple(path for entry in entries
                 for path in (entry if isinstance(entry, tuple) else (entry,)))


ROOMS = (
    Room(VALUES, 'the values: bytes, names, numbers; no socket, no loop', (VALUES,)),
    Room(('include/tern/',), 'the face: what a user of the library reads'),

    Room(CONTRACT, 'the contract', (VALUES, SOCKET_VALUES)),
    Room(('backends/common/',), 'what all mechanisms share', (VALUES, SOCKET_VALUES, CONTRACT)),
    Room(('backends/system/',), 'process, console, disk file; but for the library\'s part it is '
         'not installed', ('include/',), (ANY_SYSTEM,)),
    Room(('backends/socket/',), 'sockets, a file a system', (BACKEND,), (ANY_SYSTEM,)),
    Room(('backends/readiness/',), 'what epoll and kqueue share: no mechanism',
         (BACKEND, 'backends/socket/'), (('sys/uio.h',),)),
    Room(('backends/epoll/', 'backends/kqueue/'), 'demultiplexers, and a stand-in for kqueue',
         (BACKEND, 'backends/socket/', 'backends/readiness/'), (ANY_SYSTEM,)),
    Room(('backends/io_uring/', 'backends/iocp/'), 'mechanisms that finish I/O',
         (BACKEND, 'backends/socket/'), (ANY_SYSTEM,)),
    Room(('backends/simulated/',), 'the contract in memory: no kernel', (BACKEND,)),

    Room(('src/core/address/',), 'endpoints, URLs, name resolution', ('include/',), (CHOSEN,)),
    Room(('src/core/tls/openssl',), 'the engine of TLS',
         (VALUES, 'include/tern/tls', 'include/tern/process.hpp', 'src/core/tls/'),
         (('openssl/',),)),
    Room(('src/core/tls/',), 'TLS as a filter of bytes: no poller, no socket',
         (VALUES, 'include/tern/tls', 'include/tern/process.hpp')),
    # These four are peers: a completion goes up to its owner from reactor/, and down again.
    Room(('src/core/reactor/',), 'loop, timers, queues; hands what is done to its owner',
         ('include/', CONTRACT, 'src/core/connection/', 'src/core/datagram/', 'src/core/server/'),
         (CHOSEN,)),
    Room(('src/core/connection/',), 'the state machine, connecting',
         ('include/', CONTRACT, 'src/core/address/', 'src/core/tls/', 'src/core/reactor/')),
    Room(('src/core/datagram/',), 'datagram sockets',
         ('include/', CONTRACT, 'src/core/address/', 'src/core/reactor/')),
    Room(('src/core/server/',), 'listening, accepting, several reactors',
         ('include/', CONTRACT, 'backends/common/error_class.hpp', 'backends/common/memory.hpp',
          'src/core/address/',
          'src/core/reactor/', 'src/core/connection/', 'src/core/datagram/')),

    Room(('src/support/',), 'pure helpers that several share', ('include/tern/time.hpp',)),
    Room(('src/chat/hub/',), 'the chat itself: no socket, no loop', (VALUES, 'src/support/')),
    Room(('src/chat/doors/',), 'how people speak to it: bytes and events',
         (VALUES, 'src/support/', 'src/chat/hub/')),
    Room(('src/chat/store/',), 'what outlives a restart',
         (VALUES, 'src/support/', 'src/chat/hub/', 'src/chat/doors/', 'backends/system/')),
    Room(('src/chat/service/password_hash_openssl',), 'hashes of passwords',
         ('include/tern/tls.hpp', 'src/chat/service/'), (('openssl/',),)),
    Room(('src/chat/service/',), 'the hub behind connections',
         ('include/', 'src/support/', 'src/chat/hub/', 'src/chat/doors/', 'src/chat/store/')),

    Room(('tools/tern/cli/',), 'options, units, help, exit codes', TOOL_GROUND, (LIBRARIES,)),
    Room(('tools/tern/serve/',), 'what servers have in common',
         (COMMAND, 'backends/common/socket_option_table.hpp'), (LIBRARIES,)),
    Room(('tools/tern/echo/', 'tools/tern/chat/'), 'the servers',
         (COMMAND, 'tools/tern/serve/'), (LIBRARIES,)),
    Room(('tools/tern/demo/',), 'both at once', (
        COMMAND, 'tools/tern/serve/', 'tools/tern/echo/', 'tools/tern/chat/'), (LIBRARIES,)),
    Room(('tools/tern/load/', 'tools/tern/connect/', 'tools/tern/cert/'),
         'clients, certificates', (COMMAND,), (LIBRARIES,)),
    Room(('tools/tern/compare/',), 'results side by side', (COMMAND, 'tools/tern/load/'),
         (LIBRARIES,)),
    Room(('tools/tern/',), '`main()` and the list of commands', TOOL_GROUND, (LIBRARIES,)),
    Room(('tools/',), 'scripts for people; `cross/`, `systemd/`, `packaging/`'),

    Room(('examples/',), 'programs that people start from (to come)', ('include/',),
         (EXAMPLE_SUBJECTS,)),
    Room(('tests/', 'bench/'), 'tests, benchmarks', (EVERYTHING,), (ANY_SYSTEM,)),
    Room(('docs/',), 'pages; no code'),
)
PLACES = sorted(((folder, room) for room in ROOMS for folder in room.folders),
                key=lambda place: -len(place[0]))


def room_of(path):
    """(the folder that matched, its room), or None."""
    return next((place for place in PLACES if path.startswith(place[0])), None)


def pattern(path):
    """How a beginning of paths is written for people."""
    return f'`{path}`' if path.endswith(('/', '.hpp')) else f'`{path}*`'


def title(entry):
    entry = flat((entry,))
    return TITLES.get(entry) or ', '.join(map(pattern, entry))


def table():
    """The table in CONTRIBUTING.md, as lines."""
    lines = ['| folder | what lives there | may include |', '|---|---|---|']
    for room in ROOMS:
        may = ', '.join(map(title, room.project + room.outside))
        lines.append(f'| {", ".join(map(pattern, room.folders))} | {room.holds} | {may} |')
    return lines
