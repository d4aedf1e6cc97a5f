"""Each rule of tools/tidy must fire on a bad snippet and stay silent on a good one."""
import functools
import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
TIDY = os.path.join(ROOT, 'tools', 'tidy')
MODEL = ['// The model.', '// Object  a thing', '// Start   so', '// Finish  so', '// Wake    so',
         '// Limits  so'] + ['// more'] * 10
# A line that formatting does not touch, over and over: fillers for the rules on sizes.
FILLER = 'int filler_{}();'



def text(*lines):
    return '\n'.join(lines) + '\n'


def breaks(rule):
    """Marks the test that breaks `rule`: it fails when no finding bears that name."""
    def mark(test):
        @functools.wraps(test)
        def checked(self):
            test(self)
            self.assertIn(rule, self.broken)
        checked.breaks = rule
        return checked
    return mark


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix='tern-tidy-')
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copy(os.path.join(ROOT, '.clang-format'), self.root)
        self.broken = set()

    def write(self, path, content):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8', newline='') as file:
            file.write(content)

    def tidy(self, *arguments):
        answer = subprocess.run([TIDY, '--root', self.root, *arguments], capture_output=True,
                                text=True, check=False, timeout=60)
        self.broken.update(re.findall(r'^\S+:\d+: .+ \[(\w+)\]$', answer.stdout, re.MULTILINE))
        return answer

    def findings(self, path, content):
        """What tidy says about a tree of one named source."""
        self.write(path, content)
        if path.endswith(('.cpp', '.c')):
            folder, name = os.path.split(path)
            self.write(os.path.join(folder, 'meson.build'), text(f"s = files('{name}')"))
        answer = self.tidy()
        *found, last = answer.stdout.splitlines()
        self.assertRegex(last, rf'^tidy: \d+ checks passed, {len(found)} findings$')
        self.assertEqual(answer.returncode, 1 if found else 0, answer.stderr)
        return found

    def finds(self, path, content, line, message):
        """Exactly one finding, at `line`, that contains `message`."""
        found = self.findings(path, content)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f'{path}:{line}: '), found[0])
        self.assertIn(message, found[0])

    def passes(self, path, content):
        self.assertEqual(self.findings(path, content), [])


