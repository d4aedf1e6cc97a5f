"""One call of bench/compare that measures."""

import json
import os

from . import catalogue, process
from .arguments import REPOSITORY


class Session:
    """What all measurements of one call share: its options as they were asked for, and what follows
    from them."""

    def __init__(self, options):
        self.options = options
        self.server_cpu, self.loader_cpu = process.choose_cpus(options.server_cpu,
                                                               options.loader_cpu)
        # {name: build directory} of each tern that is compared with its peers.
        self.terns = {catalogue.TERN: options.build}
        self.failed = False  # all was measured, and it is not as it should be
        process.raise_descriptor_limit()
        if options.json:
            # An unwritable file is told before, and not after, an hour of measuring.
            open(options.json, "a", encoding="utf-8").close()
        self.conditions = process.conditions(os.path.join(options.build, "tern"), self.server_cpu,
                                             self.loader_cpu)
        catalogue.warn_of_slow_build(options.build)

    def measure(self):
        """Does what the command's module has registered as `run`, and keeps what it returns."""
        results = self.options.run(self)
        if self.options.json:
            self.conditions["arguments"] = {
                name: os.path.relpath(value, REPOSITORY) if str(value).startswith(REPOSITORY)
                else value
                for name, value in vars(self.options).items()
                if value is not None and name != "run"}
            with open(self.options.json, "w", encoding="utf-8") as file:
                json.dump({"conditions": self.conditions, "results": results}, file, indent=1)
                file.write("\n")
