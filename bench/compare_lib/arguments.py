"""Options that several commands share. Those of one command stand in its module, where its
register() says them."""

import argparse
import os

from . import catalogue

EXIT_USAGE = 64
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def positive(convert):
    def parse(text):
        value = convert(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above zero")
        return value

    parse.__name__ = "positive number"
    return parse


def split_list(text):
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def add_build(parser):
    parser.add_argument("--build", default=os.path.join(REPOSITORY, "build"), metavar="DIR",
                        help="Meson build directory with the servers (default: build)")
    parser.add_argument("--server-cpu", type=int, metavar="N",
                        help="CPU of the servers (default: the first)")
    parser.add_argument("--loader-cpu", type=int, metavar="N",
                        help="CPU of the loader (default: the second)")
    parser.add_argument("--json", metavar="FILE", help="write every figure of every run here")


def add_rounds(parser, rounds, more=""):
    parser.add_argument("--rounds", type=positive(int), default=rounds, metavar="N",
                        help=f"(default: %(default)s{more})")


def add_timed(parser, rounds=7, duration_s=2.0, warmup_s=0.5):
    add_rounds(parser, rounds, "; 20 to decide anything")
    parser.add_argument("--duration", type=positive(float), default=duration_s, metavar="S",
                        help="of a run, in seconds (default: %(default)g)")
    parser.add_argument("--warmup", type=positive(float), default=warmup_s, metavar="S",
                        help="of a run, in seconds (default: %(default)g)")
    parser.add_argument("--loader", metavar="COMMAND",
                        help="load generator (default: `tern load` of the build)")


def add_servers(parser):
    parser.add_argument("--servers", type=split_list, metavar="A,B",
                        help="only these, and the floor (default: all that are built)")


def add_server(parser):
    parser.add_argument("--server", action="append", default=[], metavar="NAME=COMMAND",
                        help="one more server, for example another build of tern; repeats")


def add_others(parser):
    parser.add_argument("--with", dest="others", action="append", metavar="DIR",
                        help="a build with another backend; repeats (default: build-io_uring)")


def add_workload(parser, default):
    parser.add_argument("--workload", nargs="+", default=default, metavar="W",
                        help=f"of {', '.join(catalogue.WORKLOADS)} (default: {' '.join(default)})")
