// Two doors of one chat on two reactors: rooms do not know them apart, each member reads what its
// own door writes, and a door writes once what is broadcast, for everybody who came through it.
#include <array>
#include <cctype>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/service/service.hpp"
#include "src/core/reactor/reactor_core.hpp"
#include "tern/connector.hpp"
#include "tern/listener.hpp"
#include "tests/simulation/poller_support.hpp"

namespace tern::test {
namespace {

using namespace std::chrono_literals;

// Writes as the line door does, or all of it in capitals, and counts.
class CountingDoor final : public chat::Door {
 public:
  explicit CountingDoor(bool shouts) : shouts_(shouts) {}

  std::unique_ptr<chat::DoorReader> make_reader() const override { return lines_.make_reader(); }
  void write(const chat::Event& event, std::string& out) const override {
    ++written;
    std::string text;
    lines_.write(event, text);
    out += spoken(text);
  }
  void write_notice(chat::Notice notice, std::string& out) const override {
    std::string text;
    lines_.write_notice(notice, text);
    out += spoken(text);
  }
  void write_farewell(chat::PartReason reason, std::string& out) const override {
    std::string text;
    lines_.write_farewell(reason, text);
    out += spoken(text);
  }
  std::string spoken(std::string text) const {
    if (!shouts_) return text;
    for (char& letter : text) letter = static_cast<char>(std::toupper(letter));
    return text;
  }

  mutable std::size_t written = 0;  // events

 private:
  const bool shouts_;
  chat::LineDoor lines_;
};

struct Guest {
  const CountingDoor* door = nullptr;
  Connection* connection = nullptr;
  std::string heard = {};

  // Since the last look.
  std::string take() { return std::exchange(heard, {}); }
};

// Two guests at each door of each reactor, all of them in the lobby.
class TwoDoors final : public Protocol {
 public:
  explicit TwoDoors(Style style) : network_(test_seed(), Faults::none(), style) {
    for (std::size_t i = 0; i < reactors_.size(); ++i) {
      for (std::size_t j = 0; j < doors.size(); ++j) {
        const Endpoint endpoint = loopback(static_cast<std::uint16_t>(7000 + 10 * i + j));
        protocols_.push_back(service_.protocol(*reactors_[i], doors[j]));
        listeners_.push_back(std::make_unique<Listener>(*reactors_[i], endpoint, *protocols_.back(),
                                                        limits_, ListenerOptions{}));
        for (int k = 0; k < 2; ++k) arrive(endpoint, doors[j]);
      }
    }
    settle();
    for (const auto& guest : guests) guest->connection->send("/join lobby\n");
    settle();
    for (const auto& guest : guests) guest->take();
    for (const CountingDoor& door : doors) door.written = 0;
  }
  ~TwoDoors() {
    listeners_.clear();
    const std::array<Reactor*, 2> ending{reactors_[0].get(), reactors_[1].get()};
    Reactor::Core::end_all(ending);
  }

  void settle() {
    for (int i = 0; i < 50; ++i) {
      for (const auto& reactor : reactors_) reactor->turn(1ms);
      client_.turn(1ms);
    }
  }
  void say(const Guest& guest, const std::string& line) {
    guest.connection->send(line + "\n");
    settle();
  }

  void drain() {
    service_.drain();
    settle();
  }

  std::array<CountingDoor, 2> doors{CountingDoor(false), CountingDoor(true)};
  std::vector<std::unique_ptr<Guest>> guests;

 private:
  void arrive(const Endpoint& endpoint, const CountingDoor& door) {
    guests.push_back(std::make_unique<Guest>(Guest{&door}));
    Guest& guest = *guests.back();
    guest.connection = &Connector(client_, *this, limits_, ConnectOptions{}).connect(endpoint);
    guest.connection->user_data = &guest;
  }
  void received(Connection& connection, std::span<const std::byte> bytes) override {
    static_cast<Guest*>(connection.user_data)
        ->heard.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  const Limits limits_;  // outlives whoever is given it
  Network network_;
  chat::Service service_{{}};
  std::vector<std::unique_ptr<Protocol>> protocols_;
  Reactor client_;
  std::array<std::unique_ptr<Reactor>, 2> reactors_{std::make_unique<Reactor>(),
                                                    std::make_unique<Reactor>()};
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace

TEST_CASE("chat doors: what is said is written once a door, for all who came through it") {
  for (const Style style : {Style::readiness, Style::completion}) {
    TwoDoors chat(style);
    int named = 0;
    for (const auto& sender : chat.guests) {
      const std::string name = "n" + std::to_string(++named);
      chat.say(*sender, "/nick " + name);
      for (const auto& guest : chat.guests) guest->take();
      for (const CountingDoor& door : chat.doors) door.written = 0;
      chat.say(*sender, "hello");
      for (const auto& guest : chat.guests) {
        const std::string text = guest == sender ? "" : "[lobby] " + name + ": hello\n";
        CHECK(guest->take() == guest->door->spoken(text));
      }
      for (const CountingDoor& door : chat.doors) CHECK(door.written == 1);
    }
  }
}

TEST_CASE("chat doors: a door without a reader in the room writes nothing") {
  TwoDoors chat(Style::any);
  Guest& first = *chat.guests.front();
  for (const auto& guest : chat.guests) {
    if (guest->door != first.door) chat.say(*guest, "/leave");
  }
  for (const CountingDoor& door : chat.doors) door.written = 0;
  chat.say(first, "hello");
  CHECK(chat.doors[0].written == 1);
  CHECK(chat.doors[1].written == 0);
  // An answer is its member's alone.
  chat.say(first, "/who");
  CHECK(chat.doors[0].written == 2);
  CHECK(chat.doors[1].written == 0);
}

TEST_CASE("chat doors: a notice is written by the member's own door") {
  TwoDoors chat(Style::any);
  chat.drain();
  for (const auto& guest : chat.guests) {
    CHECK(guest->take() == guest->door->spoken("-- the server is going down; goodbye\n"));
  }
}

}  // namespace tern::test
