// ChatShard: the members on one reactor, and which of them hear what: they came to a room through a
// door.
//
//   THREAD  its reactor's, but for post_to_hub() from the hub's tasks there.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "src/chat/service/delivery.hpp"
#include "src/chat/service/hub_runner.hpp"
#include "src/chat/service/service.hpp"
#include "tern/timer.hpp"

namespace tern::chat {

class Session;

class ChatShard {
 public:
  ChatShard(std::size_t index, const ServiceOptions& options, Reactor& reactor, HubRunner& runner);
  ~ChatShard();
  ChatShard(const ChatShard&) = delete;
  ChatShard& operator=(const ChatShard&) = delete;

  Reactor& reactor() const { return reactor_; }
  const ServiceOptions& options() const { return options_; }
  std::size_t sessions() const { return sessions_.size(); }
  // Any thread.
  std::uint64_t deliveries() const { return deliveries_.load(std::memory_order_relaxed); }

  // A member that came through the door of this number.
  void open(Connection& connection, DoorId door);
  void close(Session& session);
  void apply(const Deliveries& deliveries);
  void submit(Requests requests);
  void reconfigure(const ServiceOptions& options);
  void drain();

  template <class Task>
  void post_to_hub(Task&& task) {
    if (&runner_.reactor() == &reactor_) return task();
    runner_.reactor().post(std::forward<Task>(task));
  }

 private:
  void apply(const Delivery& delivery);
  void to_audience(const Delivery& delivery);
  void enter(Session& session, AudienceId audience);
  void exit(Session& session, AudienceId audience);
  void sweep();
  void start_sweeping();

  const std::size_t index_;
  ServiceOptions options_;
  tern::Limits limits_;  // of all its connections
  Reactor& reactor_;
  HubRunner& runner_;
  std::unordered_map<MemberId, std::unique_ptr<Session>> sessions_;
  std::unordered_map<AudienceId, std::vector<Session*>> audiences_;
  std::uint64_t members_made_ = 0;
  std::atomic<std::uint64_t> deliveries_{0};
  CallbackTimer sweep_timer_;
  bool is_draining_ = false;
};

}  // namespace tern::chat
