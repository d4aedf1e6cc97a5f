"""The manual, docs/tern.md and docs/chat.md, says what the command does."""
import re

import harness
import manual

# What the pages say of other programs.
OTHERS = {'--no-create-home', '--now', '--out', '--shell', '--svg-only', '--system'}


def named(names):
    return ', '.join(f'`{name}`' for name in names)


class Manual(harness.Case):
    def test_options_exist(self):
        known = set(OTHERS) | {'--version'}
        for command in manual.COMMANDS:
            known |= set(manual.Help(self, command).defaults())
        for page in ('tern.md', 'chat.md'):
            said = set(re.findall(r'(?<![\w-])--[a-z][\w-]*', manual.page(page)))
            self.assertEqual(said - known, set(), page)

    def test_all_options_are_named(self):
        groups = {}
        for command in manual.COMMANDS:
            help_text = manual.Help(self, command)
            for title in help_text.groups():
                names = [name for name in help_text.defaults(title) if name != '--help']
                groups.setdefault((title, *names), []).append(command)
        expected = [[named(commands), title, named(names)]
                    for (title, *names), commands in groups.items() if names]
        self.assertEqual(manual.table('tern.md', 'of', 'in --help under', 'options'), expected)

    def test_limits_and_defaults_of_a_chat(self):
        said = {option: default for option, default, _ in
                manual.table('chat.md', 'option', 'default', 'at the limit')}
        limits = manual.Help(self, 'chat').defaults('Limits')
        self.assertEqual(said, {f'`{name}`': f'`{default}`' for name, default in limits.items()})

    def test_exit_codes(self):
        said = manual.table('tern.md', 'code', 'meaning')
        self.assertEqual(said, manual.Help(self).section('Exit codes'))
        codes = {code for code, _ in said}
        for command in manual.COMMANDS:
            with self.subTest(command=command):
                rows = manual.Help(self, command).section('Exit codes')
                self.assertEqual(rows[0][0], '0')
                self.assertLessEqual({code for code, _ in rows}, codes)

    def test_signals(self):
        said = manual.table('tern.md', 'command', 'signal', 'what it does')
        signals = [[command, signal, text] for command in manual.COMMANDS
                   for signal, text in manual.Help(self, command).section('Signals')]
        last = {(signal, text) for _, signal, text in signals if signal == 'a second one'}
        self.assertEqual(len(last), 1)
        expected = [[f'`{command}`', signal, text] for command, signal, text in signals
                    if signal != 'a second one']
        self.assertEqual(said, expected + [['all', *last.pop()]])


if __name__ == '__main__':
    harness.main()