class Includes(TidyTest):
    def test_core_may_use_its_own_and_the_contract(self):
        self.passes('src/core/reactor/a.cpp', text(
            '#include "tern/a.hpp"', '', '#include <chosen.hpp>', '#include <vector>', '',
            '#include "backends/poller.hpp"', '#include "src/core/reactor/b.hpp"',
            '#include "src/core/server/b.hpp"'))

    @breaks('outside_headers_have_rooms')
    def test_core_has_no_system_header(self):
        self.finds('src/core/server/a.cpp', text('#include <sys/epoll.h>'), 1,
                   'src/core/server/ does not include <sys/epoll.h>')

    def test_core_has_no_c_header(self):
        self.finds('src/core/server/a.cpp', text('#include <unistd.h>'), 1,
                   'does not include <unistd.h>')

    @breaks('rooms_include_downward')
    def test_core_knows_no_backend(self):
        self.finds('src/core/reactor/a.cpp', text('#include "backends/epoll/epoll.hpp"'), 1,
                   'src/core/reactor/ does not include "backends/epoll/epoll.hpp"')

    def test_core_is_below_the_chat(self):
        self.finds('src/core/tls/a.cpp', text('#include "src/chat/hub/hub.hpp"'), 1,
                   'does not include "src/chat/hub/hub.hpp"')

    def test_a_filter_knows_no_socket(self):
        self.finds('src/core/tls/a.cpp', text('#include "tern/connection.hpp"'), 1,
                   'does not include "tern/connection.hpp"')

    def test_openssl_is_for_its_files_only(self):
        self.passes('src/core/tls/openssl_a.cpp', text('#include <openssl/ssl.h>', '',
                                                       '#include "src/core/tls/filter.hpp"'))
        os.remove(os.path.join(self.root, 'src/core/tls/openssl_a.cpp'))
        self.finds('src/core/tls/a.cpp', text('#include <openssl/ssl.h>'), 1,
                   'does not include <openssl/ssl.h>')

    def test_openssl_is_for_tls_only(self):
        self.finds('src/core/server/a.cpp', text('#include <openssl/ssl.h>'), 1,
                   'does not include <openssl/ssl.h>')

    def face(self, name, header):
        self.write('tools/tern/a.cpp', text(f'#include "tern/{name}.hpp"'))
        self.write('tools/tern/meson.build', text("s = files('a.cpp')"))
        return f'include/tern/{name}.hpp', text('#pragma once', '', f'#include {header}')

    def test_public_headers_stand_alone(self):
        self.finds(*self.face('a', '"backends/poller.hpp"'), 3,
                   'include/tern/ does not include "backends/poller.hpp"')

    def test_public_headers_know_no_system(self):
        self.finds(*self.face('a', '<sys/socket.h>'), 3, 'does not include <sys/socket.h>')
        self.passes(*self.face('a', '"tern/reactor.hpp"'))

    def test_values_stay_values(self):
        self.finds(*self.face('time', '"tern/reactor.hpp"'), 3,
                   'include/tern/time.hpp does not include "tern/reactor.hpp"')
        self.passes(*self.face('time', '"tern/export.hpp"'))

    def test_helpers_see_no_socket(self):
        self.finds('src/support/echo.cpp', text('#include "tern/reactor.hpp"'), 1,
                   'src/support/ does not include "tern/reactor.hpp"')

    def test_the_chat_sees_no_socket(self):
        headers = ('connection', 'connector', 'datagram', 'datagram_socket', 'listener', 'process',
                   'reactor', 'server', 'socket_options', 'tern', 'timer')
        lines = [f'#include "tern/{header}.hpp"' for header in headers]
        for room in ('src/chat/hub', 'src/chat/doors/lines', 'src/chat/store'):
            found = self.findings(f'{room}/a.cpp', text(*lines))
            self.assertEqual(len(found), len(headers), found)
            for header, finding in zip(headers, found):
                self.assertIn(f'does not include "tern/{header}.hpp"', finding)
            self.passes(f'{room}/a.cpp', text('#include "tern/shared_buffer.hpp"',
                                              '#include "tern/time.hpp"'))

    def test_the_order_inside_the_chat(self):
        rooms = ('doors', 'hub', 'service', 'store')
        above = {'hub': ('doors', 'service', 'store'), 'doors': ('service', 'store'),
                 'store': ('service',), 'service': ()}
        lines = [f'#include "src/chat/{room}/b.hpp"' for room in rooms]
        for room in rooms:
            found = self.findings(f'src/chat/{room}/a.cpp', text(*lines))
            self.assertEqual([re.search('"src/chat/([a-z]+)/', line).group(1) for line in found],
                             list(above[room]))
            os.remove(os.path.join(self.root, f'src/chat/{room}/a.cpp'))

    def test_backends_know_no_core(self):
        self.finds('backends/socket/a.cpp', text('#include "src/reactor.hpp"'), 1,
                   'backends/socket/ does not include "src/reactor.hpp"')

    def test_backends_know_values_only(self):
        self.finds('backends/epoll/a.cpp', text('#include "tern/reactor.hpp"'), 1,
                   'does not include "tern/reactor.hpp"')
        self.passes('backends/epoll/a.cpp', text('#include "tern/datagram.hpp"',
                                                 '#include "tern/endpoint.hpp"'))

    def test_backends_do_not_lean_on_each_other(self):
        self.finds('backends/readiness/a.cpp', text('#include "backends/epoll/epoll.hpp"'), 1,
                   'does not include "backends/epoll/epoll.hpp"')

    def test_shared_folders_are_for_all(self):
        self.passes('backends/epoll/a.cpp',
                    text('#include <sys/epoll.h>', '',
                         '#include "backends/readiness/readiness_poller.hpp"',
                         '#include "backends/socket/socket.hpp"'))

    def test_readiness_knows_no_mechanism(self):
        self.finds('backends/readiness/a.cpp', text('#include <sys/epoll.h>'), 1,
                   'does not include <sys/epoll.h>')

    def test_simulated_has_no_kernel(self):
        self.finds('backends/simulated/a.cpp', text('#include <sys/socket.h>'), 1,
                   'does not include <sys/socket.h>')

    def test_tools_use_the_public_interface(self):
        self.finds('tools/tern/cli/a.cpp', text('#include "backends/poller.hpp"'), 1,
                   'does not include "backends/poller.hpp"')
        self.finds('tools/tern/cli/a.cpp', text('#include <chosen.hpp>'), 1,
                   'does not include <chosen.hpp>')
        self.passes('tools/tern/cli/a.cpp', text('#include <CLI/CLI.hpp>', '',
                                                 '#include "backends/system/console.hpp"',
                                                 '#include "src/support/text.hpp"'))

    def test_tools_know_no_system(self):
        self.finds('tools/tern/cli/a.cpp', text('#include <unistd.h>'), 1,
                   'does not include <unistd.h>')
        os.remove(os.path.join(self.root, 'tools/tern/cli/a.cpp'))
        self.finds('tools/tern/cli/a_posix.cpp', text('#include <unistd.h>'), 1,
                   'does not include <unistd.h>')

    def test_commands_do_not_include_each_other(self):
        self.finds('tools/tern/echo/a.cpp', text('#include "tools/tern/load/run.hpp"'), 1,
                   'does not include "tools/tern/load/run.hpp"')
        self.passes('tools/tern/echo/a.cpp', text('#include "tools/tern/cli/units.hpp"',
                                                  '#include "tools/tern/commands.hpp"',
                                                  '#include "tools/tern/serve/serve.hpp"'))

    def test_tests_include_what_they_like(self):
        self.passes('tests/unit/core/a.cpp', text('#include <sys/socket.h>', '',
                                                  '#include "src/core/reactor/a.hpp"',
                                                  '#include "support/case.hpp"'))

    @breaks('every_source_has_a_room')
    def test_a_source_without_a_room(self):
        self.finds('src/a.cpp', text('int a();'), 1, 'in no room')

    @breaks('no_platform_macros')
    def test_platform_macros(self):
        self.finds('src/support/a.cpp', text('#ifdef __linux__', '#endif'), 1,
                   'the build chooses files')
        self.passes('src/support/a.cpp', text('// Not on __linux__ only.', 'int a();'))

    @breaks('no_system_paths')
    def test_files_of_the_system(self):
        line = 'const char* const a = "/proc/self/status";'
        self.passes('backends/system/a.cpp', text(line))
        self.finds('tools/tern/load/a.cpp', text(line), 1, '"/proc/self/status"')


