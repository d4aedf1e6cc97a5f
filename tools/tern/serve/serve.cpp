#include "tools/tern/serve/serve.hpp"

#include <fmt/core.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "backends/system/proc_stats.hpp"
#include "tern/process.hpp"
#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/cli/signal_router.hpp"
#include "tools/tern/cli/units.hpp"
#include "tools/tern/serve/metrics.hpp"
#include "tools/tern/serve/statistics.hpp"

namespace tern::tool {
namespace {

// Prints a line of statistics each interval, until it is destroyed.
class Statistics {
 public:
  Statistics(Server& server, Duration interval) : server_(server), interval_(interval) {
    if (interval > Duration::zero()) thread_ = std::thread([this] { run(); });
  }

  ~Statistics() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  Statistics(const Statistics&) = delete;
  Statistics& operator=(const Statistics&) = delete;

 private:
  void run() {
    Counters before;  // of nothing: what came before the first line belongs into it
    Time then = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!changed_.wait_until(lock, then + interval_, [this] { return ended_; })) {
      const Counters now = total(server_.counters());
      const Time when = std::chrono::steady_clock::now();
      print_notice(statistics_line(before, now, when - then, server_.connections()));
      before = now;
      then = when;
    }
  }

  Server& server_;
  Duration interval_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;
};

// Refused connections come in floods: one line a second says it as well as a thousand.
std::function<void(const std::error_code&)> limited_warning() {
  auto next = std::make_shared<std::atomic<Time::rep>>(0);
  return [next](const std::error_code& error) {
    const Time::rep now = Time(std::chrono::steady_clock::now()).time_since_epoch().count();
    Time::rep due = next->load();
    const Time::rep after = now + Duration(std::chrono::seconds(1)).count();
    if (now < due || !next->compare_exchange_strong(due, after)) return;
    log(LogLevel::warning, "cannot accept a connection: {}", describe(error));
  };
}

// Where the system does not tell its limit, nothing is said.
void check_backlog(int backlog) {
  const std::optional<int> most = system::backlog_max();
  if (most && *most < backlog) {
    log(LogLevel::warning, "backlog {} is more than this system allows: {} is in force", backlog,
        *most);
  }
}

Endpoint bind_one(Server& server, const ServeOptions& options, Application& application,
                  std::size_t address, std::shared_ptr<TlsContext>& tls) {
  const Url& url = options.listen[address];
  if (url.scheme == Scheme::tls && tls == nullptr) tls = make_tls(options.tls);
  const Endpoint endpoint = resolve_url(url).front();
  try {
    if (url.scheme == Scheme::udp) {
      return server.listen_datagrams(
          endpoint, [&application](Reactor&) { return application.datagram_protocol(); });
    }
    const auto protocol = [&application, address](Reactor& reactor) {
      return application.protocol(address, reactor);
    };
    return server.listen(endpoint, protocol, url.scheme == Scheme::tls ? tls : nullptr);
  } catch (const std::system_error& error) {
    throw unavailable(error);
  }
}

void reload_certificates(TlsContext& tls, const TlsServerSettings& settings) {
  try {
    reload_tls(tls, settings);
    log(LogLevel::info, "certificates read again; new connections get them");
  } catch (const CommandError& error) {
    log(LogLevel::error, "certificates not read again, the old ones stay: {}", error.what());
  }
}

std::unique_ptr<MetricsServer> serve_metrics(Server& server, const ServeOptions& options,
                                             const Application& application,
                                             std::string& announcement) {
  if (!options.metrics) return {};
  auto metrics = std::make_unique<MetricsServer>(
      *options.metrics, server,
      [&application](MetricsText& text) { application.add_metrics(text); });
  std::string url = url_text(Scheme::tcp, metrics->endpoint());
  if (url.starts_with("tcp:")) url.replace(0, 3, "http");
  announcement += fmt::format("listening {}\n", url);
  return metrics;
}

// Also where an exception leaves a server that runs.
class Ending {
 public:
  Ending(Server& server, Application& application) : server_(server), application_(application) {}
  ~Ending() {
    server_.stop();
    server_.join();
    application_.ended();
  }
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

 private:
  Server& server_;
  Application& application_;
};

void log_start(const ServerOptions& options, const DescriptorLimit& limit) {
  log(LogLevel::info, "serving with {} worker{} on {}", options.workers,
      options.workers == 1 ? "" : "s", Reactor::poller_name());
  if (limit.now != limit.before) {
    log(LogLevel::info, "descriptor limit raised from {} to {}", limit.before, limit.now);
  } else {
    log(LogLevel::info, "descriptor limit {}, which is all this process may have", limit.now);
  }
  check_backlog(options.listener.listen.backlog);
}

void log_end(Server& server) {
  const Counters counters = total(server.counters());
  const std::uint64_t aborted =
      counters.closed[static_cast<std::size_t>(CloseReason::drain_timeout)];
  log(aborted > 0 ? LogLevel::warning : LogLevel::info,
      "drained; connections served: {}, aborted by the drain timeout: {}", counters.accepted,
      aborted);
}

}  // namespace

int serve(const ServeOptions& options, Application& application) {
  SignalRouter signals;
  const DescriptorLimit limit = raise_descriptor_limit();
  ServerOptions server_options = options.server;
  server_options.listener.accept_failed = limited_warning();
  Server server(server_options);
  const Ending ending(server, application);
  std::vector<Endpoint> bound;
  std::string announcement;
  std::shared_ptr<TlsContext> tls;
  for (std::size_t i = 0; i < options.listen.size(); ++i) {
    bound.push_back(bind_one(server, options, application, i, tls));
    announcement += fmt::format("listening {}\n", url_text(options.listen[i].scheme, bound[i]));
  }
  std::unique_ptr<MetricsServer> metrics =
      serve_metrics(server, options, application, announcement);
  announcement += "ready\n" + application.greeting(bound);

  server.start();
  if (metrics != nullptr) metrics->start();
  const SignalRouter::Scope drain_on_signal(signals, [&](Signal) {
    log(LogLevel::info, "draining: connections have {} to end; a second signal ends at once",
        format_duration(options.drain_timeout));
    if (metrics != nullptr) metrics->draining();
    application.draining();
    server.drain(options.drain_timeout);
  });
  const bool has_certificates = tls != nullptr && !options.tls.certificates.empty();
  if (has_certificates || application.can_reload()) {
    signals.on_hangup([&, has_certificates] {
      if (application.can_reload()) application.reload();
      if (has_certificates) reload_certificates(*tls, options.tls);
    });
  }
  log_start(server_options, limit);
  print(announcement);
  {
    const Statistics lines(server, options.stats);
    server.join();
  }
  log_end(server);
  return exit_success;
}

}  // namespace tern::tool
