// Running a server as a command: listening, the ready lines, signals, statistics, the drain.
//
//   On standard output, once every address is bound and in a single write:
//        listening tcp://127.0.0.1:7007        one line for each address, with the real port
//        listening http://127.0.0.1:9101       where metrics are, if they were asked for
//        ready
//   SIGHUP reads again what can be: certificates, settings; a bad file changes nothing.
//   SIGTERM, SIGINT and otherwise SIGHUP drain: listeners close, connections are served until they
//   end or the drain timeout has passed; exit code 0. A second signal ends the process at once with
//   128 plus its number, as a shell reports it (130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tern/server.hpp"
#include "tern/url.hpp"
#include "tools/tern/serve/metrics.hpp"

namespace tern::tool {

struct ServeOptions {
  ServerOptions server;
  std::vector<Url> listen;
  Duration drain_timeout = std::chrono::seconds(10);
  // What tls:// addresses speak; made on demand, so that it is no error to have none.
  std::function<std::shared_ptr<TlsContext>()> tls;
  // SIGHUP, once there is TLS: reads the certificates again. Throws CommandError.
  std::function<void(TlsContext&)> reload;
  // SIGHUP, before that: reads everything else again. Reports on its own what is wrong.
  std::function<void()> reload_settings;
  // Where /metrics and /healthz are to be had, and what is added to every server's numbers (on any
  // thread).
  std::optional<Url> metrics;
  std::function<void(MetricsText&)> more_metrics;
  // How often counters are printed; zero: never.
  Duration stats = Duration::zero();
  Server::ProtocolFactory protocol;
  // For addresses that have a protocol of their own: by the position in `listen`.
  std::map<std::size_t, Server::ProtocolFactory> other_protocols;
  Server::DatagramProtocolFactory datagram_protocol;
  // Called when a signal asked for the end, before the server drains.
  std::function<void()> draining;
  // Called on every way out once there were reactors: they run no more, and are about to be
  // destroyed.
  std::function<void()> ending;
  // Written to standard output after the ready lines; given the addresses in the order of `listen`.
  std::function<std::string(const std::vector<Endpoint>&)> greeting;
};

// Returns the exit code. Throws CommandError when an address cannot be bound; nothing has been
// written to standard output then.
int serve(const ServeOptions& options);

}  // namespace tern::tool