class Backends(TidyTest):
    def test_model(self):
        self.passes('backends/kqueue/kqueue.cpp', text(*MODEL))

    @breaks('backend_opens_with_its_model')
    def test_model_is_missing(self):
        found = self.findings('backends/kqueue/kqueue.cpp', text('int a();'))
        self.assertEqual(len(found), 6, found)
        self.assertIn('a comment of 0 lines', '\n'.join(found))

    def test_model_lacks_a_word(self):
        lines = [line for line in MODEL if 'Wake' not in line]
        self.finds('backends/kqueue/kqueue.cpp', text(*lines), 1, 'begins with Wake')

    def test_model_is_too_long(self):
        self.finds('backends/kqueue/kqueue.cpp', text(*MODEL, *['// more'] * 15), 1,
                   'a comment of 31 lines')

    @breaks('few_conditionals')
    def test_conditionals(self):
        pair = ['#ifdef A', '#endif']
        self.passes('backends/socket/a.cpp', text(*pair * 4))
        self.finds('backends/socket/a.cpp', text(*pair * 5), 9, '5 conditional directives')

    @breaks('backends_share_by_folder')
    def test_copied_lines(self):
        same = [FILLER.format(number) for number in range(12)]
        self.write('backends/epoll/a.cpp', text(*same))
        self.write('backends/epoll/meson.build', text("s = files('a.cpp')"))
        self.finds('backends/kqueue/b.cpp', text(*same), 1, 'as in backends/epoll/a.cpp:1')
        self.passes('backends/kqueue/b.cpp', text(*same[1:]))

    def test_copied_headers(self):
        same = ['#pragma once', *(FILLER.format(number) for number in range(12))]
        self.write('backends/epoll/epoll.hpp', text(*same))
        self.write('backends/epoll/chosen.hpp',
                   text('#pragma once', '#include "backends/epoll/epoll.hpp"'))
        self.write('backends/kqueue/chosen.hpp',
                   text('#pragma once', '#include "backends/kqueue/kqueue.hpp"'))
        self.write('src/core/reactor/a.cpp', text('#include <chosen.hpp>'))
        self.write('src/core/reactor/meson.build', text("s = files('a.cpp')"))
        self.finds('backends/kqueue/kqueue.hpp', text(*same), 1, 'as in backends/epoll/epoll.hpp:1')

    def test_each_copied_run_is_found(self):
        same = [FILLER.format(number) for number in range(30)]
        self.write('backends/epoll/a.cpp', text(*same))
        self.write('backends/epoll/meson.build', text("s = files('a.cpp')"))
        found = self.findings('backends/kqueue/b.cpp', text(*same[:13], 'int own();', *same[15:]))
        self.assertEqual([line.split(':')[1] for line in found], ['1', '15'], found)


