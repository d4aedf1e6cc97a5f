#include "src/core/connection/connect_attempt.hpp"

#include <mutex>

#include "src/core/address/resolver.hpp"
#include "src/core/reactor/reactor_core.hpp"

namespace tern {

// Shared with the resolver's thread, which may answer after the attempt, or its reactor, is gone.
class ConnectAttempt::Asked final : public Question, public std::enable_shared_from_this<Asked> {
 public:
  explicit Asked(ConnectAttempt& asker) : asker_(&asker) {}

  void answer(std::vector<Endpoint> endpoints, const std::error_code& error) override {
    // While the lock is held the asker lives, and so does its reactor.
    const std::scoped_lock lock(mutex_);
    if (asker_ == nullptr) return;
    asker_->core_->reactor.post(
        [self = shared_from_this(), endpoints = std::move(endpoints), error]() mutable {
          // On the loop's thread, where the asker dies: not meanwhile.
          if (self->asker_ != nullptr) self->asker_->resolved(std::move(endpoints), error);
        });
  }

  bool is_wanted() override {
    const std::scoped_lock lock(mutex_);
    return asker_ != nullptr;
  }

  void forget_asker() {
    const std::scoped_lock lock(mutex_);
    asker_ = nullptr;
  }

 private:
  std::mutex mutex_;
  ConnectAttempt* asker_;  // null when nobody waits for the answer any more
};

ConnectAttempt::ConnectAttempt(Reactor::Core& core, ConnectionImpl& connection,
                               const ConnectOptions& options)
    : core_(&core), connection_(&connection), options_(options) {
  arm_after(core.reactor, options_.deadline);
}

ConnectAttempt::~ConnectAttempt() {
  if (question_ != nullptr) question_->forget_asker();
}

void ConnectAttempt::start(std::string host, std::uint16_t port) {
  if (const auto numeric = Endpoint::from_address(host, port)) return start({*numeric});
  std::error_code error;
  if (!Poller::Sockets::resolve_blocks) {
    auto endpoints = Poller::Sockets::resolve(host, port, error);
    return resolved(std::move(endpoints), error);
  }
  question_ = std::make_shared<Asked>(*this);
  resolve_elsewhere(std::move(host), port, question_, error);
  if (error) resolved({}, error);
}

void ConnectAttempt::resolved(std::vector<Endpoint> endpoints, const std::error_code& error) {
  if (error) last_error_ = error;
  start(std::move(endpoints));
}

void ConnectAttempt::start(std::vector<Endpoint> endpoints) {
  endpoints_ = std::move(endpoints);
  try_next();
}

bool ConnectAttempt::try_one(const Endpoint& endpoint) {
  std::error_code error;
  const Socket socket =
      Poller::Sockets::stream(endpoint.family(), options_.source, options_.socket, error);
  if (!error) {
    const Channel channel = core_->poller.attach(socket, connection_, error);
    if (!error) {
      connection_->set_channel(channel);
      core_->poller.connect(channel, endpoint);
      return true;
    }
    Poller::Sockets::close(socket);
  }
  last_error_ = error;
  return false;
}

void ConnectAttempt::try_next() {
  while (next_ < endpoints_.size()) {
    if (try_one(endpoints_[next_++])) return;
  }
  if (!last_error_) last_error_ = std::make_error_code(std::errc::address_not_available);
  const std::error_code error = last_error_;
  connection_->terminate(CloseReason::connect_failed, error);  // *this is gone
}

void ConnectAttempt::fire() {
  connection_->terminate(CloseReason::connect_failed, std::make_error_code(std::errc::timed_out));
}

}  // namespace tern
