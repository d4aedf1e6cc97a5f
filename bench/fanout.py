#!/usr/bin/env python3
"""What a line to a room of N costs the server: bench/fanout.py [--build DIR] [--receivers N]

One sender, N receivers on loopback. The sender sends a burst of lines, all receivers read it, then
comes the next burst; each receiver's lines are counted and the last is compared. The figure is the
processor time of the server, in microseconds a delivery, from /proc/PID/task/*/schedstat. Servers
take turns in each round; ratios are of one round, and the medians of the rounds are shown.

  bare     peers/bare_fanout: a send call for each line and receiver, and nothing else
  tern     tern chat --workers 1 --flood off
  asio     peers/asio_chat: Asio's chat example, for lines
  threads  peers/thread_chat: a thread for each client
"""
import argparse
import contextlib
import os
import re
import resource
import select
import socket
import statistics
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATIENCE_S = 60
TEXT_BYTES = 64


def cpu_ns(pid):
    total = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/task/{task}/schedstat', encoding='ascii') as file:
                total += int(file.read().split()[0])
    return total


class Server:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        match = re.search(rb':(\d+)\n', self.process.stdout.readline())
        if not match or self.process.stdout.readline() != b'ready\n':
            sys.exit(f'bench/fanout.py: {command[0]} does not start')
        self.address = ('127.0.0.1', int(match.group(1)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Crowd:
    """The sender and its receivers, all in one room."""

    def __init__(self, server, receivers, joins):
        self.sockets = [socket.create_connection(server.address) for _ in range(receivers + 1)]
        self.sender, self.receivers = self.sockets[0], self.sockets[1:]
        if joins:
            for member in self.sockets:
                self.join(member)
        self.poll = select.epoll()
        self.by_number = {member.fileno(): member for member in self.receivers}
        for number in self.by_number:
            self.poll.register(number, select.EPOLLIN)

    def join(self, member):
        member.settimeout(PATIENCE_S)
        member.sendall(b'/join lobby\n')
        data = b''
        while not re.search(rb'-- you are in lobby.*\n', data):
            data += member.recv(1 << 16)

    def settle(self):
        """Until all are there, which a server without names does not tell: until a line of the
        sender's has reached everybody. All that came before it has been read then."""
        for member in self.receivers:
            member.setblocking(False)
        for attempt in range(PATIENCE_S):
            marker = b'settled %d\n' % attempt
            self.sender.sendall(marker)
            tails = dict.fromkeys(self.by_number, b'')
            while tails and (events := self.poll.poll(1)):
                for number, _ in events:
                    data = tails.get(number, b'') + self.by_number[number].recv(1 << 16)
                    tails[number] = data[-100:]
                    if data.endswith(marker):
                        del tails[number]
            if not tails:
                return
        sys.exit('bench/fanout.py: not everybody hears the sender')

    def burst(self, text, lines):
        self.sender.sendall(text * lines)
        missing = dict.fromkeys(self.by_number, lines)
        while missing:
            events = self.poll.poll(PATIENCE_S)
            if not events:
                sys.exit(f'bench/fanout.py: {len(missing)} receivers wait in vain')
            for number, _ in events:
                data = self.by_number[number].recv(1 << 16)
                missing[number] = missing.get(number, 0) - data.count(b'\n')
                if missing[number] == 0 and data.endswith(text):
                    del missing[number]
                elif missing[number] <= 0:
                    sys.exit('bench/fanout.py: a receiver did not get what was sent')

    def close(self):
        self.poll.close()
        for member in self.sockets:
            member.close()


def measure(command, joins, arguments, lines):
    """Microseconds of the server's processor time for each delivery."""
    with Server(command) as server, contextlib.closing(
            Crowd(server, arguments.receivers, joins)) as crowd:
        crowd.settle()
        text = b'x' * (TEXT_BYTES - 1) + b'\n'
        for _ in range(arguments.bursts // 10 + 1):
            crowd.burst(text, lines)
        before = cpu_ns(server.process.pid)
        for _ in range(arguments.bursts):
            crowd.burst(text, lines)
        spent = cpu_ns(server.process.pid) - before
    return spent / 1e3 / (arguments.bursts * lines * arguments.receivers)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--build', default=os.path.join(REPOSITORY, 'build'), metavar='DIR')
    parser.add_argument('--receivers', type=int, default=1000, metavar='N')
    parser.add_argument('--bursts', type=int, default=100, metavar='N', help='in each measurement')
    parser.add_argument('--rounds', type=int, default=5, metavar='N')
    return parser.parse_args()


def main():
    arguments = parse()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    peers = os.path.join(arguments.build, 'bench', 'peers')
    servers = {
        'bare': ([os.path.join(peers, 'bare_fanout')], False),
        'tern': ([os.path.join(arguments.build, 'tern'), 'chat', '--listen', 'tcp://127.0.0.1:0',
                  '--workers', '1', '--flood', 'off'], True),
        'asio': ([os.path.join(peers, 'asio_chat')], False),
        'threads': ([os.path.join(peers, 'thread_chat')], False),
    }
    servers = {name: row for name, row in servers.items() if os.path.exists(row[0][0])}
    for lines in (1, 8):
        figures = {name: [] for name in servers}
        for _ in range(arguments.rounds):
            for name, (command, joins) in servers.items():
                figures[name].append(measure(command, joins, arguments, lines))
        print(f'{lines} line{"s" if lines > 1 else ""} in a burst, {arguments.receivers} receivers')
        for name, values in figures.items():
            text = f'  {name:8} {statistics.median(values):6.2f} us a delivery'
            if 'bare' in figures:
                ratios = [value / bare for value, bare in zip(values, figures['bare'])]
                text += (f'   {statistics.median(ratios):5.2f} of bare '
                         f'({min(ratios):.2f} to {max(ratios):.2f})')
            print(text, flush=True)


if __name__ == '__main__':
    main()
