#include "src/chat/service/service.hpp"

#include <algorithm>
#include <atomic>

#include "src/chat/service/hub_runner.hpp"
#include "src/chat/service/session.hpp"
#include "src/chat/service/shard.hpp"

namespace tern::chat {
namespace {

// What comes through one door on one reactor.
class DoorProtocol final : public Protocol {
 public:
  DoorProtocol(ChatShard& shard, DoorId door) : shard_(shard), door_(door) {}

 private:
  static Session* session_of(const Connection& connection) {
    return static_cast<Session*>(connection.user_data);
  }

  void opened(Connection& connection) override { shard_.open(connection, door_); }
  void received(Connection& connection, std::span<const std::byte> bytes) override {
    session_of(connection)->received({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  void ended(Connection& connection) override { session_of(connection)->ended(); }
  void closed(Connection& connection, CloseReason, const std::error_code&) override {
    // A handshake that failed was never opened.
    if (Session* session = session_of(connection)) shard_.close(*session);
  }

  ChatShard& shard_;
  const DoorId door_;
};

}  // namespace

Service::Service(const ServiceOptions& options) : options_(options) {}
Service::~Service() = default;

ChatShard& Service::shard_on(Reactor& reactor) {
  const auto it = std::find_if(shards_.begin(), shards_.end(),
                               [&](const auto& shard) { return &shard->reactor() == &reactor; });
  if (it != shards_.end()) return **it;
  if (runner_ == nullptr) runner_ = std::make_unique<HubRunner>(options_, reactor);
  shards_.push_back(std::make_unique<ChatShard>(shards_.size(), options_, reactor, *runner_));
  runner_->add(*shards_.back());
  return *shards_.back();
}

std::unique_ptr<Protocol> Service::protocol(Reactor& reactor, const Door& door) {
  ChatShard& shard = shard_on(reactor);
  return std::make_unique<DoorProtocol>(shard, runner_->number_of(door));
}

void Service::drain() {
  for (const auto& shard : shards_) {
    shard->reactor().post([shard = shard.get()] { shard->drain(); });
  }
}

void Service::restore(const std::string& room, Message message) {
  runner_->restore(room, std::move(message));
}

void Service::reconfigure(const ServiceOptions& options, std::function<void()> done) {
  struct Change {
    ServiceOptions options;
    std::function<void()> done;
    std::atomic<std::size_t> left{0};

    void was_taken() {
      if (left.fetch_sub(1) == 1) done();
    }
  };
  const auto change = std::make_shared<Change>();
  change->options = options;
  change->done = std::move(done);
  change->left = shards_.size() + 1;
  runner_->reactor().post([runner = runner_.get(), change] {
    runner->reconfigure(change->options);
    change->was_taken();
  });
  for (const auto& shard : shards_) {
    shard->reactor().post([shard = shard.get(), change] {
      shard->reconfigure(change->options);
      change->was_taken();
    });
  }
}

void reconfigure(ServiceOptions& options, const ServiceOptions& next) {
  ServiceOptions changed = next;
  changed.hub.members_max = options.hub.members_max;
  changed.journal = options.journal;
  changed.passwords = options.passwords;
  changed.clock = std::move(options.clock);
  options = std::move(changed);
}

ServiceCounters Service::counters() const {
  ServiceCounters counters = runner_->counters();
  for (const auto& shard : shards_) counters.deliveries += shard->deliveries();
  return counters;
}

const Hub& Service::hub() const { return runner_->hub(); }

std::size_t Service::sessions() const {
  std::size_t total = 0;
  for (const auto& shard : shards_) total += shard->sessions();
  return total;
}

}  // namespace tern::chat
