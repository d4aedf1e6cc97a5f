"""What --help says and what the pages in docs/ say, as tests compare them."""
import os
import re

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs')
COMMANDS = ('echo', 'chat', 'connect', 'load', 'compare', 'cert', 'demo')


def page(name):
    with open(os.path.join(FOLDER, name), encoding='utf-8') as file:
        return file.read()


def table(name, *heads):
    """The rows of a page's only table with these heads; the first cell without backquotes."""
    head = '| ' + ' | '.join(heads) + ' |\n'
    _, found, rest = page(name).partition(head)
    if not found or head in rest:
        raise AssertionError(f'{name} has not one table with the heads {heads}')
    rows = []
    for line in rest.splitlines()[1:]:
        if not line.startswith('|'):
            break
        rows.append([cell.strip() for cell in line.strip('|').split(' | ')])
    return rows


class Help:
    """`tern COMMAND --help`, or that of tern itself without a command."""

    def __init__(self, case, *command):
        code, output, errors = case.run_command(*command, '--help')
        case.assertEqual((code, errors), (0, ''))
        self.text = output.decode().replace('\r', '')

    def section(self, title):
        """Its rows: what stands on the left, and the text beside it in one line."""
        _, found, rest = self.text.partition(f'\n{title}:\n')
        rows = []
        for line in rest.splitlines() if found else []:
            if not line.startswith('  '):
                break
            # A left side that is too long for its column has its text in the lines below.
            match = re.match(r'(?: {2}| {6}(?=--))(\S+(?: \S+)*)(?: {2,}(\S.*)|$)', line)
            if match:
                rows.append([match[1], match[2] or ''])
            else:
                rows[-1][1] = f'{rows[-1][1]} {line.strip()}'.strip()
        return rows

    def groups(self):
        """The headings under which options stand."""
        return [title for title in re.findall(r'\n(\w[\w ]*):\n', self.text)
                if any(left.startswith('-') for left, _ in self.section(title))]

    def defaults(self, *groups):
        """The long options of these groups, or of all, with their defaults; '' for none."""
        found = {}
        for group in groups or self.groups():
            for left, text in self.section(group):
                name = re.search(r'--[\w-]+', left)[0]
                default = re.search(r'\[default (.*?)(?:; TERN_\w+)?\]$', text)
                found[name] = default[1] if default else ''
        return found
