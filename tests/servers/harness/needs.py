"""What a test may need of the machine or of the build, to be skipped where it is missing."""
import os
import shutil
import socket
import unittest

from .process import SANITIZED, WINDOWS

needs_proc = unittest.skipUnless(os.path.isdir('/proc/self/fd') and not WINDOWS and not SANITIZED,
                                 'needs /proc and a command that is not sanitized')
needs_signals = unittest.skipIf(WINDOWS, 'needs signals')
needs_unix = unittest.skipIf(WINDOWS or not hasattr(socket, 'AF_UNIX'), 'needs Unix sockets')
needs_nc = unittest.skipUnless(shutil.which('nc'), 'needs nc (package netcat-openbsd)')


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
        return True
    except OSError:
        return False


needs_ipv6 = unittest.skipUnless(has_ipv6(), 'needs the address ::1')
