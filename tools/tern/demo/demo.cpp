// tern demo: an echo server and a chat on loopback that say how to talk to them.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/service/service.hpp"
#include "tern/tls_certificates.hpp"
#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/help.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/commands.hpp"
#include "tools/tern/echo/application.hpp"

namespace tern::tool {
namespace {

constexpr std::string_view demo_examples = R"(Examples:
  tern demo
  tern demo --port 7007

Prints `listening URL` for echo over TCP and UDP, for the chat, and for echo over TLS (with a
certificate made for this run), then `ready`, then how to talk to them.
See `tern echo --help` and `tern chat --help` for servers with all their options.)";

// Where the chat and TLS are in the list of addresses.
constexpr std::size_t chat_position = 2;
constexpr std::size_t tls_position = 3;

std::string instructions(const std::vector<Endpoint>& bound, const std::string& fingerprint) {
  const std::uint16_t tcp = bound.at(0).port();
  const std::uint16_t udp = bound.at(1).port();
  const std::string& tern = program();
  const std::uint16_t chat = bound.at(chat_position).port();
  std::vector<std::array<std::string, 2>> rows{
      {fmt::format("{} connect tcp://127.0.0.1:{}", tern, tcp),
       "type a line, it comes back; exit or Ctrl-D ends"},
      {fmt::format("{} connect udp://127.0.0.1:{}", tern, udp), "the same with datagrams"},
      {fmt::format("nc 127.0.0.1 {}", tcp), "the same with netcat; Ctrl-C ends"},
      {fmt::format("nc -u 127.0.0.1 {}", udp), ""},
      {fmt::format("echo hello | {} connect tcp://127.0.0.1:{}", tern, tcp), "in a pipe"},
      {fmt::format("{} load tcp://127.0.0.1:{} -c 50 -d 5s", tern, tcp), "how fast is it?"},
      {fmt::format("nc 127.0.0.1 {}", chat), "a chat: /join lobby, and talk to yourself from a"},
      {fmt::format("{} connect tcp://127.0.0.1:{}", tern, chat), "second terminal; /help, exit"},
  };
  if (!fingerprint.empty()) {
    rows.push_back({fmt::format("{} connect tls://127.0.0.1:{} --tls-fingerprint {}", tern,
                                bound.at(tls_position).port(), fingerprint),
                    "encrypted echo"});
  }
  std::size_t columns = 0;
  for (const auto& row : rows) columns = std::max(columns, row[0].size());
  std::string text =
      "\nAn echo server and a chat run, for this machine only. Talk to them from another "
      "terminal:\n\n";
  for (const auto& [command, meaning] : rows) {
    std::string line = fmt::format("  {:<{}}   {}", command, columns, meaning);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text + "\nCtrl-C ends the demo.\n";
}

class Demo final : public EchoApplication {
 public:
  // The certificate for TLS is made for this run; without an engine there is no such address.
  explicit Demo(std::uint16_t port) {
    for (const Scheme scheme : {Scheme::tcp, Scheme::udp}) {
      options_.listen.push_back(Url{scheme, "127.0.0.1", port, {}});
    }
    options_.listen.push_back(Url{Scheme::tcp, "127.0.0.1", 0, {}});
    options_.drain_timeout = std::chrono::seconds(2);
    if (tls_engine().empty()) return;
    options_.listen.push_back(Url{Scheme::tls, "127.0.0.1", 0, {}});
    const TlsIdentity identity = make_tls_leaf({.hosts = {"localhost", "127.0.0.1", "::1"}});
    options_.tls.options.identities = {identity};
    // Colons would make the command longer than a line.
    fingerprint_ = tls_fingerprint(identity.certificate_pem);
    std::erase(fingerprint_, ':');
  }

  int run() { return serve(options_, *this); }

 private:
  std::unique_ptr<Protocol> protocol(std::size_t address, Reactor& reactor) override {
    return address == chat_position ? chat_.protocol(reactor, line_door_)
                                    : EchoApplication::protocol(address, reactor);
  }
  std::string greeting(const std::vector<Endpoint>& bound) override {
    return instructions(bound, fingerprint_);
  }
  void draining() override { chat_.drain(); }

  ServeOptions options_;
  std::string fingerprint_;
  const chat::LineDoor line_door_;
  chat::Service chat_{{}};
};

}  // namespace

void add_demo(CLI::App& app, int& exit_code) {
  auto port = std::make_shared<std::uint64_t>(0);
  add_count(app, "-p,--port", *port, "the port, for TCP and UDP alike; 0: any free ones", 0,
            65'535);
  add_log_options(app, LogLevel::warning);
  app.footer(fmt::format("{}\n\n{}\n\n{}", demo_examples,
                         signals_help({{"SIGINT, SIGTERM, SIGHUP", "end the demo; exit code 0"}}),
                         exit_codes_help({{exit_success, "drained"},
                                          {exit_failure, "standard output cannot be written"},
                                          {exit_usage},
                                          {exit_unavailable},
                                          {exit_internal},
                                          {exit_system}})));
  app.callback([port, &exit_code] { exit_code = Demo(static_cast<std::uint16_t>(*port)).run(); });
}

}  // namespace tern::tool