class Sizes(TidyTest):
    @breaks('folders_are_small')
    def test_large_folder(self):
        names = [f'a_{number}.cpp' for number in range(26)]
        for name in names:
            self.write(f'src/support/{name}', text('int a();'))
        self.write('src/support/meson.build', text(
            's = files(', *(f"  '{name}'," for name in names), ')'))
        answer = self.tidy()
        self.assertEqual(answer.stdout.splitlines()[0],
                         'src/support/meson.build:1: 26 sources, at most 25 [folders_are_small]')
        os.remove(os.path.join(self.root, 'src/support/a_25.cpp'))
        self.assertEqual(self.tidy().returncode, 0)

    @breaks('files_are_short')
    def test_long_file(self):
        lines = [FILLER.format(number) for number in range(601)]
        self.passes('src/support/a.cpp', text(*lines[:600]))
        self.finds('src/support/a.cpp', text(*lines), 601, '601 lines, at most 600')

    @breaks('demultiplexers_are_thin')
    def test_long_demultiplexer(self):
        lines = [*MODEL, *(FILLER.format(number) for number in range(340))]
        self.write('backends/epoll/meson.build', text("s = files('epoll.cpp')"))
        self.passes('backends/epoll/epoll.cpp', text(*lines[:350]))
        self.finds('backends/epoll/epoll.cpp', text(*lines), 1, '356 lines in backends/epoll')

    def test_tests_may_be_longer(self):
        lines = [FILLER.format(number) for number in range(901)]
        self.passes('tests/unit/core/a.cpp', text(*lines[:900]))
        self.finds('tests/unit/core/a.cpp', text(*lines), 901, '901 lines, at most 900')

    @breaks('lines_are_short')
    def test_long_line(self):
        comment = '// ' + 'é' * 97
        self.passes('src/support/a.cpp', text(comment))
        self.finds('src/support/a.cpp', text(comment + 'é'), 1, '101 columns')

    @breaks('functions_are_short')
    @unittest.skipUnless(shutil.which('ctags'), 'needs Universal Ctags')
    def test_long_function(self):
        body = [f'  work_{number}();' for number in range(68)]
        self.passes('src/support/a.cpp', text('void work() {', *body, '}'))
        self.finds('src/support/a.cpp', text('void work() {', *body, '  more();', '}'), 1,
                   'work has 71 lines')


