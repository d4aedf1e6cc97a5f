// tern demo: an echo server on loopback that says how to talk to it.
#include <memory>

#include "src/protocols/echo.hpp"
#include "tools/address.hpp"
#include "tools/commands.hpp"
#include "tools/common.hpp"
#include "tools/serve.hpp"

namespace tern::tool {
namespace {

constexpr std::string_view description = R"(Examples:
  tern demo
  tern demo --port 7007

Prints `listening URL` for TCP and for UDP, then `ready`, then how to talk to them.
Ctrl-C or SIGTERM ends it, exit code 0. See `tern echo --help` for a server with all its options.)";

std::string instructions(const std::vector<Endpoint>& bound) {
  const std::uint16_t tcp = bound.at(0).port();
  const std::uint16_t udp = bound.at(1).port();
  constexpr std::string_view text = R"(
An echo server runs on this machine only. Talk to it from another terminal:

  {program} connect tcp://127.0.0.1:{tcp}      type a line, it comes back; exit or Ctrl-D ends
  {program} connect udp://127.0.0.1:{udp}      the same with datagrams
  nc 127.0.0.1 {tcp}                     the same with netcat
  nc -u 127.0.0.1 {udp}
  printf 'hello\n' | {program} connect tcp://127.0.0.1:{tcp}
  {program} load tcp://127.0.0.1:{tcp} -c 50 -d 5s    how fast is it?

Ctrl-C ends the demo.
)";
  return fmt::format(text, fmt::arg("program", program()), fmt::arg("tcp", tcp),
                     fmt::arg("udp", udp));
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
    options.greeting = instructions;
    exit_code = serve(options);
  });
}

}  // namespace tern::tool
