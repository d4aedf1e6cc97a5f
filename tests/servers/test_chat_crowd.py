"""Crowds in a chat: thousands in a room, thousands killed at once, thousands that never read.

TERN_TEST_CROWD overrides the number of members; 5000 is what a server should stand.
"""
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import harness
from test_chat import Case
from test_metrics import parse_metrics

# A sanitizer's processor time is for others.
CROWD = int(os.environ.get('TERN_TEST_CROWD', 200 if harness.SANITIZED else 1000))
METRICS = ('--metrics', 'tcp://127.0.0.1:0')

# Joins, and reads no more than that it is in.
CLIENTS = '''
import resource, socket, sys
host, port, count, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
clients = []
for number in range(count):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, port))
    client.sendall(f'/nick {name}{number}\\n/join lobby\\n'.encode())
    clients.append(client)
for client in clients:
    text = b''
    while b'you are in lobby' not in text:
        text += client.recv(256)
print('in', flush=True)
sys.stdin.read()
'''


@harness.needs_signals
class Crowd(Case):
    def metrics(self, server):
        with urllib.request.urlopen(f'{server.urls[-1]}/metrics',
                                    timeout=harness.PATIENCE_S) as answer:
            return parse_metrics(answer.read().decode())

    def gone(self, server, reason):
        return self.metrics(server)['tern_chat_gone_total', (('reason', reason),)]

    def crowd(self, server, count, name='m'):
        clients = subprocess.Popen(
            [sys.executable, '-c', CLIENTS, '127.0.0.1', str(server.port), str(count), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(clients.stdin.close)
        self.addCleanup(clients.stdout.close)
        self.addCleanup(clients.wait)
        self.addCleanup(clients.kill)
        self.assertEqual(clients.stdout.readline(), b'in\n')
        return clients

    def wait_until(self, condition):
        deadline = time.monotonic() + 2 * harness.PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, 'it does not come')

    def test_a_crowd_that_is_killed(self):
        server = self.chat(*METRICS, '--workers', '2', '--soft-limit', '16MiB', '--hard-limit',
                           '32MiB', '--send-buffer', '4k')
        alice, bob = (self.member(server, name, 'lobby') for name in ('alice', 'bob'))
        alice.expect('[lobby] -- bob joined')
        clients = self.crowd(server, CROWD)
        for member in (alice, bob):  # nothing is left out, so nothing is missing later
            for _ in range(CROWD):
                member.until(r'\[lobby\] -- m\d+ joined')
        bob.say('before')
        alice.expect('[lobby] bob: before')
        clients.kill()
        clients.wait()
        bob.say('after')
        left = set()
        is_said = False
        while len(left) < CROWD or not is_said:
            line = alice.line()
            if line == '[lobby] bob: after':
                self.assertFalse(is_said)
                is_said = True
                continue
            # The kernel resets the connections that had something to read, and ends the others.
            name = re.fullmatch(r'\[lobby\] -- (m\d+) left(?:: connection lost| the chat)', line)
            self.assertTrue(name, line)
            self.assertNotIn(name.group(1), left)
            left.add(name.group(1))
        alice.expect_answer('/who', '-- lobby: @alice bob')
        self.assertEqual(self.gone(server, 'lost') + self.gone(server, 'quit'), CROWD)
        samples = self.metrics(server)
        self.assertEqual(samples['tern_chat_members', ()], 2)
        self.assertEqual(samples['tern_connections', ()], 2)

    def test_a_crowd_that_never_reads(self):
        server = self.chat(*METRICS, '--workers', '2', '--flood', 'off', '--soft-limit', '32k',
                           '--hard-limit', '64k', '--send-buffer', '4k', '--max-name', '16',
                           '--history-bytes', '4k', '--history', '20')
        alice, bob = (self.member(server, name, 'lobby') for name in ('alice', 'bob'))
        carol, dave = (self.member(server, name, 'attic') for name in ('carol', 'dave'))
        carol.expect('[attic] -- dave joined')
        self.crowd(server, CROWD)
        filler = 'x' * 1000
        said = 0
        deadline = time.monotonic() + 2 * harness.PATIENCE_S
        while self.gone(server, 'too_slow') < CROWD:
            self.assertLess(time.monotonic(), deadline, 'they are not disconnected')
            for _ in range(10):
                # Who reads hears every line, in that room and in others.
                alice.say(f'{said} {filler}', f'/msg alice {said}')
                alice.until(rf'\(private\) alice: {said}')  # who does not read may not speak
                while (line := bob.line()) != f'[lobby] alice: {said} {filler}':
                    self.assertRegex(line, r'^\[lobby\] -- m\d+ (joined|left: too slow a reader)$')
                dave.say(str(said))
                carol.expect(f'[attic] dave: {said}')
                said += 1
        samples = self.metrics(server)
        self.assertEqual(samples['tern_chat_members', ()], 4)
        self.assertEqual(self.gone(server, 'lost'), 0)
        # They had five seconds to read why.
        self.wait_until(lambda: self.metrics(server)['tern_connections', ()] == 4)

    def load(self, *arguments):
        server = self.chat('--workers', '2', '--flood', 'off')
        code, output, errors = self.run_command(
            'load', server.url.replace('tcp://', 'chat://'), '--json', '-', '-q', '-d', '2s',
            *arguments, seconds=4 * harness.PATIENCE_S)
        self.assertEqual(code, 0, errors)
        result = json.loads(output)
        self.assertTrue(result['verified'])
        return result

    def test_one_room(self):
        result = self.load('-c', str(CROWD), '--rooms', '1', '-r', '10')
        self.assertEqual(result['deliveries'], result['lines'] * (CROWD - 1))

    def test_rooms_of_five(self):
        result = self.load('-c', str(CROWD), '--rooms', str(CROWD // 5), '-r', '1000')
        self.assertEqual(result['deliveries'], result['lines'] * 4)


if __name__ == '__main__':
    harness.main()
