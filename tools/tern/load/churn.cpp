#include "tools/tern/load/churn.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "tools/tern/cli/units.hpp"

namespace tern::tool {

ChurnTraffic::ChurnTraffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result,
                           std::function<void()> changed)
    : Traffic(reactor, plan, result, std::move(changed)),
      limits_(load_limits(plan)),
      message_bytes_(plan.options.message_bytes),
      paced_(plan.options.is_open_loop()) {}

// Nothing is connected before its first message is due.
void ChurnTraffic::open(std::size_t number) {
  Client& client = clients_.emplace_back();
  client.number = number;
  client.quota = plan_.share_of(number);
}

void ChurnTraffic::start() {
  for (Client& client : clients_) {
    if (client.quota == 0) continue;
    ++unfinished_;
    if (paced_) {
      planned_left_ +=
          std::min(client.quota, std::numeric_limits<std::uint64_t>::max() - planned_left_);
      free_.push_back(&client);
    } else {
      begin(client, clock_ns());
    }
  }
}

bool ChurnTraffic::begin_planned(std::int64_t planned_ns, std::int64_t) {
  if (planned_left_ == 0 || unfinished_ == 0) return false;
  --planned_left_;
  if (free_.empty()) {
    waiting_.push(planned_ns, 1);
    return true;
  }
  Client& client = *free_.back();
  free_.pop_back();
  begin(client, planned_ns);
  if (planned_left_ == 0) finish_free();
  return true;
}

void ChurnTraffic::finish_free() {
  for (Client* client : std::exchange(free_, {})) {
    client->state = State::over;
    --unfinished_;
  }
}

void ChurnTraffic::go_on(Client& client) {
  if (!waiting_.empty()) return begin(client, waiting_.take(1).time_ns);
  client.state = State::waiting;
  free_.push_back(&client);
  if (planned_left_ > 0) return;
  finish_free();
  changed_();
}

// The side that ends first keeps its port for a minute (TIME_WAIT); the connections take turns with
// the loopback addresses, so that ports do not run out.
void ChurnTraffic::begin(Client& client, std::int64_t begun_ns) {
  static constexpr std::size_t sources = 32;
  if (!paced_) --client.quota;
  client.state = State::connecting;
  client.received_bytes = 0;
  client.receive_index = pattern_.first_index(client.number + made_);
  client.begun_ns = begun_ns;
  client.connect_ns = clock_ns();
  const std::size_t source = (made_++ % sources) * ports_per_source;
  Connector connector(reactor_, *this, limits_, connect_options(source));
  ++alive_;
  client.connection = &connector.connect(targets_);
  client.connection->user_data = &client;
}

void ChurnTraffic::opened(Connection& connection) {
  Client& client = *static_cast<Client*>(connection.user_data);
  record_opened(connection, clock_ns() - client.connect_ns);
  ++result_.measure.connections_opened;
  client.state = State::asking;
  send_message(connection, client.receive_index);
}

void ChurnTraffic::send_message(Connection& connection, std::size_t index) {
  for (std::size_t left = message_bytes_; left > 0;) {
    const std::size_t count = send_piece(connection, index, left);
    index = pattern_.advance(index, count);
    left -= count;
  }
}

void ChurnTraffic::received(Connection& connection, std::span<const std::byte> bytes) {
  Client& client = *static_cast<Client*>(connection.user_data);
  if (client.failed) return;
  const std::size_t awaited = message_bytes_ - client.received_bytes;
  const std::size_t expected = std::min(awaited, bytes.size());
  const std::size_t agreeing = pattern_.agreeing(client.receive_index, bytes.first(expected));
  if (agreeing < expected) {
    return fail(client, LoadError::wrong_bytes,
                wrong_byte_text(client.received_bytes + agreeing, bytes[agreeing],
                                pattern_.advance(client.receive_index, agreeing)));
  }
  if (bytes.size() > awaited) {
    return fail(client, LoadError::surplus_bytes,
                fmt::format("{} bytes more than were sent came after byte {}",
                            bytes.size() - awaited, message_bytes_));
  }
  client.receive_index = pattern_.advance(client.receive_index, expected);
  client.received_bytes += expected;
  if (client.received_bytes < message_bytes_) return;
  record_answers(client.begun_ns, clock_ns(), 1);
  client.state = State::ending;
  connection.finish();
}

void ChurnTraffic::ended(Connection& connection) {
  Client& client = *static_cast<Client*>(connection.user_data);
  if (client.state == State::ending) return;  // both have said all: the connection ends itself
  fail(client, LoadError::ended_by_server,
       fmt::format("the server ended the stream after {} of {} bytes", client.received_bytes,
                   message_bytes_));
}

void ChurnTraffic::closed(Connection& connection, CloseReason reason,
                          const std::error_code& error) {
  Client& client = *static_cast<Client*>(connection.user_data);
  client.connection = nullptr;
  --alive_;
  if (has_failed_to_open(client.state == State::connecting, reason, error)) {
    if (paced_ && !client.failed) ++result_.measure.unanswered;
    client.failed = true;
  } else if (!client.failed && reason != CloseReason::finished) {
    fail(client, error_of(reason),
         fmt::format("{} after {} of {} bytes", cause_text(reason, error), client.received_bytes,
                     message_bytes_));
  }
  if (paced_ && !client.failed) return go_on(client);
  if (client.quota > 0 && !client.failed) return begin(client, clock_ns());
  client.state = State::over;
  --unfinished_;
  if (unfinished_ == 0) drop_waiting();  // nobody is left who could send it
  changed_();
}

void ChurnTraffic::stop_sending() {
  for (Client& client : clients_) client.quota = 0;
  planned_left_ = 0;
  finish_free();
}

// A client that failed makes no further connection; the others go on.
void ChurnTraffic::fail(Client& client, LoadError error, const std::string& what) {
  if (paced_ && client.state != State::ending) ++result_.measure.unanswered;
  client.failed = true;
  result_.errors.add(error, fmt::format("client {}: {}", client.number + 1, what));
  abort(client);
}

void ChurnTraffic::abort(Client& client) {
  if (client.connection != nullptr) client.connection->abort();
}

void ChurnTraffic::check() {
  const std::int64_t overdue_ns = clock_ns() - plan_.options.timeout.count();
  for (Client& client : clients_) {
    const bool is_due = client.state == State::asking || client.state == State::ending;
    if (!is_due || client.failed || client.connect_ns > overdue_ns) continue;
    fail(
        client, LoadError::answer_timed_out,
        fmt::format("{} within {} ({} of {} bytes came)",
                    client.state == State::asking ? "no answer" : "the server's end did not come",
                    format_duration(plan_.options.timeout), client.received_bytes, message_bytes_));
  }
}

void ChurnTraffic::drop_waiting() {
  while (!waiting_.empty()) result_.measure.unanswered += waiting_.take(1).messages;
}

void ChurnTraffic::give_up() {
  drop_waiting();
  for (Client& client : clients_) {
    if (client.state == State::waiting || client.state == State::over || client.failed) continue;
    fail(client, LoadError::answer_timed_out,
         fmt::format("not over within {} after the end of the run",
                     format_duration(plan_.options.timeout)));
  }
}

void ChurnTraffic::abort_all() {
  planned_left_ = 0;
  finish_free();
  drop_waiting();
  for (Client& client : clients_) {
    client.quota = 0;
    const bool is_owed = client.state == State::connecting || client.state == State::asking;
    if (paced_ && is_owed && !client.failed) ++result_.measure.unanswered;
    client.failed = true;
    abort(client);
  }
}

}  // namespace tern::tool
