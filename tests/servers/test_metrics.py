"""Metrics and health over HTTP, and the log as JSON, of echo and chat servers."""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import time

import harness
from test_chat import Case

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^{}]*)\})? (\S+)')
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parse_metrics(text):
    """The samples of Prometheus' text format 0.0.4, {(name, labels): value}; strict."""
    if not text.endswith('\n'):
        raise AssertionError('the last line has no end')
    kinds, samples, helped, finished, current = {}, {}, set(), set(), None
    for line in text.splitlines():
        if match := re.fullmatch(r'# (HELP|TYPE) (\S+) (.+)', line):
            what, name, rest = match.groups()
            if name != current:
                if name in finished:
                    raise AssertionError(f'{name} comes in two groups')
                finished.add(current)
                current = name
            if what == 'HELP':
                if name in helped or name in kinds:
                    raise AssertionError(f'a second HELP, or one after TYPE: {line}')
                helped.add(name)
            elif name in kinds or rest not in ('counter', 'gauge', 'histogram', 'summary'):
                raise AssertionError(f'a second TYPE, or none that is known: {line}')
            else:
                kinds[name] = rest
            continue
        match = SAMPLE.fullmatch(line)
        if not match:
            raise AssertionError(f'no sample: {line!r}')
        name, labels, value = match.groups()
        if name != current or name not in kinds:
            raise AssertionError(f'a sample without its TYPE before it: {line}')
        if labels is not None and LABEL.sub('', labels):
            raise AssertionError(f'bad labels: {line}')
        key = (name, tuple(sorted(LABEL.findall(labels or ''))))
        if key in samples:
            raise AssertionError(f'twice: {line}')
        if kinds[name] == 'counter' and not name.endswith('_total'):
            raise AssertionError(f'a counter is called ..._total: {line}')
        samples[key] = float(value)
    return samples


def read(*path):
    with open(os.path.join(ROOT, *path), encoding='utf-8') as file:
        return file.read()


