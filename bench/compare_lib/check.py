"""Whether the servers may be compared at all: all of them, or those asked for, which may echo, echo
behind TLS or relay lines."""

from . import arguments, catalogue, echo_check, fanout, tls


def register(commands):
    parser = commands.add_parser(
        "check", help="do the servers echo and relay correctly and bound what they hold")
    parser.set_defaults(run=run)
    arguments.add_build(parser)
    arguments.add_servers(parser)
    arguments.add_server(parser)


def run(session):
    wanted, additional = session.options.servers, session.options.server
    added = [text.partition("=")[0] for text in additional]
    echoing = [*catalogue.PEERS, *session.terns, *added]
    relaying = [*fanout.PEERS, *session.terns]
    secure = [*tls.PEERS, *session.terns]
    catalogue.require_known(wanted, [*echoing, *relaying, *secure])
    results = {}
    if (chosen := catalogue.among(wanted, echoing)) != []:
        results["check"] = echo_check.report(
            session, catalogue.choose_servers(session, chosen, additional))
    if (chosen := catalogue.among(wanted, relaying)) != []:
        results["check_fanout"] = fanout.report_check(
            session, fanout.choose_servers(session, chosen))
    if (chosen := catalogue.among(wanted, secure)) != []:
        with tls.certificates(session) as (certificate, key):
            results["check_tls"] = tls.report_check(
                session, tls.choose_servers(session, certificate, key, chosen))
    return results
