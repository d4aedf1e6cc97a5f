"""Each rule of tools/tidy must fire on a bad snippet and stay silent on a good one."""
import os
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


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix='tern-tidy-')
        self.addCleanup(shutil.rmtree, self.root)
        shutil.copy(os.path.join(ROOT, '.clang-format'), self.root)

    def write(self, path, content):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8', newline='') as file:
            file.write(content)

    def tidy(self, *arguments):
        return subprocess.run([TIDY, '--root', self.root, *arguments], capture_output=True,
                              text=True, check=False, timeout=60)

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
        self.passes('src/a.cpp', text('#include "tern/a.hpp"', '', '#include <chosen.hpp>',
                                      '#include <vector>', '', '#include "backends/poller.hpp"'))

    def test_core_has_no_system_header(self):
        self.finds('src/a.cpp', text('#include <sys/epoll.h>'), 1, 'no system header')

    def test_core_has_no_c_header(self):
        self.finds('src/a.cpp', text('#include <unistd.h>'), 1, 'no system header')

    def test_core_knows_no_backend(self):
        self.finds('src/a.cpp', text('', '#include "backends/epoll/epoll.hpp"').lstrip('\n'), 1,
                   'src/ knows backends/poller.hpp')

    def test_openssl_is_for_tls_only(self):
        self.passes('src/core/tls/a.cpp', text('#include <openssl/ssl.h>'))
        self.finds('src/a.cpp', text('#include <openssl/ssl.h>'), 1, 'no system header')

    def test_public_headers_stand_alone(self):
        self.write('tools/a.cpp', text('#include "tern/a.hpp"'))
        self.write('tools/meson.build', text("s = files('a.cpp')"))
        self.finds('include/tern/a.hpp', text('#pragma once', '', '#include "backends/poller.hpp"'),
                   3, 'public headers include "tern/..." only')

    def test_protocols_see_no_socket(self):
        self.finds('src/support/echo.cpp', text('#include "tern/reactor.hpp"'), 1,
                   'a protocol sees bytes')

    def test_backends_know_no_core(self):
        self.finds('backends/socket/a.cpp', text('#include "src/reactor.hpp"'), 1,
                   'a backend is below the core')

    def test_backends_do_not_lean_on_each_other(self):
        self.finds('backends/readiness/a.cpp', text('#include "backends/epoll/epoll.hpp"'), 1,
                   'does not lean on backend epoll')

    def test_shared_folders_are_for_all(self):
        self.passes('backends/epoll/a.cpp', text('#include <sys/epoll.h>', '',
                                                 '#include "backends/readiness/channels.hpp"',
                                                 '#include "backends/socket/socket.hpp"'))

    def test_simulated_has_no_kernel(self):
        self.finds('backends/simulated/a.cpp', text('#include <sys/socket.h>'), 1, 'has no kernel')

    def test_tools_use_the_public_interface(self):
        self.finds('tools/a.cpp', text('#include "backends/poller.hpp"'), 1,
                   'tools use include/tern')

    def test_tools_name_their_system(self):
        self.finds('tools/a.cpp', text('#include <unistd.h>'), 1, 'a file of one system')
        os.remove(os.path.join(self.root, 'tools/a.cpp'))
        self.passes('tools/a_posix.cpp', text('#include <unistd.h>'))

    def test_platform_macros(self):
        self.finds('src/a.cpp', text('#ifdef __linux__', '#endif'), 1, 'the build chooses files')
        self.passes('src/a.cpp', text('// Not on __linux__ only.', 'int a();'))


class Backends(TidyTest):
    def test_model(self):
        self.passes('backends/kqueue/kqueue.cpp', text(*MODEL))

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

    def test_conditionals(self):
        pair = ['#ifdef A', '#endif']
        self.passes('backends/socket/a.cpp', text(*pair * 4))
        self.finds('backends/socket/a.cpp', text(*pair * 5), 9, '5 conditional directives')

    def test_copied_lines(self):
        same = [FILLER.format(number) for number in range(12)]
        self.write('backends/epoll/a.cpp', text(*same))
        self.write('backends/epoll/meson.build', text("s = files('a.cpp')"))
        self.finds('backends/kqueue/b.cpp', text(*same), 1, 'as in backends/epoll/a.cpp:1')
        self.passes('backends/kqueue/b.cpp', text(*same[1:]))


