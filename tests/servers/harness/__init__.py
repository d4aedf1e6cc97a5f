"""The one way from the tests to the `tern` command: processes, addresses, clients.

Nothing here waits without a deadline: what is late is ended by its number and the test fails, with
what the command had said until then.

  process    the command: starting it, what it says, ending it
  sockets    clients and a server of the tests' own
  deadline   how long is waited
  needs      what a test is skipped without
  case       the base of all test cases, and main()
"""
from .case import Case, main, pattern, seed
from .deadline import PATIENCE_S, eventually
from .needs import needs_ipv6, needs_nc, needs_proc, needs_signals, needs_unix
from .process import (
    CLEAN, COMMAND, HANGUPS, POLLER, SANITIZED, STOPS, TERN, TYPED, WINDOWS, WINE, Process, feed)
from .sockets import (
    address_of, converse, is_over, open_client, port_of, raise_descriptor_limit, receive,
    receive_all, reset, unused_port)
