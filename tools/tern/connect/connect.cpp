// tern connect: a line client in the manner of netcat.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <memory>

#include "backends/system/console.hpp"
#include "tools/tern/cli/address.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/help.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/signal_router.hpp"
#include "tools/tern/commands.hpp"
#include "tools/tern/connect/session.hpp"

namespace tern::tool {
namespace {

constexpr std::string_view manual = R"(Examples:
  tern connect tcp://127.0.0.1:7007
  printf 'hello\n' | tern connect tcp://127.0.0.1:7007
  tern connect --quit '' unix:/run/tern.sock < some.file > its.echo
  printf 'one\ntwo\n' | tern connect udp://127.0.0.1:7007
  tern connect tls://echo.example:7443 --tls-ca certs/ca.pem

What standard input gives is sent as it comes; what the peer sends goes to standard output, and
nothing else does. At the end of the input (Ctrl-D) our half of the connection is closed and what
still comes is printed, until the peer ends. When the peer ends first, the session is over.
A line equal to the quit word ends the session: it is not sent, and what still comes is printed
until the peer ends or is silent for --wait. For a file that may hold such a line, use --quit ''.
At a terminal lines can be edited, and what comes does not tear the one being typed.
Over UDP each line is one datagram, with its line feed; --wait after the last answer it is over.)";

void read_quit_word(const std::string& text, ConnectSettings& settings) {
  if (text.find_first_of("\r\n") != std::string::npos) {
    throw CLI::ValidationError("--quit",
                               "the word has a line break; write one line, or '' for none");
  }
  settings.quit_word = text;
}

int run_connect(const ConnectSettings& settings) {
  SignalRouter signals;
  Reactor reactor;
  const std::unique_ptr<ConnectSession> session = settings.url.scheme == Scheme::udp
                                                      ? make_datagram_session(reactor, settings)
                                                      : make_stream_session(reactor, settings);
  session->start();
  {
    const SignalRouter::Scope end_on_signal(signals, [&](Signal) {
      session->interrupt_output();
      reactor.post([&] { session->interrupted(); });
    });
    reactor.run();
  }
  session->finish();
  return exit_success;
}

}  // namespace

void add_connect(CLI::App& app, int& exit_code) {
  auto settings = std::make_shared<ConnectSettings>();
  app.add_option_function<std::string>(
         "url",
         [settings](const std::string& text) { settings->url = read_remote_url("url", text); },
         "tcp://, tls:// or udp://HOST:PORT, unix:/PATH or unix:@NAME")
      ->type_name("URL")
      ->required();
  add_text(app, "--quit", "WORD", settings->quit_word,
           "a line equal to this ends the session; empty: none does",
           [settings](const std::string& text) { read_quit_word(text, *settings); });
  add_duration(app, "--connect-timeout", settings->connect_timeout,
               "give up when the connection is not there by then, name lookup included",
               std::chrono::milliseconds(1));
  add_duration(app, "--wait", settings->wait,
               "silence that ends the session after the quit word, and over UDP after the input");
  add_tls_client_options(app, settings->tls);
  // At a terminal the user wants to know that the connection stands; in a pipe it would be noise.
  add_log_options(app, is_terminal(system::Stream::input) ? LogLevel::info : LogLevel::warning);
  app.footer(fmt::format(
      "{}\n\n{}\n\n{}", manual,
      signals_help({{"SIGINT, SIGTERM, SIGHUP", "end the session; exit code 0"}}),
      exit_codes_help({{exit_success, "the session has ended"},
                       {exit_failure, "the connection broke, or standard input or output failed"},
                       {exit_usage},
                       {exit_unavailable},
                       {exit_internal},
                       {exit_system},
                       {exit_configuration}})));
  app.callback([settings, &exit_code] { exit_code = run_connect(*settings); });
}

}  // namespace tern::tool