class Sizes(TidyTest):
    def test_long_file(self):
        lines = [FILLER.format(number) for number in range(601)]
        self.passes('src/a.cpp', text(*lines[:600]))
        self.finds('src/a.cpp', text(*lines), 601, '601 lines, at most 600')

    def test_long_demultiplexer(self):
        lines = [*MODEL, *(FILLER.format(number) for number in range(340))]
        self.write('backends/epoll/meson.build', text("s = files('epoll.cpp')"))
        self.passes('backends/epoll/epoll.cpp', text(*lines[:350]))
        self.finds('backends/epoll/epoll.cpp', text(*lines), 1, '356 lines in backends/epoll')

    def test_tests_may_be_longer(self):
        lines = [FILLER.format(number) for number in range(901)]
        self.passes('tests/unit/a.cpp', text(*lines[:900]))
        self.finds('tests/unit/a.cpp', text(*lines), 901, '901 lines, at most 900')

    def test_long_line(self):
        comment = '// ' + 'é' * 97
        self.passes('src/a.cpp', text(comment))
        self.finds('src/a.cpp', text(comment + 'é'), 1, '101 columns')

    @unittest.skipUnless(shutil.which('ctags'), 'needs Universal Ctags')
    def test_long_function(self):
        body = [f'  work_{number}();' for number in range(68)]
        self.passes('src/a.cpp', text('void work() {', *body, '}'))
        self.finds('src/a.cpp', text('void work() {', *body, '  more();', '}'), 1,
                   'work has 71 lines')


class Text(TidyTest):
    def test_white_space(self):
        self.finds('src/meson.build', 'a = 1 \n', 1, 'white space at the end')

    def test_tab(self):
        self.finds('src/meson.build', "a =\t1\n", 1, 'a tab')

    def test_carriage_return(self):
        self.finds('src/meson.build', 'a = 1\r\n', 1, 'white space at the end')

    def test_unfinished(self):
        word = 'TO' 'DO'
        self.finds('src/a.cpp', text(f'// {word}: later'), 1, 'without a reason')
        self.passes('src/a.cpp', text(f'// {word}(needs kernel 6.7): later'))

    def test_unguarded_header(self):
        self.write('tools/a.cpp', text('#include "tern/a.hpp"'))
        self.write('tools/meson.build', text("s = files('a.cpp')"))
        self.finds('include/tern/a.hpp', text('// A header.', 'int a();'), 1, '#pragma once')
        self.passes('include/tern/a.hpp', text('// A header.', '#pragma once', 'int a();'))

    @unittest.skipUnless(shutil.which('clang-format'), 'needs clang-format')
    def test_format(self):
        self.finds('src/a.cpp', text('int  a();'), 1, 'clang-format')


class DeadFiles(TidyTest):
    def test_source(self):
        self.write('src/meson.build', text("s = files('b.cpp')"))
        self.write('src/a.cpp', text('int a();'))
        answer = self.tidy()
        self.assertIn('src/a.cpp:1: no meson.build names this file', answer.stdout)
        self.assertEqual(answer.returncode, 1)

    def test_source_named_from_above(self):
        self.write('backends/meson.build', text("s = files('epoll/a.cpp')"))
        self.write('backends/epoll/a.cpp', text('int a();'))
        self.assertEqual(self.tidy().returncode, 0)

    def test_header(self):
        self.finds('src/a.hpp', text('#pragma once'), 1, 'nobody includes this header')

    def test_header_that_the_build_chooses(self):
        self.write('backends/socket/linux.cpp', text('#include <kernel_call.hpp>'))
        self.write('backends/meson.build', text("s = files('socket/linux.cpp')"))
        self.passes('backends/socket/generic/kernel_call.hpp', text('#pragma once'))

    def test_header_of_the_same_name_elsewhere(self):
        self.write('src/b.cpp', text('#include "a.hpp"'))
        self.write('src/meson.build', text("s = files('b.cpp')"))
        self.write('src/a.hpp', text('#pragma once'))
        self.finds('tools/a.hpp', text('#pragma once'), 1, 'nobody includes this header')

    def test_python_test(self):
        self.finds('tests/servers/echo.py', text('pass'), 1, 'no meson.build runs this test')


class Command(TidyTest):
    def test_unknown_option(self):
        answer = self.tidy('--frobnicate')
        self.assertEqual(answer.returncode, 64)
        self.assertIn('--frobnicate', answer.stderr)
        self.assertEqual(len(answer.stderr.splitlines()), 1, answer.stderr)

    def test_every_rule_is_listed(self):
        names = self.tidy('--list').stdout.split()
        self.assertEqual(len(names), len(set(names)))
        self.assertIn('core_is_portable', names)


if __name__ == '__main__':
    unittest.main()
