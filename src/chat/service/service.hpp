// Service: a chat on the reactors of a server.
//
//        reactor 0                          reactor 1
//     ┌──────────────────────────┐      ┌──────────────────────────┐
//     │ connections ◄─ ChatShard │      │ ChatShard ─► connections │
//     │                  │  ▲    │      │  │  ▲                    │
//     │         requests ▼  │    │      │  │  │ deliveries: one posted value a batch,
//     │              HubRunner ◄─┼──────┼──┘  │ one shared buffer a message, whatever
//     │                  └───────┼──────┼─────┘ the number of members
//     └──────────────────────────┘      └──────────────────────────┘
//
//   The hub lives on one reactor, the first. A shard on each reactor knows the connections there
//   and which of them are in which room; it reads commands through doors, and sends what the hub
//   says. Everything that a member does goes to the hub as a value, so there is one order of
//   everything (hub.hpp); what follows from it goes to each reactor that has somebody to hear it,
//   in that order. The fan-out, which is nearly all of the work, is done by the reactors side by
//   side. Nothing is shared.
//
//   Nicknames and the lists of rooms and members are therefore simply the hub's: no reactor has to
//   ask another one.
//
//   Bounded everywhere: a member has at most `in_flight_max` commands under way to the hub; the hub
//   acknowledges them only while no reactor is more than `unapplied_bytes_max` behind with its
//   deliveries. So a reactor that cannot keep up slows down those who talk, and no mailbox grows.
//
//   OWNERSHIP  Must outlive the reactors (and so a Server declared after it). These end as a
//              server's do: all of them what they own, before the first is destroyed. That members
//              have gone is posted to the hub then as ever, and not run.
//   THREAD     Construct, protocol() while no reactor runs; drain() from any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "src/chat/hub/hub.hpp"
#include "src/chat/store/journal.hpp"
#include "src/support/token_bucket.hpp"
#include "tern/connection.hpp"
#include "tern/reactor.hpp"

namespace tern::chat {

class Door;
class HubRunner;
class ChatShard;

// Who knows the passwords of reserved names.
//   THREAD  check() on the hub's reactor, which it must not hold up; `done` once, from any thread.
//           It must not be called any more when the reactors are destroyed.
class Passwords {
 public:
  virtual ~Passwords() = default;
  virtual void check(const std::string& name, std::string password,
                     std::function<void(PasswordResult)> done) = 0;
};

struct ServiceOptions {
  HubLimits hub;
  ReservedNames reserved_names;
  // Bytes queued for one member above which it is no longer told who comes and goes ...
  std::size_t output_soft_bytes = 64 * 1024;
  // ... and above which it is told that it is too slow, and disconnected.
  std::size_t output_hard_bytes = 256 * 1024;
  // Lines that a member may send; faster ones wait. Who has had to wait for `flood_patience`
  // without a break is disconnected; zero: never.
  support::TokenRate flood{std::chrono::milliseconds(200), 20};
  Duration flood_patience = std::chrono::seconds(60);
  // A line is sent to who has neither sent nor been sent anything for so long; zero: never.
  Duration ping_interval = std::chrono::minutes(5);
  // Who has sent no line for so long is disconnected; zero: never.
  Duration idle_timeout = Duration::zero();
  // How long who is being disconnected may take to read what is still queued.
  Duration farewell_timeout = std::chrono::seconds(5);
  std::size_t unapplied_bytes_max = 4 * 1024 * 1024;
  // Null: history ends with the server. Must outlive the service.
  Journal* journal = nullptr;
  // Null: no password is right. Must outlive the reactors.
  Passwords* passwords = nullptr;
  // Seconds since 1970; by default the system's clock.
  std::function<UnixTime()> clock = {};
};

// `options` as they become by Service::reconfigure(next).
void reconfigure(ServiceOptions& options, const ServiceOptions& next);

// Commands of one member on their way to the hub; also the most that are read in one turn.
inline constexpr std::size_t in_flight_max = 32;

struct ServiceCounters {
  // Now.
  std::uint64_t members = 0;
  std::uint64_t rooms = 0;
  std::uint64_t history_bytes = 0;
  // So far.
  std::uint64_t commands = 0;
  std::uint64_t messages = 0;    // said in rooms
  std::uint64_t deliveries = 0;  // of what happens in rooms, to one member each
  std::array<std::uint64_t, part_reason_count> gone{};  // members, by PartReason
};

class Service {
 public:
  explicit Service(const ServiceOptions& options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // For members who come through this door to a reactor, to be listened with. The first reactor
  // that is given one gets the hub. At most 65,535 reactors and 16 doors; a door outlives them.
  std::unique_ptr<Protocol> protocol(Reactor& reactor, const Door& door);
  // Tells everybody that the server is going down, and disconnects them; who comes later likewise.
  void drain();

  // Before the reactors run, after the first protocol(): a line of history from an earlier run.
  void restore(const std::string& room, Message message);
  // Any thread. Takes new limits, times and names. The number of members, the journal, the
  // passwords and the clock stay as they are. `done` is called on a reactor, once all is in force.
  void reconfigure(const ServiceOptions& options, std::function<void()> done);

  // Any thread; each number as of a moment ago.
  ServiceCounters counters() const;

  // For tests, while no reactor runs.
  const Hub& hub() const;
  std::size_t sessions() const;

 private:
  ChatShard& shard_on(Reactor& reactor);

  const ServiceOptions options_;
  std::unique_ptr<HubRunner> runner_;
  std::vector<std::unique_ptr<ChatShard>> shards_;
};

}  // namespace tern::chat