class Text(TidyTest):
    @breaks('text_is_clean')
    def test_white_space(self):
        self.finds('src/meson.build', 'a = 1 \n', 1, 'white space at the end')

    def test_tab(self):
        self.finds('src/meson.build', "a =\t1\n", 1, 'a tab')

    def test_carriage_return(self):
        self.finds('src/meson.build', 'a = 1\r\n', 1, 'white space at the end')

    @breaks('nothing_is_unfinished')
    def test_unfinished(self):
        word = 'TO' 'DO'
        self.finds('src/support/a.cpp', text(f'// {word}: later'), 1, 'without a reason')
        self.passes('src/support/a.cpp', text(f'// {word}(needs kernel 6.7): later'))

    @breaks('headers_are_guarded')
    def test_unguarded_header(self):
        self.write('tools/tern/a.cpp', text('#include "tern/a.hpp"'))
        self.write('tools/tern/meson.build', text("s = files('a.cpp')"))
        self.finds('include/tern/a.hpp', text('// A header.', 'int a();'), 1, '#pragma once')
        self.passes('include/tern/a.hpp', text('// A header.', '#pragma once', 'int a();'))

    @breaks('head_words_keep_their_order')
    def test_order_of_words(self):
        self.write('src/support/b.cpp', text('#include "src/support/a.hpp"'))
        self.write('src/support/meson.build', text("s = files('b.cpp')"))
        good = ('// A header.', '//   OWNERSHIP  The caller\'s.   THREAD  any.',
                '//   ERRORS  None.', '//', '// Source: ip(7).', '#pragma once')
        self.passes('src/support/a.hpp', text(*good, '// THREAD  any: of another comment.'))
        self.finds('src/support/a.hpp', text('//   ERRORS  None.', '//   THREAD  any.', good[-1]),
                   2, 'THREAD comes before ERRORS')
        self.finds('src/support/a.hpp', text(good[-1], '// Source: ip(7).', '// THREAD  any.'),
                   3, 'THREAD comes before SOURCES')

    @breaks('code_is_formatted')
    @unittest.skipUnless(shutil.which('clang-format'), 'needs clang-format')
    def test_format(self):
        self.finds('src/support/a.cpp', text('int  a();'), 1, 'clang-format')


class DeadFiles(TidyTest):
    @breaks('folders_name_their_sources')
    def test_source(self):
        self.write('src/support/meson.build', text("s = files('b.cpp')"))
        self.write('src/support/a.cpp', text('int a();'))
        answer = self.tidy()
        self.assertIn('src/support/a.cpp:1: no meson.build of this folder names this file',
                      answer.stdout)
        self.assertEqual(answer.returncode, 1)

    def test_source_named_from_above(self):
        self.write('backends/meson.build', text("s = files('epoll/a.cpp')"))
        self.write('backends/epoll/a.cpp', text('int a();'))
        self.assertIn('backends/epoll/a.cpp:1: no meson.build of this folder', self.tidy().stdout)
        self.write('backends/epoll/meson.build', text("s = files('a.cpp')"))
        self.assertEqual(self.tidy().returncode, 0)

    def test_source_of_another_project(self):
        self.write('tests/packaging/consumer.meson.build', text("executable('a', 'a.cpp')"))
        self.write('tests/packaging/a.cpp', text('int a();'))
        self.assertEqual(self.tidy().returncode, 0)

    @breaks('no_dead_headers')
    def test_header(self):
        self.finds('src/support/a.hpp', text('#pragma once'), 1, 'nobody includes this header')

    def test_header_that_the_build_chooses(self):
        self.write('backends/socket/linux.cpp', text('#include <kernel_call.hpp>'))
        self.write('backends/socket/meson.build', text("s = files('linux.cpp')"))
        self.passes('backends/socket/generic/kernel_call.hpp', text('#pragma once'))

    def test_header_of_the_same_name_elsewhere(self):
        self.write('src/support/b.cpp', text('#include "a.hpp"'))
        self.write('src/support/meson.build', text("s = files('b.cpp')"))
        self.write('src/support/a.hpp', text('#pragma once'))
        self.finds('tools/tern/a.hpp', text('#pragma once'), 1, 'nobody includes this header')

    @breaks('no_dead_tests')
    def test_python_test(self):
        self.finds('tests/servers/echo.py', text('pass'), 1, 'no meson.build runs this test')

    def test_python_package(self):
        self.finds('tests/servers/kit/__init__.py', text('pass'), 1, 'no meson.build runs this')
        self.write('tests/servers/test_a.py', text('import kit'))
        self.write('tests/servers/meson.build', text("s = files('test_a.py')"))
        self.passes('tests/servers/kit/__init__.py', text('pass'))


