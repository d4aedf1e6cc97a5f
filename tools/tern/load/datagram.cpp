#include "tools/tern/load/datagram.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/units.hpp"

namespace tern::tool {
namespace {

constexpr std::size_t batch_max = 64;

// How many datagrams of one client may be under way. In an open loop twice what the rate brings
// into the time after which one counts as lost, so that it fills only when the network stalls.
std::size_t window_of(const LoadOptions& options) {
  if (!options.is_open_loop()) return options.depth;
  const double within_s = std::chrono::duration<double>(options.udp_timeout).count();
  const double of_each =
      static_cast<double>(options.rate) / static_cast<double>(options.connections) * within_s;
  return static_cast<std::size_t>(std::clamp(2 * of_each, 16.0, 65'536.0));
}

template <class Number>
void store(std::span<std::byte> into, std::size_t offset, Number number) {
  std::memcpy(into.data() + offset, &number, sizeof number);
}

template <class Number>
Number load(std::span<const std::byte> from, std::size_t offset) {
  Number number{};
  std::memcpy(&number, from.data() + offset, sizeof number);
  return number;
}

}  // namespace

DatagramTraffic::DatagramTraffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result,
                                 std::function<void()> changed)
    : Traffic(reactor, plan, result, std::move(changed)),
      message_bytes_(plan.options.message_bytes),
      depth_(window_of(plan.options)),
      paced_(plan.options.is_open_loop()),
      bytes_(message_bytes_ * std::min(batch_max, depth_)),
      batch_(std::min(batch_max, depth_)) {}

// There is no handshake: a socket is open at once, and whether anybody hears it shows later.
void DatagramTraffic::open(std::size_t number) {
  const bool idle = plan_.is_idle(number);
  Client& client = clients_.emplace_back(number, idle ? 1 : depth_);
  client.idle = idle;
  client.quota = plan_.share_of(number);
  client.first_index = pattern_.first_index(number);
  const Endpoint& target = targets_.front();
  try {
    client.socket =
        &DatagramSocket::open(reactor_, *this, LoadPlan::source_of(number, target), target);
  } catch (const std::system_error& error) {
    ++failed_in_a_row_;
    result_.errors.add(LoadError::connect_failed, error.what());
    return;
  }
  client.socket->user_data = &client;
  ++alive_;
  failed_in_a_row_ = 0;
  result_.reached = true;
  if (client.idle) {
    client.opening = true;
    ++opening_;
    fill(client, clock_ns());
  } else {
    ++result_.measure.connections_opened;
  }
}

void DatagramTraffic::start() {
  heard_ns_ = clock_ns();
  for (Client& client : clients_) {
    if (client.socket == nullptr || client.idle || client.quota == 0) continue;
    client.busy = true;
    ++unfinished_;
    if (!paced_) fill(client, clock_ns());
  }
}

bool DatagramTraffic::begin_planned(std::int64_t planned_ns, std::int64_t now_ns) {
  for (std::size_t tried = 0; tried < clients_.size(); ++tried) {
    Client& client = clients_[turn_];
    if (++turn_ == clients_.size()) turn_ = 0;
    if (!client.busy || client.quota == 0) continue;
    // Before it is the first one after a silence: nothing was owed until now.
    if (client.window.under_way() == 0) heard_ns_ = std::max(heard_ns_, now_ns);
    --client.quota;
    client.waiting.push(planned_ns, 1);
    fill(client, now_ns);
    return true;
  }
  return false;
}

// --- messages ------------------------------------------------------------------------------------

void DatagramTraffic::write(const Client& client, const DatagramWindow::Tag& tag,
                            std::span<std::byte> into) const {
  store(into, 0, tag.slot);
  store(into, 4, static_cast<std::uint32_t>(client.number));
  store(into, 8, tag.sequence);
  const std::size_t index = (client.first_index + tag.sequence) % pattern_.period_bytes();
  const std::size_t count = into.size() - datagram_header_bytes;
  std::memcpy(into.data() + datagram_header_bytes, pattern_.bytes(index, count).data(), count);
}

bool DatagramTraffic::read(const Client& client, const Datagram& datagram,
                           DatagramWindow::Tag& tag) const {
  if (datagram.truncated || datagram.bytes.size() != message_bytes_) return false;
  tag = {load<std::uint32_t>(datagram.bytes, 0), load<std::uint64_t>(datagram.bytes, 8)};
  if (load<std::uint32_t>(datagram.bytes, 4) != static_cast<std::uint32_t>(client.number)) {
    return false;
  }
  const std::size_t index = (client.first_index + tag.sequence) % pattern_.period_bytes();
  const auto payload = datagram.bytes.subspan(datagram_header_bytes);
  return pattern_.agreeing(index, payload) == payload.size();
}

bool DatagramTraffic::may_send(const Client& client) const {
  const bool has_more = paced_ && !client.idle ? !client.waiting.empty() : client.quota > 0;
  return has_more && !client.window.full();
}

void DatagramTraffic::fill(Client& client, std::int64_t now_ns) {
  if (!client.busy && !client.opening) return;
  while (may_send(client)) {
    std::size_t count = 0;
    for (; count < batch_.size() && may_send(client); ++count) {
      const auto into = std::span(bytes_).subspan(count * message_bytes_, message_bytes_);
      std::int64_t begun_ns = now_ns;
      if (client.waiting.empty()) {
        --client.quota;
      } else {
        begun_ns = client.waiting.take(1).time_ns;
      }
      write(client, client.window.send(now_ns, begun_ns), into);
      batch_[count].bytes = into;
    }
    const std::size_t taken = client.socket->send(std::span(batch_).first(count));
    result_.measure.sent += count;
    result_.measure.dropped_locally += count - taken;
  }
}

void DatagramTraffic::received(DatagramSocket& socket, std::span<const Datagram> datagrams) {
  Client& client = *static_cast<Client*>(socket.user_data);
  const std::int64_t now_ns = clock_ns();
  heard_ns_ = now_ns;
  for (const Datagram& datagram : datagrams) take(client, datagram, now_ns);
  fill(client, now_ns);
  if (client.window.under_way() == 0) settle(client);
}

void DatagramTraffic::take(Client& client, const Datagram& datagram, std::int64_t now_ns) {
  DatagramWindow::Tag tag;
  DatagramWindow::Arrival arrival;
  if (read(client, datagram, tag)) arrival = client.window.arrive(tag);
  LoadMeasure& measure = result_.measure;
  switch (arrival.meaning) {
    case DatagramWindow::Meaning::answer:
      if (client.idle) break;
      record_answers(arrival.begun_ns, now_ns, 1);
      if (arrival.reordered) ++measure.reordered;
      break;
    case DatagramWindow::Meaning::duplicated:
      ++measure.duplicated;
      break;
    case DatagramWindow::Meaning::late:
      ++measure.late;
      break;
    case DatagramWindow::Meaning::unknown:
      result_.errors.add(
          LoadError::wrong_bytes,
          fmt::format("connection {}: a datagram of {} bytes came that was never sent",
                      client.number + 1, datagram.bytes.size()));
      break;
  }
}

// Nothing is under way: with the share done, so is the client.
void DatagramTraffic::settle(Client& client) {
  if (client.quota > 0 || !client.waiting.empty()) return;
  if (client.opening) {
    client.opening = false;
    --opening_;
    ++result_.idle_opened;
    changed_();
  } else if (client.busy) {
    client.busy = false;
    --unfinished_;
    changed_();
  }
}

void DatagramTraffic::stop_sending() {
  for (Client& client : clients_) {
    client.quota = 0;
    // A closed loop always has something under way; an open one may be between two messages.
    if (client.window.under_way() == 0) settle(client);
  }
}

// --- ends ----------------------------------------------------------------------------------------

void DatagramTraffic::failed(DatagramSocket& socket, const std::error_code& error) {
  if (error == std::errc::connection_refused) {
    ++result_.measure.bounced;
    return;
  }
  const Client& client = *static_cast<const Client*>(socket.user_data);
  result_.errors.add(LoadError::connection_failed,
                     fmt::format("connection {}: {}", client.number + 1, describe(error)));
}

void DatagramTraffic::closed(DatagramSocket& socket) {
  static_cast<Client*>(socket.user_data)->socket = nullptr;
  --alive_;
  changed_();
}

void DatagramTraffic::check() {
  const std::int64_t now_ns = clock_ns();
  const std::int64_t lost_ns = now_ns - plan_.options.udp_timeout.count();
  for (std::size_t index = 0; index < clients_.size(); ++index) {
    Client& client = clients_[index];
    if (client.socket == nullptr) continue;
    result_.measure.lost += client.window.expire(lost_ns);
    fill(client, now_ns);
    if (client.window.under_way() == 0) settle(client);
  }
  if (unfinished_ > 0 && now_ns - heard_ns_ > plan_.options.timeout.count()) {
    result_.errors.add(
        LoadError::answer_timed_out,
        fmt::format("no datagram came for {}", format_duration(plan_.options.timeout)));
    give_up();
  }
}

Duration DatagramTraffic::check_interval() const {
  return std::clamp<Duration>(plan_.options.udp_timeout / 4, std::chrono::milliseconds(1),
                              std::chrono::seconds(1));
}

void DatagramTraffic::give_up() {
  for (Client& client : clients_) {
    client.quota = 0;
    if (client.busy) --unfinished_;
    client.busy = false;
  }
  changed_();
}

void DatagramTraffic::finish_all() {
  for (Client& client : clients_) {
    if (client.socket != nullptr) client.socket->close();
  }
}

}  // namespace tern::tool
