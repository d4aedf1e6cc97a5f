#include "tern/connector.hpp"

#include <cassert>
#include <mutex>

#include "src/connect_attempt.hpp"
#include "src/reactor_core.hpp"
#include "src/resolver.hpp"

namespace tern {

struct ConnectAttempt::Question {
  std::mutex mutex;
  ConnectAttempt* asker;  // null when nobody waits for the answer any more
};

ConnectAttempt::ConnectAttempt(Reactor::Core& core, ConnectionImpl& connection,
                               const ConnectOptions& options)
    : core_(&core), connection_(&connection), options_(options) {
  arm_after(core.reactor, options_.deadline);
}

ConnectAttempt::~ConnectAttempt() {
  if (question_ == nullptr) return;
  const std::scoped_lock lock(question_->mutex);
  question_->asker = nullptr;
}

void ConnectAttempt::start(std::string host, std::uint16_t port) {
  if (const auto numeric = Endpoint::from_address(host, port)) return start({*numeric});
  const auto answered = [](ConnectAttempt& attempt, std::vector<Endpoint> endpoints,
                           const std::error_code& error) {
    if (error) attempt.last_error_ = error;
    attempt.start(std::move(endpoints));
  };
  if (!Poller::Sockets::resolve_blocks) {
    std::error_code error;
    auto endpoints = Poller::Sockets::resolve(host, port, error);
    return answered(*this, std::move(endpoints), error);
  }
  question_ = std::make_shared<Question>();
  question_->asker = this;
  resolve_elsewhere(std::move(host), port,
                    [question = question_, answered](std::vector<Endpoint> endpoints,
                                                     const std::error_code& error) {
                      // While the lock is held the asker lives, and so does its reactor.
                      const std::scoped_lock lock(question->mutex);
                      if (question->asker == nullptr) return;
                      question->asker->core_->reactor.post(
                          [question, answered, endpoints = std::move(endpoints), error]() mutable {
                            // On the loop's thread, where the asker dies: not meanwhile.
                            if (question->asker != nullptr) {
                              answered(*question->asker, std::move(endpoints), error);
                            }
                          });
                    });
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
  connection_->end(CloseReason::connect_failed, error);  // *this is gone
}

void ConnectAttempt::fire() {
  connection_->end(CloseReason::connect_failed, std::make_error_code(std::errc::timed_out));
}

Connector::Connector(Reactor& reactor, Protocol& protocol, const Limits& limits,
                     const ConnectOptions& options)
    : reactor_(&reactor), protocol_(&protocol), limits_(&limits), options_(options) {}

namespace {

// For connections begun while their reactor is being destroyed, typically by a closed() that wants
// to connect again: nobody hears of them, so that the destructor comes to an end.
class NobodyListens final : public Protocol {
  void received(Connection&, std::span<const std::byte>) override {}
};

ConnectionImpl& begin(Reactor::Core& core, Protocol& protocol, const Limits& limits,
                      const ConnectOptions& options) {
  static NobodyListens nobody;
  ConnectionImpl& connection = core.connections.make(core, core.ending ? nobody : protocol, limits,
                                                     Connection::State::connecting, nullptr);
  core.attempts.emplace(&connection, std::make_unique<ConnectAttempt>(core, connection, options));
  return connection;
}

}  // namespace

Connection& Connector::connect(const Endpoint& endpoint) {
  return connect(std::vector<Endpoint>{endpoint});
}

Connection& Connector::connect(std::vector<Endpoint> endpoints) {
  assert(!endpoints.empty());
  Reactor::Core& core = reactor_->core();
  ConnectionImpl& connection = begin(core, *protocol_, *limits_, options_);
  core.attempts.at(&connection)->start(std::move(endpoints));
  return connection;
}

Connection& Connector::connect(std::string host, std::uint16_t port) {
  Reactor::Core& core = reactor_->core();
  ConnectionImpl& connection = begin(core, *protocol_, *limits_, options_);
  core.attempts.at(&connection)->start(std::move(host), port);
  return connection;
}

std::vector<Endpoint> resolve(const std::string& host, std::uint16_t port, std::error_code& error) {
  error.clear();
  if (const auto numeric = Endpoint::from_address(host, port)) return {*numeric};
  auto endpoints = Poller::Sockets::resolve(host, port, error);
  if (endpoints.empty() && !error) error = std::make_error_code(std::errc::address_not_available);
  return endpoints;
}

}  // namespace tern
