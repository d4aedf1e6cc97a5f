#include "tools/tern/load/stream.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "tools/tern/cli/units.hpp"

namespace tern::tool {
namespace {

// A connection queues at most this much, so that large messages cost no memory of their own.
constexpr std::size_t queue_bytes_max = 256 * 1024;

}  // namespace

StreamTraffic::StreamTraffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result,
                             std::function<void()> changed)
    : Traffic(reactor, plan, result, std::move(changed)),
      limits_(load_limits(plan)),
      message_bytes_(plan.options.message_bytes),
      depth_(plan.options.depth),
      windowed_(message_bytes_ > queue_bytes_max / depth_ || plan.options.is_open_loop()),
      paced_(plan.options.is_open_loop()) {}

// --- opening -------------------------------------------------------------------------------------

void StreamTraffic::open(std::size_t number) {
  Client& client = clients_.emplace_back();
  client.number = number;
  client.idle = plan_.is_idle(number);
  client.quota = plan_.share_of(number);
  client.send_index = client.receive_index = pattern_.first_index(number);
  ++opening_;
  ++alive_;
  client.progress_ns = clock_ns();
  Connector connector(reactor_, *this, limits_, connect_options(number));
  client.connection = &connector.connect(targets_);
  client.connection->user_data = &client;
}

void StreamTraffic::opened(Connection& connection) {
  Client& client = *static_cast<Client*>(connection.user_data);
  const std::int64_t now_ns = clock_ns();
  record_opened(connection, now_ns - client.progress_ns);
  if (client.idle) {
    client.progress_ns = now_ns;
    begin(client, 1, now_ns);
    return;
  }
  ++result_.measure.connections_opened;
  leave_state(client, State::ready);
  changed_();
}

// --- messages ------------------------------------------------------------------------------------

void StreamTraffic::start() {
  const std::int64_t now_ns = clock_ns();
  for (Client& client : clients_) {
    if (client.state != State::ready || client.quota == 0) continue;
    client.state = State::busy;
    ++unfinished_;
    client.progress_ns = now_ns;
    if (!paced_) begin(client, depth_, now_ns);
  }
}

bool StreamTraffic::begin_planned(std::int64_t planned_ns, std::int64_t now_ns) {
  for (std::size_t tried = 0; tried < clients_.size(); ++tried) {
    Client& client = clients_[turn_];
    if (++turn_ == clients_.size()) turn_ = 0;
    if (client.state != State::busy || client.quota == 0) continue;
    if (client.unanswered == 0) client.progress_ns = now_ns;
    begin(client, 1, planned_ns);
    return true;
  }
  return false;
}

void StreamTraffic::begin(Client& client, std::uint64_t messages, std::int64_t begun_ns) {
  messages = std::min(messages, client.quota);
  client.quota -= messages;
  client.unanswered += messages;
  client.send_times.push(begun_ns, messages);
  client.unsent_bytes += messages * message_bytes_;
  send_unsent(client);
}

void StreamTraffic::send_unsent(Client& client) {
  while (client.unsent_bytes > 0) {
    if (windowed_ && client.connection->queued_bytes() >= queue_bytes_max) return;
    const std::size_t count =
        send_piece(*client.connection, client.send_index, client.unsent_bytes);
    client.send_index = pattern_.advance(client.send_index, count);
    client.awaited_bytes += count;
    client.unsent_bytes -= count;
  }
}

// The way of every message: compare, take the time, count, send the next.
void StreamTraffic::received(Connection& connection, std::span<const std::byte> bytes) {
  Client& client = *static_cast<Client*>(connection.user_data);
  if (bytes.size() > client.awaited_bytes ||
      pattern_.agreeing(client.receive_index, bytes) != bytes.size()) [[unlikely]] {
    unexpected(client, bytes);
    return;
  }
  const std::int64_t now_ns = clock_ns();
  client.progress_ns = now_ns;
  client.awaited_bytes -= bytes.size();
  client.receive_index = pattern_.advance(client.receive_index, bytes.size());
  client.partial_bytes += bytes.size();
  if (client.partial_bytes < message_bytes_) {
    send_unsent(client);
    return;
  }
  client.partial_bytes -= message_bytes_;
  std::uint64_t messages = 1;
  if (client.partial_bytes >= message_bytes_) {
    messages += client.partial_bytes / message_bytes_;
    client.partial_bytes %= message_bytes_;
  }
  complete(client, messages, now_ns);
}

void StreamTraffic::complete(Client& client, std::uint64_t messages, std::int64_t now_ns) {
  client.unanswered -= messages;
  client.answered += messages;
  if (client.idle) [[unlikely]] {
    complete_last(client);
    return;
  }
  for (std::uint64_t left = messages; left > 0;) {
    const SendTimes::Run run = client.send_times.take(left);
    record_answers(run.time_ns, now_ns, run.messages);
    left -= run.messages;
  }
  if (paced_ && client.quota > 0) {
    send_unsent(client);
  } else if (client.quota > 0) {
    begin(client, messages, now_ns);
  } else if (client.unanswered == 0) {
    complete_last(client);
  } else {
    send_unsent(client);
  }
}

