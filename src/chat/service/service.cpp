#include "src/chat/service/service.hpp"

#include <algorithm>
#include <atomic>

#include "src/chat/doors/lines/line_door.hpp"
#include "src/chat/service/hub_runner.hpp"
#include "src/chat/service/session.hpp"
#include "src/chat/service/shard.hpp"

namespace tern::chat {
namespace {

// The door for people: lines.
class LineDoor final : public Protocol {
 public:
  explicit LineDoor(Spoke& spoke) : spoke_(spoke) {}

 private:
  static Session* session_of(const Connection& connection) {
    return static_cast<Session*>(connection.user_data);
  }

  void opened(Connection& connection) override { spoke_.open(connection); }
  void received(Connection& connection, std::span<const std::byte> bytes) override {
    session_of(connection)->received({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  void ended(Connection& connection) override { session_of(connection)->ended(); }
  void closed(Connection& connection, CloseReason, const std::error_code&) override {
    // A handshake that failed was never opened.
    if (Session* session = session_of(connection)) spoke_.close(*session);
  }

  Spoke& spoke_;
};

}  // namespace

Service::Service(const ServiceOptions& options) : options_(options) {}
Service::~Service() = default;

Spoke& Service::spoke_on(Reactor& reactor) {
  const auto it = std::find_if(spokes_.begin(), spokes_.end(),
                               [&](const auto& spoke) { return &spoke->reactor() == &reactor; });
  if (it != spokes_.end()) return **it;
  if (host_ == nullptr) host_ = std::make_unique<HubHost>(options_, reactor);
  spokes_.push_back(std::make_unique<Spoke>(spokes_.size(), options_, reactor, *host_));
  host_->add(*spokes_.back());
  return *spokes_.back();
}

std::unique_ptr<Protocol> Service::door(Reactor& reactor) {
  return std::make_unique<LineDoor>(spoke_on(reactor));
}

void Service::drain() {
  for (const auto& spoke : spokes_) {
    spoke->reactor().post([spoke = spoke.get()] { spoke->drain(); });
  }
}

void Service::end() {
  if (host_ != nullptr) host_->end();
  for (const auto& spoke : spokes_) spoke->end();
}

void Service::restore(const std::string& room, Message message) {
  host_->restore(room, std::move(message));
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
  change->left = spokes_.size() + 1;
  host_->reactor().post([host = host_.get(), change] {
    host->reconfigure(change->options);
    change->was_taken();
  });
  for (const auto& spoke : spokes_) {
    spoke->reactor().post([spoke = spoke.get(), change] {
      spoke->reconfigure(change->options);
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
  ServiceCounters counters = host_->counters();
  for (const auto& spoke : spokes_) counters.deliveries += spoke->deliveries();
  return counters;
}

const Hub& Service::hub() const { return host_->hub(); }

std::size_t Service::sessions() const {
  std::size_t total = 0;
  for (const auto& spoke : spokes_) total += spoke->sessions();
  return total;
}

}  // namespace tern::chat
