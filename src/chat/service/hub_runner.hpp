// HubRunner: the hub on its reactor: takes requests, has each door write events down once, and
// gives each reactor what its members are to hear, one posted value a batch.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/chat/doors/door.hpp"
#include "src/chat/service/delivery.hpp"
#include "src/chat/service/service.hpp"

namespace tern::chat {

class HubRunner final : private HubEvents {
 public:
  HubRunner(const ServiceOptions& options, Reactor& reactor);

  Reactor& reactor() const { return reactor_; }
  const Hub& hub() const { return hub_; }
  void restore(const std::string& room, Message message) { hub_.restore(room, std::move(message)); }
  // The number of the door, which is added if it is new. REQUIRES fewer than doors_max others.
  DoorId number_of(const Door& door);
  const Door& door(DoorId number) const { return *doors_[number]; }
  void add(ChatShard& shard) { shards_.push_back({&shard, {}, {}, 0}); }

  // THREAD: the hub's reactor. May be called while it is at work: then it comes next.
  void take(Requests requests);
  void reconfigure(const ServiceOptions& options);
  // A reactor has sent what it was given.
  void applied(std::size_t shard, std::size_t bytes);
  // THREAD: any.
  ServiceCounters counters() const;

 private:
  struct ShardState {
    ChatShard* shard;
    Deliveries outbox;
    Deliveries withheld;  // acknowledgements
    std::size_t unapplied_bytes;
  };

  void send_to(MemberId member, const Event& event) override;
  void broadcast(RoomId room, MemberId except, const Event& event) override;
  void entered(RoomId room, MemberId member) override;
  void exited(RoomId room, MemberId member) override;
  void verify(MemberId member, std::string_view name, std::string_view password) override;
  void kept(std::string_view room, const Message& message) override;
  void dismissed(MemberId member) override;

  void work();
  void carry_out(const Requests& requests);
  bool carry_out(const Request& request, UnixTime now);
  void verified(MemberId member, PasswordResult result);
  void acknowledge(MemberId member, std::size_t count);
  void write_journal();
  void flush();
  void publish();
  void count_gone(PartReason why, std::size_t members_before);
  bool is_behind() const;
  void broadcast(DoorId door, RoomId room, MemberId except, const Event& event);
  SharedBuffer written(DoorId door, const Event& event);

  ServiceOptions options_;
  Reactor& reactor_;
  Hub hub_;
  std::vector<ShardState> shards_;
  std::vector<const Door*> doors_;
  // How many of an audience are on each shard: who has nobody there is told nothing.
  std::unordered_map<AudienceId, std::vector<std::uint32_t>> present_;
  Requests inbox_;
  // What members sent after a password, until it has been looked at: at most in_flight_max each.
  std::unordered_map<MemberId, Requests> held_;
  std::string text_;
  std::string journal_text_;  // of this batch
  // Written here, read by any thread.
  struct Counts {
    std::atomic<std::uint64_t> members{0};
    std::atomic<std::uint64_t> rooms{0};
    std::atomic<std::uint64_t> history_bytes{0};
    std::atomic<std::uint64_t> commands{0};
    std::atomic<std::uint64_t> messages{0};
    std::array<std::atomic<std::uint64_t>, part_reason_count> gone{};
  } counts_;
  bool is_busy_ = false;
};

}  // namespace tern::chat