class Metrics(Case):
    def get(self, server, path, method='GET'):
        connection = http.client.HTTPConnection('127.0.0.1', harness.port_of(server.urls[-1]),
                                                timeout=harness.PATIENCE_S)
        self.addCleanup(connection.close)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def metrics(self, server):
        answer, text = self.get(server, '/metrics')
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.getheader('Content-Type'),
                         'text/plain; version=0.0.4; charset=utf-8')
        return parse_metrics(text)

    def raw(self, server, request):
        client = socket.create_connection(('127.0.0.1', harness.port_of(server.urls[-1])),
                                          harness.PATIENCE_S)
        self.addCleanup(client.close)
        client.sendall(request)
        return harness.receive_all(client).decode()

    def test_echo(self):
        server = self.serve('--metrics', 'tcp://127.0.0.1:0')
        self.assertRegex(server.urls[-1], r'^http://127\.0\.0\.1:\d+$')
        client = self.client(server)
        self.exchange(client, b'x' * 1000)
        samples = self.metrics(server)
        self.assertEqual(samples['tern_connections', ()], 1)
        self.assertEqual(samples['tern_accepted_total', ()], 1)  # it does not count itself
        self.assertEqual(samples['tern_received_bytes_total', ()], 1000)
        self.assertGreater(samples['tern_start_time_seconds', ()], 1.7e9)
        client.close()
        while not (closed := self.metrics(server)['tern_closed_total', (('reason', 'finished'),)]):
            pass
        self.assertEqual(closed, 1)

    def test_chat(self):
        server = self.chat('--metrics', 'tcp://127.0.0.1:0', '--workers', '2')
        alice, bob, carol = (self.member(server, name, 'lobby')
                             for name in ('alice', 'bob', 'carol'))
        bob.say('hello', '/quit')
        carol.until(r'\[lobby\] -- bob left the chat')
        alice.until(r'\[lobby\] -- bob left the chat')
        samples = self.metrics(server)
        self.assertEqual(samples['tern_chat_members', ()], 2)
        self.assertEqual(samples['tern_chat_rooms', ()], 1)
        self.assertEqual(samples['tern_chat_messages_total', ()], 1)
        self.assertEqual(samples['tern_chat_history_bytes', ()], len('hello'))
        self.assertEqual(samples['tern_chat_commands_total', ()], 3 * 2 + 2)
        self.assertGreaterEqual(samples['tern_chat_deliveries_total', ()], 2)
        self.assertEqual(samples['tern_chat_gone_total', (('reason', 'quit'),)], 1)
        self.assertEqual(samples['tern_chat_gone_total', (('reason', 'too_slow'),)], 0)

    def test_what_is_counted_is_in_statistics_too_and_each_has_its_help(self):
        server = self.serve('--metrics', 'tcp://127.0.0.1:0', '--stats', '50ms')
        harness.eventually(server.statistics, 'a line of statistics')
        fields = set(server.statistics()[0]) - {'interval'}
        self.assertIn('connected', fields)
        text = self.get(server, '/metrics')[1]
        names = {re.sub('^tern_|_total$', '', name) for name, _ in parse_metrics(text)}
        self.assertEqual(fields, names - {'start_time_seconds', 'closed'})
        helps = dict(re.findall('^# HELP tern_(.*?)(?:_total)? (.*)$', text, re.MULTILINE))
        self.assertEqual(set(helps), names)
        self.assertEqual(len(set(helps.values())), len(names))
        for name, said in helps.items():
            self.assertFalse(said.startswith(name + ','), 'says its name alone')

    def test_pages_name_what_there_is(self):
        server = self.chat('--metrics', 'tcp://127.0.0.1:0')
        samples = self.metrics(server)
        names = {name for name, _ in samples}
        reasons = [labels[0][1] for name, labels in samples if name == 'tern_closed_total']
        pages = read('docs', 'tern.md') + read('docs', 'chat.md')
        for name in re.findall(r'`(tern_[a-z_]+)', pages):
            self.assertIn(name, names)
        for reason in re.findall(r'\bclosed\.([a-z_]+)', pages):
            self.assertIn(reason, reasons)
        table = re.search(r'^\| reason \|.*\n.*\n((?:\|.*\n)+)', pages, re.MULTILINE).group(1)
        described = re.findall(r'^\| `(\w+)` \| (.+) \|$', table, re.MULTILINE)
        told = re.findall(r'return \{"(\w+)",\s*"([^"]+)"\};',
                          read('include', 'tern', 'close_reason.hpp'))
        self.assertEqual([name for name, _ in told], reasons)
        self.assertEqual(described, told)

    @harness.needs_signals
    def test_health_while_it_drains(self):
        server = self.serve('--metrics', 'tcp://127.0.0.1:0', '--drain-timeout', '60s')
        answer, text = self.get(server, '/healthz')
        self.assertEqual((answer.status, text), (200, 'ok\n'))
        # One who does not read what comes back keeps the server from ending.
        held = self.client(server)
        held.setblocking(False)
        deadline = time.monotonic() + harness.PATIENCE_S
        while self.metrics(server)['tern_receive_pauses_total', ()] == 0:
            self.assertLess(time.monotonic(), deadline)
            with contextlib.suppress(BlockingIOError):
                held.send(b'x' * 1_000_000)
        server.signal(signal.SIGTERM)
        server.wait_line('.*draining: .*', stream=server.stderr)
        while (answer := self.get(server, '/healthz'))[1] == 'ok\n':
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual((answer[0].status, answer[1]), (503, 'draining\n'))
        harness.reset(held)
        self.assertEqual(server.wait(), 0)

    def test_other_requests(self):
        server = self.serve('--metrics', 'tcp://127.0.0.1:0')
        answer, text = self.get(server, '/')
        self.assertEqual((answer.status, text), (404, 'there are /metrics and /healthz\n'))
        answer, text = self.get(server, '/metrics', 'HEAD')
        self.assertEqual((answer.status, text), (200, ''))
        self.assertGreater(int(answer.getheader('Content-Length')), 1000)
        answer, text = self.get(server, '/metrics', 'DELETE')
        self.assertEqual((answer.status, answer.getheader('Allow')), (405, 'GET, HEAD'))
        for request, status in ((b'hello\r\n\r\n', 400), (b'GET / HTTP/1.1\r\n\r\n', 400),
                                (b'GET / HTTP/9\r\nHost: x\r\n\r\n', 505),
                                (b'GET /' + b'x' * 9000, 431)):
            self.assertTrue(self.raw(server, request).startswith(f'HTTP/1.1 {status} '), request)
        self.assertEqual(self.metrics(server)['tern_accepted_total', ()], 0)

    def test_more_visitors_than_there_is_room_for(self):
        server = self.serve('--metrics', 'tcp://127.0.0.1:0')
        port = harness.port_of(server.urls[-1])
        visitors = [socket.create_connection(('127.0.0.1', port), harness.PATIENCE_S)
                    for _ in range(64)]
        for visitor in visitors:
            self.addCleanup(visitor.close)
        late = socket.create_connection(('127.0.0.1', port), harness.PATIENCE_S)
        self.addCleanup(late.close)
        self.assertIn(harness.is_over(late), (True, False))  # turned away
        for visitor in visitors:
            visitor.close()
        while True:
            try:
                self.metrics(server)
                return
            except (OSError, http.client.HTTPException):
                continue  # the server has yet to see that they have gone

    def test_what_is_wrong(self):
        for url, code, problem in (
                ('udp://127.0.0.1:0', 64,
                 "'udp://127.0.0.1:0' is not an address for HTTP; write tcp://127.0.0.1:PORT"),
                ('tcp://192.0.2.1:1', 69, 'tcp://192.0.2.1:1: ')):
            done, output, errors = self.run_command('echo', '--listen', 'tcp://127.0.0.1:0',
                                                    '--metrics', url)
            self.assertEqual((done, output), (code, b''))
            self.assertIn(problem, errors)
            self.assertEqual(errors.count('\n'), 1)


class Log(Case):
    def test_json(self):
        directory = self.directory()
        # Windows has no such names.
        names = os.path.join(directory,
                             'data' if harness.WINDOWS else 'tab\there "quoted" \\ é')
        os.mkdir(names)
        with open(names + '/history', 'wb') as file:
            file.write(b'damaged\ntorn')
        server = self.chat('--log-format', 'json', '--data', names)
        server.drain()
        lines = [json.loads(line) for line in server.stderr.text().splitlines()]
        for line in lines:
            self.assertEqual(list(line), ['time', 'level', 'message'])
            self.assertRegex(line['time'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
        self.assertIn(('warning', f'{names}/history: 1 damaged records were skipped'),
                      [(line['level'], line['message']) for line in lines])

    def test_json_of_echo_with_statistics(self):
        server = self.serve('--log-format', 'json', '--stats', '10ms')
        server.wait_line(r'\{"time":"[^"]+","level":"info","message":"stats interval=.*"\}',
                         stream=server.stderr)

    def test_another_format(self):
        code, _, errors = self.run_command('echo', '--log-format', 'xml')
        self.assertEqual(code, 64)
        self.assertIn("--log-format: 'xml' is not a format; write text or json", errors)


if __name__ == '__main__':
    harness.main()
