// Server: N reactors on N threads that serve the same endpoints.
//
//        listen() ─► one listener for each reactor and SO_REUSEPORT (Balance::kernel)
//                    or one listener that hands over (Balance::hand_over)
//
//        reactor 0 ── thread 0 ── its protocol ── its connections      nothing shared between
//        reactor 1 ── thread 1 ── its protocol ── its connections      threads on the hot path
//
//   Its life:
//
//        assembled ─── start() ───► running ─── drain() ───► draining
//            │                         │                        │ the last connection is gone,
//            │ start() failed,         │ stop()                 │ the time-out has passed,
//            │ or was never called     │                        │ or stop()
//            └─────────────────────────┴────────────────────────┴─► stopped
//
//   assembled  It listens, and clients may connect, but nobody is served. drain() and stop() are
//              remembered: start() then leads to their end.
//   running    Each reactor turns on its thread.
//   draining   Listeners close; who is there is served to the end, within a time.
//   stopped    Every reactor has left its loop. There is no way back: make another server.
//
//   OWNERSHIP  Owns reactors, protocols, threads and listeners. They end in two phases: first each
//              reactor ends what it owns, while all of them are there; then they are destroyed, and
//              the protocols after them. So closed() and the destructor of a posted task may post
//              to any reactor of the server; what they post is destroyed unrun.
//   THREAD     Construct, listen(), start(), join() and destroy on one thread; drain(), stop(),
//              counters() and connections() from any, in every state.
//   ERRORS     The constructor, listen() and start() throw std::system_error, also where the state
//              does not allow them (operation_not_permitted). Nothing is served before start(), so
//              a failing set-up leaves no half-started server behind. A start() that fails, for
//              lack of threads, has ended those that it had begun: the server is stopped.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "tern/connection.hpp"
#include "tern/datagram_socket.hpp"
#include "tern/endpoint.hpp"
#include "tern/export.hpp"
#include "tern/listener.hpp"
#include "tern/reactor.hpp"

namespace tern {

enum class Balance : std::uint8_t {
  // Each reactor listens on its own (SO_REUSEPORT) and the kernel spreads connections by a hash.
  // Cheapest; uneven with few connections. Unix sockets, one reactor alone, and systems that do not
  // balance (macOS, NetBSD, OpenBSD) hand over instead; datagrams then come to the first reactor.
  kernel,
  // The first reactor accepts and gives each connection to the reactor with the fewest.
  hand_over,
};

struct ServerOptions {
  unsigned workers = 1;  // reactors, each on a thread of its own; 1 to 1,024
  Balance balance = Balance::kernel;
  ReactorOptions reactor;
  ListenerOptions listener;
  Limits limits;
  // While draining, a connection is idle when nothing is queued and no byte moved for this long.
  Duration drain_quiet = std::chrono::milliseconds(500);
};

class TERN_API Server {
 public:
  // Called once for each reactor, on the thread that calls listen(), before start().
  using ProtocolFactory = std::function<std::unique_ptr<Protocol>(Reactor&)>;
  using DatagramProtocolFactory = std::function<std::unique_ptr<DatagramProtocol>(Reactor&)>;

  explicit Server(const ServerOptions& options = {});
  // stop() and join(), then the two phases.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds; returns where, with the port the kernel chose if 0 was asked. With `tls`, a server's
  // context, its connections speak TLS; null: what ServerOptions::listener says. Throws unless
  // assembled.
  Endpoint listen(const Endpoint& endpoint, const ProtocolFactory& factory,
                  std::shared_ptr<TlsContext> tls = nullptr);
  Endpoint listen_datagrams(const Endpoint& endpoint, const DatagramProtocolFactory& factory);

  // Throws unless assembled, and where the system has no more threads.
  void start();
  // Until drain() or stop() has ended every reactor. Returns at once if none was started.
  void join();

  // Graceful end: who waits in a listener's queue is still taken in, then listeners and datagram
  // sockets close at once; idle connections are finished; busy ones are served until they end, or
  // until `timeout` has passed and they are aborted (reason drain_timeout). Returns at once; join()
  // returns as soon as the last connection is gone.
  void drain(Duration timeout);
  // Ends now; open connections are aborted.
  void stop();

  // Each reactor's numbers, as of a moment ago; before start(), as of the last listen(). Waits for
  // the reactors that run to answer. REQUIRES not called on one of this server's reactors.
  std::vector<Counters> counters();
  // Connections alive on each reactor: the gauge that hand_over balances by.
  std::vector<std::size_t> connections() const;

 private:
  struct Worker;
  struct State;
  class SetUp;
  std::unique_ptr<State> state_;
};

}  // namespace tern
