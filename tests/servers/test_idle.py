"""What a connection costs that does nothing: little memory, and not one wake-up.

TERN_TEST_IDLE overrides the number of connections.
"""
import os
import sys
import time

import harness

# Resident memory of the process, divided by the connections.
BYTES_MAX = 160
# A stand-in for a kernel keeps in our memory what a kernel keeps in its own.
if harness.POLLER == 'kqueue' and sys.platform == 'linux':
    BYTES_MAX += 320
# What io_uring has once: the queues of the ring and the first buffers.
RING_BYTES = 1 << 20 if harness.POLLER == 'io_uring' else 0
WARM_UP = 200


class Idle(harness.Case):
    @harness.needs_proc
    def test_memory_and_wake_ups(self):
        # Some descriptors are for other things, and the server has a limit of its own.
        count = min(int(os.environ.get('TERN_TEST_IDLE', 10_000)),
                    harness.raise_descriptor_limit() - WARM_UP - 100)
        server = self.serve('--idle-timeout', '5m')
        # What is needed once is not a cost of each connection.
        self.open(server, WARM_UP)
        self.settle(server)
        before = server.resident_bytes()
        clients = self.open(server, count)
        self.settle(server)
        grown = max(server.resident_bytes() - before - RING_BYTES, 0)
        print(f'{count} idle connections: {grown / count:.1f} B each', file=sys.stderr)
        self.assertLessEqual(grown / count, BYTES_MAX)
        self.assertGreaterEqual(server.descriptors(), count)

        sleeps = server.sleeps()
        time.sleep(5)  # the time of the measurement
        self.assertEqual(server.sleeps(), sleeps, 'a thread woke up')
        self.exchange(clients[0])
        self.exchange(clients[-1])

    @harness.needs_proc
    def test_memory_is_given_back_or_used_again(self):
        count = min(2000, harness.raise_descriptor_limit() - 200)
        server = self.serve()
        sizes = []
        for _ in range(6):
            for client in self.open(server, count):
                client.close()
            self.settle(server)
            sizes.append(server.resident_bytes())
        # A leak of 16 bytes a connection would be seen.
        self.assertLess(sizes[-1] - sizes[1], 4 * count * 16, sizes)

    def open(self, server, count):
        """Connections that have exchanged one message, as a client that is now idle has."""
        clients = []
        for _ in range(count):
            clients.append(self.client(server))
            clients[-1].sendall(b'hello')
        for client in clients:
            self.assertEqual(harness.receive(client, 5), b'hello')
        return clients

    def settle(self, server):
        """Until all threads sleep and stay asleep."""
        def is_asleep():
            sleeps = server.sleeps()
            time.sleep(0.1)  # between two looks
            return server.sleeps() == sleeps
        harness.eventually(is_asleep, 'the server comes to rest')


if __name__ == '__main__':
    harness.main()
