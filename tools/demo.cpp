// tern demo: an echo server on loopback that says how to talk to it.
#include <algorithm>
#include <array>
#include <memory>

#include "src/protocols/echo.hpp"
#include "tern/tls_certificates.hpp"
#include "tools/address.hpp"
#include "tools/commands.hpp"
#include "tools/common.hpp"
#include "tools/serve.hpp"

namespace tern::tool {
namespace {

constexpr std::string_view description = R"(Examples:
  tern demo
  tern demo --port 7007

Prints `listening URL` for TCP, UDP and TLS (with a certificate made for this run), then `ready`,
then how to talk to them.
Ctrl-C or SIGTERM ends it, exit code 0. See `tern echo --help` for a server with all its options.)";

std::string instructions(const std::vector<Endpoint>& bound, const std::string& fingerprint) {
  const std::uint16_t tcp = bound.at(0).port();
  const std::uint16_t udp = bound.at(1).port();
  const std::string& tern = program();
  const std::array<std::array<std::string, 2>, 7> rows{{
      {fmt::format("{} connect tcp://127.0.0.1:{}", tern, tcp),
       "type a line, it comes back; exit or Ctrl-D ends"},
      {fmt::format("{} connect udp://127.0.0.1:{}", tern, udp), "the same with datagrams"},
      {fmt::format("nc 127.0.0.1 {}", tcp), "the same with netcat; Ctrl-C ends"},
      {fmt::format("nc -u 127.0.0.1 {}", udp), ""},
      {fmt::format("echo hello | {} connect tcp://127.0.0.1:{}", tern, tcp), "in a pipe"},
      {fmt::format("{} connect tls://127.0.0.1:{} --tls-fingerprint {}", tern, bound.at(2).port(),
                   fingerprint),
       "encrypted"},
      {fmt::format("{} load tcp://127.0.0.1:{} -c 50 -d 5s", tern, tcp), "how fast is it?"},
  }};
  std::size_t columns = 0;
  for (const auto& row : rows) columns = std::max(columns, row[0].size());
  std::string text =
      "\nAn echo server runs, for this machine only. Talk to it from another terminal:\n\n";
  for (const auto& [command, meaning] : rows) {
    std::string line = fmt::format("  {:<{}}   {}", command, columns, meaning);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text + "\nCtrl-C ends the demo.\n";
}

}  // namespace

void add_demo(CLI::App& app, int& exit_code) {
  auto port = std::make_shared<std::uint64_t>(0);
  add_count(app, "-p,--port", *port, "the port, for TCP and UDP alike; 0: any free ones", 0,
            65'535);
  add_log_options(app, LogLevel::warning);
  app.footer(std::string(description));
  app.callback([port, &exit_code] {
    ServeOptions options;
    for (const Scheme scheme : {Scheme::tcp, Scheme::udp}) {
      options.listen.push_back(Url{scheme, "127.0.0.1", static_cast<std::uint16_t>(*port), {}});
    }
    options.drain_timeout = std::chrono::seconds(2);
    options.protocol = [](Reactor&) { return std::make_unique<protocols::Echo>(); };
    options.datagram_protocol = [](Reactor&) {
      return std::make_unique<protocols::DatagramEcho>();
    };
    if (tls_engine().empty()) {
      options.greeting = [](const auto& bound) { return instructions(bound, {}); };
    } else {
      options.listen.push_back(Url{Scheme::tls, "127.0.0.1", 0, {}});
      TlsServerOptions tls;
      tls.identities = {make_tls_leaf({.hosts = {"localhost", "127.0.0.1", "::1"}})};
      // Colons would make the command longer than a line.
      std::string fingerprint = tls_fingerprint(tls.identities.front().certificate_pem);
      std::erase(fingerprint, ':');
      options.tls = [tls] { return make_tls_server(tls); };
      options.greeting = [fingerprint](const auto& bound) {
        return instructions(bound, fingerprint);
      };
    }
    exit_code = serve(options);
  });
}

}  // namespace tern::tool
