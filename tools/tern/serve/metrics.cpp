#include "tools/tern/serve/metrics.hpp"

#include <fmt/core.h>

#include <chrono>
#include <memory>

#include "src/support/http_exchange.hpp"
#include "tern/timer.hpp"
#include "tern/version.hpp"
#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/serve/statistics.hpp"

namespace tern::tool {
namespace {

constexpr std::size_t connections_max = 64;
constexpr Duration request_deadline = std::chrono::seconds(10);

// One request, and one answer to it.
class HttpHandler final : public Protocol {
 public:
  explicit HttpHandler(MetricsServer& metrics) : metrics_(metrics) {}

 private:
  struct Exchange {
    explicit Exchange(Connection& connection) : deadline([&connection] { connection.abort(); }) {
      deadline.arm_after(connection.reactor(), request_deadline);
    }
    support::HttpRequest request;
    CallbackTimer deadline;
    bool is_answered = false;
  };

  static Exchange* exchange_of(const Connection& connection) {
    return static_cast<Exchange*>(connection.user_data);
  }

  void opened(Connection& connection) override {
    connection.user_data = std::make_unique<Exchange>(connection).release();
  }

  void received(Connection& connection, std::span<const std::byte> bytes) override {
    Exchange& exchange = *exchange_of(connection);
    if (exchange.is_answered) return;
    using Got = support::HttpRequest::Got;
    const Got got =
        exchange.request.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (got == Got::more) return;
    exchange.is_answered = true;
    const std::string problem = fmt::format("error {}\n", exchange.request.status());
    connection.send(got == Got::request
                        ? metrics_.answer(exchange.request.method(), exchange.request.path())
                        : support::http_response(exchange.request.status(), "text/plain", problem));
    connection.close();
  }

  void closed(Connection& connection, CloseReason, const std::error_code&) override {
    const std::unique_ptr<Exchange> exchange(exchange_of(connection));
    connection.user_data = nullptr;
  }

  MetricsServer& metrics_;
};

ServerOptions server_options() {
  ServerOptions options;
  options.listener.connections_max = connections_max;
  return options;
}

double seconds_since_1970() {
  using namespace std::chrono;
  return duration<double>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

// --- text ---

void MetricsText::head(std::string_view name, std::string_view suffix, std::string_view kind,
                       std::string_view help) {
  text_ +=
      fmt::format("# HELP tern_{0}{1} {2}\n# TYPE tern_{0}{1} {3}\n", name, suffix, help, kind);
}

void MetricsText::counter(std::string_view name, std::string_view help, std::uint64_t value) {
  head(name, "_total", "counter", help);
  text_ += fmt::format("tern_{}_total {}\n", name, value);
}

void MetricsText::gauge(std::string_view name, std::string_view help, double value) {
  head(name, "", "gauge", help);
  text_ += fmt::format("tern_{} {}\n", name, value);
}

void MetricsText::begin_counter(std::string_view name, std::string_view help) {
  head(name, "_total", "counter", help);
}

void MetricsText::row(std::string_view name, std::string_view label, std::string_view label_value,
                      std::uint64_t value) {
  text_ += fmt::format("tern_{}_total{{{}=\"{}\"}} {}\n", name, label, label_value, value);
}

// --- server ---

MetricsServer::MetricsServer(const Url& url, Server& measured,
                             std::function<void(MetricsText&)> more)
    : measured_(measured),
      more_(std::move(more)),
      start_time_s_(seconds_since_1970()),
      server_(server_options()) {
  try {
    endpoint_ = server_.listen(resolve_url(url).front(),
                               [this](Reactor&) { return std::make_unique<HttpHandler>(*this); });
  } catch (const std::system_error& error) {
    throw unavailable(error);
  }
}

std::string MetricsServer::answer(std::string_view method, std::string_view path) {
  const bool has_body = method != "HEAD";
  const char* plain = "text/plain; charset=utf-8";
  if (method != "GET" && method != "HEAD") {
    return support::http_response(405, plain, "write GET or HEAD\n");
  }
  if (path == "/metrics") {
    return support::http_response(200, "text/plain; version=0.0.4; charset=utf-8", metrics(),
                                  has_body);
  }
  if (path != "/healthz") {
    return support::http_response(404, plain, "there are /metrics and /healthz\n", has_body);
  }
  return is_draining_ ? support::http_response(503, plain, "draining\n", has_body)
                      : support::http_response(200, plain, "ok\n", has_body);
}

std::string MetricsServer::metrics() {
  MetricsText text;
  const Counters counters = total(measured_.counters());
  text.gauge("start_time_seconds", "when the server was started, since 1970", start_time_s_);
  for (const CounterInfo& row : counter_table) {
    const std::uint64_t value = counters.*row.member;
    if (row.kind == CounterKind::gauge) {
      text.gauge(row.name, row.meaning, static_cast<double>(value));
    } else {
      text.counter(row.name, row.meaning, value);
    }
  }
  text.begin_counter("closed", "connections that have ended, by the reason");
  for (std::size_t i = 0; i < close_reason_count; ++i) {
    text.row("closed", "reason", to_string(static_cast<CloseReason>(i)), counters.closed[i]);
  }
  if (more_) more_(text);
  return text.text();
}

}  // namespace tern::tool
