// Metrics and health of a server, over HTTP on an address of their own.
//
//   GET /metrics   every counter, in the text format of Prometheus, version 0.0.4
//   GET /healthz   200 "ok", or 503 "draining"
//
//   On a thread and a reactor of its own: asking costs the server one posted value a reactor.
//   Bounded: 64 connections at once, requests of 8 KiB, ten seconds for each.
//   THREAD  Construct and destroy with the server's thread; draining(): any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tern/server.hpp"
#include "tern/url.hpp"

namespace tern::tool {

// Metrics as text: names are without `tern_`, and of counters without `_total`.
class MetricsText {
 public:
  void counter(std::string_view name, std::string_view help, std::uint64_t value);
  void gauge(std::string_view name, std::string_view help, double value);
  // The rows of one counter; `label` is its label's name.
  void begin_counter(std::string_view name, std::string_view help);
  void row(std::string_view name, std::string_view label, std::string_view label_value,
           std::uint64_t value);

  const std::string& text() const { return text_; }

 private:
  void head(std::string_view name, std::string_view suffix, std::string_view kind,
            std::string_view help);

  std::string text_;
};

class MetricsServer {
 public:
  // Binds. `more` adds what only this kind of server has; any thread. Throws CommandError.
  MetricsServer(const Url& url, Server& measured, std::function<void(MetricsText&)> more);
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  const Endpoint& endpoint() const { return endpoint_; }
  void start() { server_.start(); }
  void draining() { is_draining_ = true; }

  // The answer to a request of that method for that path.
  std::string answer(std::string_view method, std::string_view path);

 private:
  std::string metrics();

  Server& measured_;
  const std::function<void(MetricsText&)> more_;
  const double start_time_s_;
  std::atomic<bool> is_draining_{false};
  Endpoint endpoint_;
  Server server_;  // last: its thread uses the others
};

}  // namespace tern::tool