void StreamTraffic::complete_last(Client& client) {
  if (client.idle) ++result_.idle_opened;
  leave_state(client, client.idle ? State::held : State::ready);
  changed_();
}

void StreamTraffic::stop_sending() {
  stopping_ = true;
  for (Client& client : clients_) {
    client.quota = 0;
    // Not begun on the wire: nobody will answer it. Only whole messages: the stream stays in step.
    // What an open loop has planned is owed, even if it waits behind a server that stalls.
    const std::uint64_t unbegun = paced_ ? 0 : client.unsent_bytes / message_bytes_;
    client.unsent_bytes -= unbegun * message_bytes_;
    client.unanswered -= unbegun;
    if (client.state == State::busy && client.unanswered == 0) leave_state(client, State::ready);
  }
}

// --- ends ----------------------------------------------------------------------------------------

void StreamTraffic::leave_state(Client& client, State next) {
  if (paced_ && (next == State::failed || next == State::closing)) {
    result_.measure.unanswered += std::exchange(client.unanswered, 0);
  }
  if (client.state == State::opening) --opening_;
  if (client.state == State::busy) --unfinished_;
  client.state = next;
}

void StreamTraffic::fail(Client& client, LoadError error, const std::string& what) {
  result_.errors.add(error, fmt::format("connection {}: {}", client.number + 1, what));
  leave_state(client, State::failed);
  client.connection->abort();
  changed_();
}

std::string StreamTraffic::unanswered_text(const Client& client) const {
  return fmt::format("{} answered, {} not, {} bytes of the next answer came", client.answered,
                     client.unanswered, client.partial_bytes);
}

void StreamTraffic::unexpected(Client& client, std::span<const std::byte> bytes) {
  if (client.state == State::failed) return;
  const auto awaited =
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), client.awaited_bytes));
  const std::size_t agreeing = pattern_.agreeing(client.receive_index, bytes.first(awaited));
  const std::uint64_t offset =
      client.answered * message_bytes_ + client.partial_bytes + std::uint64_t{agreeing};
  if (agreeing == awaited) {
    fail(client, LoadError::surplus_bytes,
         fmt::format("{} bytes more than were sent came after byte {}", bytes.size() - awaited,
                     offset));
    return;
  }
  fail(client, LoadError::wrong_bytes,
       wrong_byte_text(offset, bytes[agreeing], pattern_.advance(client.receive_index, agreeing)));
}

void StreamTraffic::ended(Connection& connection) {
  Client& client = *static_cast<Client*>(connection.user_data);
  if (client.state == State::closing) return;  // we have said all, too: the connection ends itself
  const bool owes = client.unanswered > 0 || client.quota > 0 || client.state == State::held;
  if (owes && !(stopping_ && client.unanswered == 0)) {
    fail(client, LoadError::ended_by_server,
         "the server ended the stream (" + unanswered_text(client) + ")");
    return;
  }
  leave_state(client, State::closing);
  connection.finish();
}

void StreamTraffic::closed(Connection& connection, CloseReason reason,
                           const std::error_code& error) {
  Client& client = *static_cast<Client*>(connection.user_data);
  const bool is_over = client.state == State::failed || client.state == State::closing;
  if (!has_failed_to_open(client.state == State::opening, reason, error) && !is_over) {
    result_.errors.add(error_of(reason),
                       fmt::format("connection {}: {} ({})", client.number + 1,
                                   cause_text(reason, error), unanswered_text(client)));
  }
  leave_state(client, State::failed);
  client.connection = nullptr;
  --alive_;
  changed_();
}

void StreamTraffic::check() {
  const std::int64_t overdue_ns = clock_ns() - plan_.options.timeout.count();
  // By index: what fails makes room, and the worker opens the next client meanwhile.
  for (std::size_t index = 0; index < clients_.size(); ++index) {
    Client& client = clients_[index];
    if (client.unanswered > 0 && client.progress_ns <= overdue_ns &&
        client.state != State::failed) {
      fail(client, LoadError::answer_timed_out,
           fmt::format("nothing came for {} ({})", format_duration(plan_.options.timeout),
                       unanswered_text(client)));
    }
  }
}

void StreamTraffic::give_up() {
  for (Client& client : clients_) {
    if (client.state == State::busy) {
      fail(client, LoadError::answer_timed_out,
           fmt::format("not answered within {} after the end of the run ({})",
                       format_duration(plan_.options.timeout), unanswered_text(client)));
    }
  }
}

void StreamTraffic::finish_all() {
  for (Client& client : clients_) {
    if (client.connection == nullptr || client.state == State::failed) continue;
    leave_state(client, State::closing);
    client.connection->finish();
  }
}

void StreamTraffic::abort_all() {
  for (Client& client : clients_) {
    if (client.connection == nullptr) continue;
    leave_state(client, State::failed);
    client.connection->abort();
  }
}

}  // namespace tern::tool
