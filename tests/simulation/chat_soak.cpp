// A chat on a rough network: members with scripts of their own, a hub, several reactors, a seed.
//
// The hub keeps all that was said here, so its history is the truth to compare with. Whatever
// happens:
//   - one sender's lines keep their order, and each is said at most once; all of them if it stays
//   - all members of a room hear one order, without a gap, beginning where their replayed history
//     ends, until they leave; who stays hears everything to the last line
//   - nobody hears what it said itself, nor anything of a room that it has left
//   - queued output stays within its limits
//   - at the end nothing is left: no member, no connection, no socket
// A failing seed is printed; TERN_TEST_SEED replays it.
#include <algorithm>
#include <charconv>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "src/chat/doors/lines/command_table.hpp"
#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/service/service.hpp"
#include "src/core/reactor/reactor_core.hpp"
#include "src/support/line_reader.hpp"
#include "tern/connector.hpp"
#include "tern/listener.hpp"
#include "tests/simulation/poller_support.hpp"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

struct Size {
  std::size_t members;
  std::size_t rooms;
  std::size_t steps;
};

// What one member has heard of one room while it was in it.
struct Visit {
  std::string room;
  std::vector<std::string> replayed = {};
  std::vector<std::string> heard = {};
  bool is_over = false;  // it left, or its connection ended
};

struct Client {
  std::size_t number = 0;
  std::size_t life = 0;  // it comes again after its connection has ended
  Connection* connection = nullptr;
  support::LineReader reader{1 << 20};
  std::uint64_t said = 0;      // lines, each with its number
  std::uint64_t unplaced = 0;  // refused: it was in no room, or muted
  std::uint64_t asked = 0;     // other lines that may be refused in the same words
  std::vector<Visit> visits;
  bool is_leaving = false;  // it has said that it goes

  Visit* visit(std::string_view room) {
    const auto it = std::find_if(visits.rbegin(), visits.rend(), [&](const Visit& each) {
      return each.room == room && !each.is_over;
    });
    return it == visits.rend() ? nullptr : &*it;
  }
  std::string tag() const { return "m" + std::to_string(number) + "." + std::to_string(life); }
};

// Looks at passwords late, and finds most of them right.
class LatePasswords final : public chat::Passwords {
 public:
  void check(const std::string&, std::string,
             std::function<void(chat::PasswordResult)> done) override {
    waiting_.push_back(std::move(done));
  }
  void answer(Random& random) {
    if (waiting_.empty()) return;
    waiting_.front()(random.one_in(4)   ? chat::PasswordResult::wrong
                     : random.one_in(8) ? chat::PasswordResult::busy
                                        : chat::PasswordResult::right);
    waiting_.pop_front();
  }
  void clear() { waiting_.clear(); }

 private:
  std::deque<std::function<void(chat::PasswordResult)>> waiting_;
};

