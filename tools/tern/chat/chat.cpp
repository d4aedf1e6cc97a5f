// tern chat: rooms, nicknames and presence, for everybody who can send a line.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/service/password_checker.hpp"
#include "src/chat/service/service.hpp"
#include "src/chat/store/journal_file.hpp"
#include "tools/tern/chat/options.hpp"
#include "tools/tern/chat/reserved_names.hpp"
#include "tools/tern/cli/configuration.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/commands.hpp"
#include "tools/tern/serve/metrics.hpp"

namespace tern::tool {
namespace {

constexpr std::string_view chat_examples = R"(Examples:
  tern chat                                             TCP on 127.0.0.1:7070
  nc 127.0.0.1 7070                                     a client; telnet and tern connect do, too
  tern chat --listen tcp://[::]:7070 --listen tls://[::]:7443 \
    --tls-cert certs/cert.pem --tls-key certs/key.pem
  tern chat --max-members 5k --history 100 --flood 10,50 --data /var/lib/tern-chat
  tern chat --config chat.toml --check-config           is it right?

Members write lines: /join ROOM, then what they say; /help lists the commands. See docs/chat.md.)";

constexpr std::string_view drain =
    "drain: members are told and disconnected; what they have not read after --drain-timeout is "
    "lost; "
    "exit code 0";
constexpr std::string_view hangup =
    "reads --config, --reserved, --operators, certificates and keys again: nobody is disconnected, "
    "and a bad file changes nothing; what needs a restart is said; with nothing to read it drains, "
    "too";

void add_metrics(const chat::Service& service, MetricsText& text) {
  const chat::ServiceCounters counters = service.counters();
  const auto gauge = [&text](const char* name, const char* help, std::uint64_t value) {
    text.gauge(name, help, static_cast<double>(value));
  };
  gauge("chat_members", "members now here", counters.members);
  gauge("chat_rooms", "rooms that are kept, with members or without", counters.rooms);
  gauge("chat_history_bytes", "text of history in memory", counters.history_bytes);
  text.counter("chat_commands", "lines of members that were carried out", counters.commands);
  text.counter("chat_messages", "lines said in rooms", counters.messages);
  text.counter("chat_deliveries", "what happened in rooms, told to one member each",
               counters.deliveries);
  text.begin_counter("chat_gone", "members that have gone, by the reason");
  for (const chat::PartReasonRow& row : chat::part_reasons) {
    if (row.reason == chat::PartReason::room) continue;  // and still in the chat
    text.row("chat_gone", "reason", row.name, counters.gone[static_cast<std::size_t>(row.reason)]);
  }
}

std::unique_ptr<chat::JournalFile> open_journal(const chat::JournalFileOptions& options) {
  try {
    return std::make_unique<chat::JournalFile>(options);
  } catch (const std::system_error& error) {
    const bool is_in_use = error.code() == std::errc::device_or_resource_busy;
    throw CommandError(
        exit_configuration,
        fmt::format("--data {}: {}", options.directory,
                    is_in_use
                        ? "another server uses it; give each a directory of its own"
                        : describe(error.code()) + "; give a directory that can be written to"));
  }
}

void load_journal(chat::JournalFile& journal, chat::Service& service) {
  try {
    journal.load([&service](const std::string& room, chat::Message message) {
      service.restore(room, std::move(message));
    });
  } catch (const std::system_error&) {
    throw;  // there was no thread to be had, which is not the file's fault
  } catch (const std::runtime_error& error) {
    throw CommandError(exit_configuration, error.what());
  }
}

// A chat server and what its options are now.
class Chat final : public Application {
 public:
  explicit Chat(CLI::App& app, ChatOptions& options)
      : options_(options), given_(said_options(app)) {
    read(app, options_);
    options_.service.passwords = &passwords_;
    said_ = said_options(app);
  }

  int run() {
    if (options_.checks) return check();
    if (!options_.journal.directory.empty()) {
      journal_ = open_journal(options_.journal);
      options_.service.journal = journal_.get();
    }
    service_.emplace(options_.service);
    return serve(options_.settings.serve, *this);
  }

 private:
  // The files that are named by what was given. Throws CommandError; the passwords are as before.
  void read(CLI::App& app, ChatOptions& options) {
    if (!options.config.empty()) apply_configuration(app, options.config);
    settle(options);
    ChatNames names =
        read_chat_names(options.reserved, options.operators, options.service.hub.name_bytes_max);
    passwords_.set_hashes(std::move(names.hashes));
    options.service.reserved_names = std::move(names.reserved_names);
  }

  int check() {
    const auto& listen = options_.settings.serve.listen;
    const auto is_tls = [](const Url& url) { return url.scheme == Scheme::tls; };
    if (std::any_of(listen.begin(), listen.end(), is_tls)) make_tls(options_.settings.serve.tls);
    print("OK\n");
    return exit_success;
  }

  std::unique_ptr<Protocol> protocol(std::size_t, Reactor& reactor) override {
    auto protocol = service_->protocol(reactor, line_door_);
    if (journal_ != nullptr && !std::exchange(is_loaded_, true)) {  // before anybody comes
      load_journal(*journal_, *service_);
    }
    return protocol;
  }

  void add_metrics(MetricsText& text) const override { tool::add_metrics(*service_, text); }

  bool can_reload() const override {
    return !options_.config.empty() || !options_.reserved.empty();
  }

  void reload() override {
    try {
      CLI::App app;
      ChatOptions options;
      add_chat_options(app, options);
      apply_given(app, given_);
      read(app, options);
      report_kept(said_options(app));
      service_->reconfigure(options.service,
                            [] { log(LogLevel::info, "configuration and names read again"); });
    } catch (const CommandError& error) {
      log(LogLevel::error, "configuration not read again, the old one stays: {}", error.what());
    }
  }

  void draining() override { service_->drain(); }

  void ended() override { passwords_.stop(); }

  void report_kept(const OptionTexts& said) const {
    std::set<std::string> kept;
    const auto compare = [&](const OptionTexts& left, const OptionTexts& right) {
      for (const auto& [name, texts] : left) {
        const auto other = right.find(name);
        const bool is_same = other != right.end() && other->second == texts;
        if (!is_same && !options_.reloadable.contains(name)) kept.insert(name);
      }
    };
    compare(said, said_);
    compare(said_, said);
    if (kept.empty()) return;
    log(LogLevel::warning, "these need a restart, and stay as they were: {}",
        fmt::join(kept, ", "));
  }

  ChatOptions& options_;
  const OptionTexts given_;  // on the command line and in the environment
  OptionTexts said_;         // and in the file, at the start
  const chat::LineDoor line_door_;
  chat::PasswordChecker passwords_;
  std::unique_ptr<chat::JournalFile> journal_;
  std::optional<chat::Service> service_;
  bool is_loaded_ = false;
};

}  // namespace

void add_chat(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ChatOptions>();
  add_chat_options(app, *options);
  app.footer(server_help(chat_examples, drain, hangup));
  app.callback([options, &app, &exit_code] {
    if (!options->reserve.empty()) {
      return reserve_chat_name(options->reserve, options->service.hub.name_bytes_max);
    }
    exit_code = Chat(app, *options).run();
  });
}

}  // namespace tern::tool
