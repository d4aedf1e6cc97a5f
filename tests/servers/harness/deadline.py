"""Nothing waits for ever: how long is waited for what must happen, and for a condition."""
import time

# What must happen is waited for this long; only a failure ever takes it.
PATIENCE_S = 60


def eventually(condition, what, seconds=None):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + (seconds or PATIENCE_S)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {seconds or PATIENCE_S} s: {what}')
        time.sleep(0.01)  # between two looks