class Contributing(TidyTest):
    def setUp(self):
        super().setUp()
        with open(os.path.join(ROOT, 'CONTRIBUTING.md'), encoding='utf-8') as page:
            self.page = page.read()
        self.wrong = self.page.replace('- `lines_are_short`', '- `lines_are_long`')
        self.write('CONTRIBUTING.md', self.page)

    @breaks('contributing_is_true')
    def test_a_row_that_is_not_so(self):
        self.assertEqual(self.tidy().returncode, 0)
        wrong = self.page.replace('| `src/support/` |', '| `src/helpers/` |')
        self.assertNotEqual(wrong, self.page)
        self.write('CONTRIBUTING.md', wrong)
        self.assertIn('the rooms are not as checked; run tools/tidy --write', self.tidy().stdout)

    def test_a_rule_that_is_not_there(self):
        self.write('CONTRIBUTING.md', self.wrong)
        self.assertIn('the rules are not as checked; run tools/tidy --write', self.tidy().stdout)

    def test_write_makes_it_true(self):
        self.write('CONTRIBUTING.md', self.wrong)
        self.assertEqual(self.tidy('--write').returncode, 0)
        with open(os.path.join(self.root, 'CONTRIBUTING.md'), encoding='utf-8') as page:
            self.assertEqual(page.read(), self.page)

    def test_a_page_without_the_passages(self):
        self.write('CONTRIBUTING.md', text('Hello.'))
        self.assertEqual(self.tidy().stdout.count('CONTRIBUTING.md:1: no passage between'), 2)

    def test_every_rule_is_there(self):
        for line in self.tidy('--list').stdout.splitlines():
            self.assertIn(f'- `{line.split()[0]}`: ', self.page)

    def test_nothing_to_write_into(self):
        os.remove(os.path.join(self.root, 'CONTRIBUTING.md'))
        answer = self.tidy('--write')
        self.assertEqual(answer.returncode, 64)
        self.assertIn('has no CONTRIBUTING.md', answer.stderr)


class Exceptions(TidyTest):
    LIST = 'tools/tidy_rules/exceptions.txt'
    ENTRY = 'outside_headers_have_rooms | src/support/a.cpp | <unistd.h>'

    def test_a_known_finding(self):
        self.write(self.LIST, text('# Known.', self.ENTRY, '    It is to go.'))
        self.passes('src/support/a.cpp', text('#include <unistd.h>'))

    def test_it_covers_nothing_else(self):
        self.write(self.LIST, text('# Known.', self.ENTRY, '    It is to go.'))
        self.finds('src/support/a.cpp', text('#include <poll.h>', '#include <unistd.h>'), 1,
                   'does not include <poll.h>')

    @breaks('exceptions_apply')
    def test_a_finding_that_is_gone(self):
        self.write(self.LIST, text('# Known.', self.ENTRY, '    It is to go.'))
        answer = self.tidy()
        self.assertIn(f'{self.LIST}:2: nothing to except any more', answer.stdout)
        self.assertEqual(answer.returncode, 1)

    def test_an_entry_without_a_reason(self):
        self.write(self.LIST, text(self.ENTRY))
        found = self.findings('src/support/a.cpp', text('#include <unistd.h>'))
        self.assertEqual(len(found), 2, found)
        self.assertIn(f'{self.LIST}:1: an exception is', '\n'.join(found))

    def test_the_list_may_be_empty(self):
        self.write(self.LIST, text('# Known.'))
        self.assertEqual(self.tidy().returncode, 0)


class Command(TidyTest):
    def test_unknown_option(self):
        answer = self.tidy('--frobnicate')
        self.assertEqual(answer.returncode, 64)
        self.assertIn('--frobnicate', answer.stderr)
        self.assertEqual(len(answer.stderr.splitlines()), 1, answer.stderr)

    def rules(self):
        return dict(line.split('  ', 1) for line in self.tidy('--list').stdout.splitlines())

    def test_every_rule_is_listed_with_its_reason(self):
        self.assertEqual(len(self.rules()), len(self.tidy('--list').stdout.splitlines()))
        self.assertEqual(self.rules()['lines_are_short'],
                         'A line has at most 100 columns, but in Markdown.')

    def test_every_rule_is_broken_by_a_test(self):
        tests = [getattr(case, name) for case in TidyTest.__subclasses__() for name in dir(case)]
        broken = {test.breaks for test in tests if hasattr(test, 'breaks')}
        self.assertEqual(broken, set(self.rules()))


if __name__ == '__main__':
    unittest.main()
