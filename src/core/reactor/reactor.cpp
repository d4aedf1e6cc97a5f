#include "tern/reactor.hpp"

#include <algorithm>

#include "src/core/connection/connect_attempt.hpp"
#include "src/core/datagram/datagram_socket.hpp"
#include "src/core/reactor/reactor_core.hpp"
#include "src/core/server/acceptor.hpp"

namespace tern {

Reactor::Core::Core(Reactor& owner, const ReactorOptions& options)
    : reactor(owner),
      receive_bytes(options.receive_bytes),
      poller(PollerOptions{options.receive_bytes, options.datagram_bytes}),
      wheel(poller.now()) {}

Reactor::Reactor(const ReactorOptions& options) : core_(std::make_unique<Core>(*this, options)) {}

Reactor::~Reactor() {
  while (core_->end_everything()) continue;
}

// The owners must outlive what the kernel still holds: waits until each had its last completion.
bool Reactor::Core::end_everything() {
  ending = true;
  bool had_anything = false;
  while (connections.size() > 0 || !acceptors.empty() || !datagram_sockets.empty()) {
    had_anything = true;
    connections.for_each([](ConnectionImpl& connection) { connection.abort(); });
    for (Acceptor* acceptor : acceptors) acceptor->close();
    for (DatagramSocketImpl* socket : datagram_sockets) socket->close();
    end_turn(Duration::zero());
    destroy_closed();
  }
  for (Task* task = mailbox.exchange(nullptr); task != nullptr;) {
    had_anything = true;
    Task* next = task->next;
    delete task;
    task = next;
  }
  return had_anything;
}

void Reactor::Core::end_all(std::span<Reactor* const> reactors) {
  for (bool is_over = false; !is_over;) {
    is_over = true;
    for (Reactor* reactor : reactors) {
      if (reactor->core().end_everything()) is_over = false;
    }
  }
}

void Reactor::run() {
  while (!core_->stop_requested.exchange(false)) {
    core_->begin_turn();
    core_->end_turn(forever);
  }
}

bool Reactor::turn(Duration limit) {
  const std::uint64_t completions_before = core_->poller.counters().completions;
  const bool did_something = core_->begin_turn();
  // Whoever turns by hand waits for something, which may just have happened.
  core_->end_turn(did_something ? Duration::zero() : limit);
  return did_something || core_->poller.counters().completions != completions_before;
}

// The first half: what is due without the kernel. Returns whether anything was.
bool Reactor::Core::begin_turn() {
  in_turn = true;
  loop_thread.store(std::this_thread::get_id(), std::memory_order_relaxed);
  ++counters.turns;
  const std::size_t fired = wheel.fire_due(poller.now());
  counters.timers += fired;
  std::size_t ran = run_tasks();
  if (holds_input()) [[unlikely]]
    ran += take_held_input();
  flush_output();
  destroy_closed();
  return fired + ran > 0;
}

void Reactor::Core::end_turn(Duration limit) {
  poller.wait(wait_limit(limit));
  Completion completion;
  // The one upward edge of the system: a finished thing goes to its owner.
  while (poller.next(completion)) completion.owner->completed(completion);
  in_turn = false;
}

void Reactor::stop() {
  core_->stop_requested.store(true);
  core_->poller.wake();
}

Time Reactor::now() const {
  // Between turns, in set-up code, the last wait may be long ago; deadlines would lie in the past.
  if (!core_->in_turn) core_->poller.refresh();
  return core_->poller.now();
}

const Counters& Reactor::counters() const {
  Core& core = *core_;
  static_cast<PollerCounters&>(core.counters) = core.poller.counters();
  core.counters.open_connections = core.connections.size();
  return core.counters;
}

std::string_view Reactor::poller_name() { return Poller::name; }

// The mailbox is a list of which any thread replaces the head. Only the first task after it was
// emptied needs to wake the loop, and none that the loop posts to itself.
void Reactor::post_task(Task* task) {
  Task* head = core_->mailbox.load(std::memory_order_relaxed);
  do {
    task->next = head;
  } while (!core_->mailbox.compare_exchange_weak(head, task, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed));
  if (head != nullptr) return;
  if (core_->loop_thread.load(std::memory_order_relaxed) == std::this_thread::get_id()) return;
  core_->poller.wake();
}

std::size_t Reactor::Core::run_tasks() {
  if (mailbox.load(std::memory_order_relaxed) == nullptr) return 0;
  Task* newest = mailbox.exchange(nullptr, std::memory_order_acq_rel);
  Task* oldest = nullptr;
  while (newest != nullptr) {  // turn the list round: the order of posting
    Task* next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  std::size_t ran = 0;
  while (oldest != nullptr) {
    const std::unique_ptr<Task> task(oldest);
    oldest = oldest->next;
    task->run();
    ++ran;
  }
  counters.tasks += ran;
  return ran;
}

void Reactor::Core::flush_output() {
  if (dirty.empty()) return;
  // drained() may queue more; that waits for the next turn, so that this loop ends.
  std::vector<ConnectionImpl*> now;
  now.swap(dirty);
  for (ConnectionImpl* connection : now) connection->flush();
  now.clear();
  if (dirty.empty()) dirty.swap(now);  // keep the memory
}

void Reactor::Core::destroy_closed() {
  // A closed() may connect again and fail on the spot; that is told in the next turn, so that this
  // loop ends.
  std::vector<ConnectionImpl*> now;
  now.swap(closed_due);
  for (ConnectionImpl* connection : now) connection->notify_closed();
  if (destroy_due.empty()) return;
  for (ConnectionImpl* connection : destroy_due) connections.destroy(*connection);
  destroy_due.clear();
  if (connection_died) connection_died();
}

Duration Reactor::Core::wait_limit(Duration limit) {
  const bool has_work = mailbox.load(std::memory_order_relaxed) != nullptr || !dirty.empty() ||
                        holds_input() || !closed_due.empty() || !destroy_due.empty() ||
                        stop_requested.load(std::memory_order_relaxed);
  if (has_work) return Duration::zero();
  const Time earliest = wheel.earliest();
  if (earliest == Time::max()) return limit;
  // The turn has taken time. Where that might matter, the clock is read again.
  static constexpr Duration soon = std::chrono::seconds(1);
  if (earliest - poller.now() < soon) poller.refresh();
  const Time now = poller.now();
  return earliest <= now ? Duration::zero() : std::min(limit, earliest - now);
}

bool Reactor::Core::take_handshake_step() {
  static constexpr unsigned handshake_steps_max = 8;
  if (handshake_turn != counters.turns) {
    handshake_turn = counters.turns;
    handshake_steps = 0;
  }
  if (handshake_steps == handshake_steps_max) return false;
  ++handshake_steps;
  return true;
}

// Nobody is looked at whose turn it is not: thousands may wait.
[[gnu::noinline]] std::size_t Reactor::Core::take_held_input() {
  std::size_t taken = 0;
  for (; !handshakes_waiting.empty() && take_handshake_step(); ++taken) {
    handshakes_waiting.pop_front().take_held_input();
  }
  // Who holds more than a turn takes goes to the back, for the next turn.
  for (std::size_t left = input_held.size(); left > 0 && !input_held.empty(); --left, ++taken) {
    input_held.pop_front().take_held_input();
  }
  return taken;
}

OutputQueue* Reactor::Core::take_queue() {
  if (spare_queues.empty()) return new OutputQueue;
  OutputQueue* queue = spare_queues.back().release();
  spare_queues.pop_back();
  return queue;
}

void Reactor::Core::give_back_queue(OutputQueue* queue) {
  // A line to a room needs one for each member at once; 4,096 of them hold at most 4 MiB.
  static constexpr std::size_t kept_queues_max = 4096;
  queue->clear(blocks);
  std::unique_ptr<OutputQueue> owned(queue);
  if (spare_queues.size() < kept_queues_max) spare_queues.push_back(std::move(owned));
}

}  // namespace tern