class ChatSoak final : public Protocol {
 public:
  ChatSoak(Case& run, const Size& size, Style style)
      : run_(run), size_(size), network_(run.seed(), Faults::rough(), style) {
    chat::ServiceOptions& options = service_options_;
    options.hub.members_max = size.members - size.members / 10;
    options.hub.joins_max = 4;
    options.hub.history_lines_max = SIZE_MAX;
    options.hub.history_bytes_max = SIZE_MAX;
    options.hub.replay_lines_max = 3;
    options.output_soft_bytes = 2000;
    options.output_hard_bytes = 8000;
    options.unapplied_bytes_max = random().one_in(2) ? 1000 : 100'000;
    options.flood = random().one_in(2) ? support::TokenRate{} : support::TokenRate{2ms, 5};
    options.flood_patience = random().one_in(2) ? Duration::zero() : Duration(200ms);
    options.ping_interval = 50ms;
    options.idle_timeout = random().one_in(3) ? Duration(300ms) : Duration::zero();
    options.farewell_timeout = 50ms;
    options.reserved_names = {{"vip0", "vip1", "vip2"}, {"vip1"}};
    options.passwords = &passwords_;
    options.clock = [] { return chat::UnixTime{1'700'000'000}; };
    reactors_ = 1 + random().below(4);
    moderates_ = random().one_in(2);
  }

  // Twice, on the same addresses: the server is restarted in between.
  void play() {
    for (int round = 0; round < 2; ++round) play_once();
    EXPECT_EQUAL(network_.open_sockets(), 0U);
    EXPECT_EQUAL(network_.pending_operations(), 0U);
    EXPECT_NOTE(heard_ > 0, "nobody heard anything: the soak tests nothing");
  }
  std::size_t heard() const { return heard_; }
  std::size_t disconnected() const { return disconnected_; }

 private:
  Random& random() { return run_.random(); }
  void check(bool holds, const std::string& what) {
    if (!holds && problem_.empty()) problem_ = what;
  }

  using Reactors = std::vector<std::unique_ptr<Reactor>>;
  using Listeners = std::vector<std::unique_ptr<Listener>>;

  // Also when a check fails: nothing is posted to a reactor that has been destroyed.
  struct End {
    End(Reactors& ending_servers, Listeners& ending_listeners, LatePasswords& asked)
        : servers(ending_servers), listeners(ending_listeners), passwords(asked) {}
    ~End() {
      passwords.clear();
      listeners.clear();
      std::vector<Reactor*> ending;
      for (const auto& server : servers) ending.push_back(server.get());
      Reactor::Core::end_all(ending);
    }
    Reactors& servers;
    Listeners& listeners;
    LatePasswords& passwords;
  };

  void play_once() {
    chat::Service service(service_options_);
    std::vector<std::unique_ptr<Protocol>> doors;
    Reactor client;
    Reactors servers;
    Listeners listeners;
    const End end(servers, listeners, passwords_);
    ListenerOptions options;
    options.retry_delay = 5ms;
    network_.faults().attach_error = 0;
    for (std::size_t i = 0; i < reactors_; ++i) {
      servers.push_back(std::make_unique<Reactor>());
      doors.push_back(service.protocol(*servers[i], line_door_));
      listeners.push_back(std::make_unique<Listener>(*servers[i],
                                                     loopback(static_cast<std::uint16_t>(7000 + i)),
                                                     *doors[i], limits_, options));
    }
    network_.faults().attach_error = Faults::rough().attach_error;
    client_ = &client;
    servers_ = &servers;
    clients_.clear();
    past_.clear();
    for (std::size_t i = 0; i < size_.members; ++i) {
      clients_.push_back(std::make_unique<Client>());
      clients_.back()->number = i;
    }
    for (std::size_t step = 0; step < size_.steps; ++step) {
      act();
      turn();
    }
    settle();
    check_heard(service.hub());
    // Who was sent away has a time to read why.
    for (int turns = 0; service.hub().members() != service.sessions(); ++turns) {
      EXPECT_NOTE(turns < 1000, "the hub and the reactors do not agree on who is here");
      turn();
    }
    const bool drains = random().one_in(2);
    if (drains) service.drain();
    wind_up(drains);
    EXPECT_EQUAL(service.sessions(), 0U);
    if (!drains) EXPECT_EQUAL(service.hub().members(), 0U);
    for (auto& listener : listeners) listener->close();
    for (int i = 0; i < 10; ++i) turn();
  }

  void turn() {
    if (random().one_in(3)) passwords_.answer(random());
    for (auto& server : *servers_) {
      if (!random().one_in(4)) server->turn(random().one_in(3) ? Duration::zero() : Duration(1ms));
      server->core().connections.for_each([this](const ConnectionImpl& connection) {
        check(connection.bytes_queued() <= service_options_.output_hard_bytes + 200,
              "more output is queued than the limits allow");
      });
    }
    client_->turn(random().one_in(3) ? Duration::zero() : Duration(1ms));
    EXPECT_NOTE(problem_.empty(), problem_);
  }

  // --- what members do

  void act() {
    Client& client = *clients_[random().below(clients_.size())];
    if (client.connection == nullptr) return dial(client);
    if (client.connection->state() != Connection::State::open || client.is_leaving) return;
    const std::string room = "room" + std::to_string(random().below(size_.rooms));
    switch (random().below(40)) {
      case 0:
        return client.connection->pause();  // it stalls
      case 1:
      case 2:
      case 3:
        return client.connection->resume();
      case 4:
      case 5:
      case 6:
      case 7:
        return send(client, "/join " + room + "\r\n");
      case 8:
        return send(client, "/leave " + room + "\n");
      case 9:
        return send(client, "/who " + room + "\n/rooms\n");
      case 10:
        return send(client, "/nick n" + std::to_string(random().below(size_.members)) + "\n");
      case 11:
        return send(client, "/msg n" + std::to_string(random().below(size_.members)) + " psst\n");
      case 12:
        ++client.asked;
        return send(client, "/join " + room + "\n/topic about it\n/nonsense\n\xff\n\n");
      case 13:
        if (random().one_in(3)) return leave(client);
        return send(client, std::string(5000, 'x') + "\n");
      case 14:
        return send(client, "/nick vip" + std::to_string(random().below(3)) + " sesame\n");
      case 15:
      case 16:
      case 17:
      case 18:
      case 19:
        if (!moderates_) return say(client);
        ++client.asked;
        return send(client, any_command());
      default:
        return say(client);
    }
  }

  // Any but what says something, replays what was said, or ends it all: those are counted.
  // Mostly refused: only who was first in the room may moderate it.
  std::string any_command() {
    using Kind = chat::Command::Kind;
    const chat::CommandRow& row = chat::command_rows[random().below(chat::command_rows.size())];
    if (row.kind == Kind::emote || row.kind == Kind::history || row.kind == Kind::quit) {
      return any_command();
    }
    const bool is_of_room = row.form.find("ROOM") != std::string_view::npos;
    return "/" + std::string(row.name) + (is_of_room ? " room" : " n") +
           std::to_string(random().below(is_of_room ? size_.rooms : size_.members)) + "\n";
  }

  void leave(Client& client) {
    client.is_leaving = true;
    switch (random().below(4)) {
      case 0:
        return client.connection->abort();
      case 1:
        return client.connection->finish();
      case 2:
        return client.connection->close();
      default:
        return send(client, random().one_in(2) ? "/quit\n" : "exit\n");
    }
  }

  void say(Client& client) {
    std::string text;
    for (std::size_t i = 1 + random().below(6); i > 0; --i) {
      text += random().one_in(8) ? "/me " : "";
      text += client.tag() + "." + std::to_string(++client.said) + "\n";
    }
    send(client, text);
  }

  void send(Client& client, const std::string& text) {
    if (random().one_in(3)) {
      const std::size_t cut = random().below(text.size());
      client.connection->send(std::string_view(text).substr(0, cut));
      if (random().one_in(2)) turn();
      if (client.connection != nullptr) {
        client.connection->send(std::string_view(text).substr(cut));
      }
      return;
    }
    client.connection->send(text);
  }

  void dial(Client& client) {
    if (client.life > 0) {
      past_.push_back(std::make_unique<Client>());
      std::swap(*past_.back(), client);
      client.number = past_.back()->number;
      client.life = past_.back()->life;
    }
    ++client.life;
    ConnectOptions options;
    options.deadline = 1s;
    const auto port = static_cast<std::uint16_t>(7000 + random().below(reactors_));
    client.connection = &Connector(*client_, *this, limits_, options).connect(loopback(port));
    client.connection->user_data = &client;
  }

  // --- what members hear

  void received(Connection& connection, std::span<const std::byte> bytes) override {
    Client& client = *static_cast<Client*>(connection.user_data);
    client.reader.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    std::string_view line;
    while (client.reader.next(line) == support::LineReader::Got::line) hear(client, line);
  }

  void closed(Connection& connection, CloseReason, const std::error_code&) override {
    Client& client = *static_cast<Client*>(connection.user_data);
    client.connection = nullptr;
    for (Visit& visit : client.visits) visit.is_over = true;
  }

  void hear(Client& client, std::string_view line) {
    if (line.starts_with('[')) return hear_room(client, line);
    if (line.starts_with("-- you are in ")) {
      line.remove_prefix(14);
      check(client.visit(line.substr(0, line.find_first_of(" ,"))) == nullptr, "joined twice");
      client.visits.push_back({.room = std::string(line.substr(0, line.find_first_of(" ,")))});
    } else if (line.starts_with("-- you left ")) {
      line.remove_prefix(12);
      Visit* visit = client.visit(line.substr(0, line.find(';')));
      check(visit != nullptr, "left a room that it was not in");
      if (visit != nullptr) visit->is_over = true;
    } else if (line.find("goodbye") != std::string_view::npos ||
               line.find("the server is full") != std::string_view::npos) {
      client.is_leaving = true;  // or has to
      disconnected_ += line != "-- goodbye";
    } else if (line.starts_with("!! you are in no room") || line.starts_with("!! you are muted")) {
      ++client.unplaced;
    } else {
      check(line.starts_with("-- ") || line.starts_with("!! ") || line.starts_with("(private) "),
            "a line of no kind: " + std::string(line));
    }
  }

  // "[room] name: text", "[room] * name text", "[room] -- ...", "[room TIME] ..."
  void hear_room(Client& client, std::string_view line) {
    const std::string_view where = line.substr(1, line.find(']') - 1);
    const std::string_view room = where.substr(0, where.find(' '));
    const std::string_view what = line.substr(where.size() + 3);
    Visit* visit = client.visit(room);
    check(visit != nullptr, "it hears of a room that it is not in: " + std::string(line));
    if (visit == nullptr || what.starts_with("-- ")) return;
    const std::string text(line.substr(line.rfind(' ') + 1));
    if (room != where) return visit->replayed.push_back(text);
    check(!text.starts_with(client.tag() + "."), "it hears itself");
    visit->heard.push_back(text);
    ++heard_;
  }

  // --- the truth

  void check_heard(const chat::Hub& hub) {
    std::map<std::string, std::size_t> placed;  // lines of each sender
    std::map<std::string, std::uint64_t> last;
    std::map<std::string, std::map<std::string, std::size_t>> positions;
    for (std::size_t i = 0; i < size_.rooms; ++i) {
      const std::string room = "room" + std::to_string(i);
      const auto* history = hub.history(room);
      for (std::size_t at = 0; history != nullptr && at < history->size(); ++at) {
        const std::string& text = (*history)[at].text;
        EXPECT_NOTE(positions[room].emplace(text, at).second, "said twice: " + text);
        ++placed[text.substr(0, text.rfind('.'))];
        check_order(room, text, last);
      }
    }
    for (const auto& client : clients_) {
      check_visits(hub, *client, positions);
      if (client->connection == nullptr || client->is_leaving) continue;
      const std::size_t answered = placed[client->tag()] + client->unplaced;
      const std::size_t ambiguous = moderates_ ? client->asked : 0;
      EXPECT_NOTE(answered >= client->said && answered <= client->said + ambiguous,
                  client->tag() + " said " + std::to_string(client->said) + ", of that placed " +
                      std::to_string(placed[client->tag()]) + " and refused " +
                      std::to_string(client->unplaced));
    }
    for (const auto& client : past_) check_visits(hub, *client, positions);
  }

  static void check_order(const std::string& room, const std::string& text,
                          std::map<std::string, std::uint64_t>& last) {
    const std::size_t dot = text.rfind('.');
    std::uint64_t number = 0;
    std::from_chars(text.data() + dot + 1, text.data() + text.size(), number);
    std::uint64_t& before = last[room + " " + text.substr(0, dot)];
    EXPECT_NOTE(number > before, "out of order: " + text);
    before = number;
  }

  template <class Positions>
  static void check_visits(const chat::Hub& hub, const Client& client, const Positions& positions) {
    for (const Visit& visit : client.visits) {
      const auto* history = hub.history(visit.room);
      const auto room = positions.find(visit.room);
      const auto position = [&](const std::string& text) {
        const auto it = room->second.find(text);
        EXPECT_NOTE(it != room->second.end(), "heard what was never said: " + text);
        return it->second;
      };
      std::size_t next = 0;
      bool is_first = true;
      for (const std::string& text : visit.replayed) {
        EXPECT_NOTE(is_first || position(text) == next, "a gap in what was replayed: " + text);
        next = position(text) + 1;
        is_first = false;
      }
      const auto skip_own = [&] {
        while (next < history->size() && (*history)[next].text.starts_with(client.tag() + ".")) {
          ++next;
        }
      };
      for (const std::string& text : visit.heard) {
        skip_own();
        EXPECT_NOTE(position(text) == next, client.tag() + " heard in " + visit.room + " line " +
                                                std::to_string(position(text)) + " and not " +
                                                std::to_string(next));
        ++next;
      }
      if (visit.is_over || client.is_leaving || history == nullptr) continue;
      skip_own();
      EXPECT_NOTE(next == history->size(), client.tag() + " has stayed and missed a line");
    }
  }

  // --- the end

  // Nobody says anything more: all that was said arrives.
  void settle() {
    for (int quiet = 0, turns = 0; quiet < 1000; ++turns) {
      EXPECT_NOTE(turns < 100'000, "it does not come to rest");
      for (auto& client : clients_) {
        if (client->connection != nullptr) client->connection->resume();
      }
      const std::size_t before = heard_;
      const Time then = network_.now();
      for (int i = 0; i < 4; ++i) turn();
      const bool waits = std::any_of(clients_.begin(), clients_.end(), [](const auto& client) {
        return client->connection != nullptr && client->connection->queued_bytes() > 0;
      });
      // Lines may wait for their token.
      quiet = heard_ == before && !waits && network_.now() > then ? quiet + 1 : 0;
    }
  }

  void wind_up(bool drains) {
    const auto alive = [this] {
      std::size_t count = client_->counters().open_connections;
      for (const auto& server : *servers_) count += server->counters().open_connections;
      return count;
    };
    for (int turns = 0; alive() > 0; ++turns) {
      EXPECT_NOTE(turns < 100'000, "not everything closes");
      for (auto& client : clients_) {
        if (client->connection == nullptr) continue;
        client->connection->resume();
        if (drains) continue;
        client->is_leaving = true;
        client->connection->finish();
      }
      turn();
    }
  }

  Case& run_;
  const Size size_;
  Network network_;
  Limits limits_;
  chat::ServiceOptions service_options_;
  std::size_t reactors_ = 1;
  const chat::LineDoor line_door_;
  LatePasswords passwords_;
  bool moderates_ = false;  // members kick, ban and mute each other
  Reactor* client_ = nullptr;
  Reactors* servers_ = nullptr;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Client>> past_;
  std::string problem_;
  std::size_t heard_ = 0;
  std::size_t disconnected_ = 0;
};

}  // namespace

TEST_CASE("soak of a chat") {
  for (const Style style : {Style::readiness, Style::completion}) {
    std::size_t heard = 0;
    std::size_t disconnected = 0;
    const auto body = [&](Case& run) {
      ChatSoak soak(run, {20, 5, 800}, style);
      soak.play();
      heard += soak.heard();
      disconnected += soak.disconnected();
    };
    for (std::size_t round = 0; round < Case::scaled(40); ++round) {
      run_simulated("chat_soak", body, test_seed() + round);
    }
    CHECK(heard > 1000);
    CHECK(disconnected > 0);
  }
}

TEST_CASE("soak of a chat with a thousand members in fifty rooms") {
  const auto body = [](Case& run) {
    ChatSoak soak(run, {1000, 50, 10'000}, Style::any);
    soak.play();
  };
  run_simulated("chat_soak_of_1000", body);
}

}  // namespace tern::test
