#include "tern/connector.hpp"

#include <cassert>
#include <mutex>

#include "src/core/address/resolver.hpp"
#include "src/core/connection/connect_attempt.hpp"
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

// The address without brackets and port. A Unix socket is on this machine.
std::string address_text(const Endpoint& endpoint) {
  if (!endpoint.is_ip()) return "localhost";
  std::string text = endpoint.to_string();
  text.erase(text.rfind(':'));
  return text.front() == '[' ? text.substr(1, text.size() - 2) : text;
}

ConnectionImpl& begin(Reactor::Core& core, Protocol& protocol, const Limits& limits,
                      const ConnectOptions& options, const std::string& peer_name) {
  static NobodyListens nobody;
  ConnectionImpl& connection = core.connections.make(core, core.ending ? nobody : protocol, limits,
                                                     Connection::State::connecting, nullptr);
  if (options.tls != nullptr) {
    connection.use_tls(options.tls, options.tls_name.empty() ? peer_name : options.tls_name);
  }
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
  const std::string peer_name = options_.tls == nullptr ? "" : address_text(endpoints.front());
  ConnectionImpl& connection = begin(core, *protocol_, *limits_, options_, peer_name);
  core.attempts.at(&connection)->start(std::move(endpoints));
  return connection;
}

Connection& Connector::connect(std::string host, std::uint16_t port) {
  Reactor::Core& core = reactor_->core();
  ConnectionImpl& connection = begin(core, *protocol_, *limits_, options_, host);
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
