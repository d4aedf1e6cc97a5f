"""The manual, docs/tern.md and docs/chat.md, says what the command does."""
import re

import harness
import manual

# What the pages say of other programs.
OTHERS = {'--no-create-home', '--now', '--out', '--shell', '--svg-only', '--system'}


class Manual(harness.Case):
    def test_options_exist(self):
        known = set(OTHERS) | {'--version'}
        for command in manual.COMMANDS:
            known |= set(manual.Help(self, command).defaults())
        for page in ('tern.md', 'chat.md'):
            said = set(re.findall(r'(?<![\w-])--[a-z][\w-]*', manual.page(page)))
            self.assertEqual(said - known, set(), page)

    def test_limits_and_defaults_of_a_chat(self):
        said = {option: default for option, default, _ in
                manual.table('chat.md', 'option', 'default', 'at the limit')}
        limits = manual.Help(self, 'chat').defaults('Limits')
        self.assertEqual(said, {f'`{name}`': f'`{default}`' for name, default in limits.items()})


if __name__ == '__main__':
    harness.main()
