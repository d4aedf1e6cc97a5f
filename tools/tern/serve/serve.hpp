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

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tern/server.hpp"
#include "tern/url.hpp"
#include "tools/tern/cli/tls.hpp"

namespace tern::tool {

class MetricsText;

// What a command serves.
//   OWNERSHIP  Must outlive serve().
//   THREAD     Protocols are made, greeting() and ended() called on the thread of serve();
//              draining() and reload() on that of signals, one at a time; add_metrics() on any.
class Application {
 public:
  virtual ~Application() = default;

  // What ServeOptions::listen[address] speaks on a reactor: called once for each reactor before any
  // of them runs.
  virtual std::unique_ptr<Protocol> protocol(std::size_t address, Reactor& reactor) = 0;
  // The same for udp://, which a command without it must refuse.
  virtual std::unique_ptr<DatagramProtocol> datagram_protocol() { return nullptr; }

  // Written to standard output after the ready lines; given the addresses in the order of `listen`.
  virtual std::string greeting(const std::vector<Endpoint>&) { return {}; }
  // Adds to every server's numbers.
  virtual void add_metrics(MetricsText&) const {}
  // Whether SIGHUP has something to reload(), which reports on its own what is wrong. (Certificates
  // are serve()'s business.)
  virtual bool can_reload() const { return false; }
  virtual void reload() {}
  // A signal asked for the end: the server drains next.
  virtual void draining() {}
  // On every way out: reactors run no more, and are about to be destroyed.
  virtual void ended() {}

 protected:
  Application() = default;
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
};

struct ServeOptions {
  ServerOptions server;
  std::vector<Url> listen;
  Duration drain_timeout = std::chrono::seconds(10);
  // What tls:// addresses speak; looked at if there are any, so that it is no error to have none.
  // SIGHUP reads its certificates again.
  TlsServerSettings tls;
  // Where /metrics and /healthz are to be had.
  std::optional<Url> metrics;
  // How often counters are printed; zero: never.
  Duration stats = Duration::zero();
};

// Returns the exit code. Throws CommandError when an address cannot be bound; nothing has been
// written to standard output then.
int serve(const ServeOptions& options, Application& application);

}  // namespace tern::tool
