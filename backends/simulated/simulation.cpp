#include "backends/simulated/simulation.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tern::simulated {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "tern::simulated: the caller broke the poller contract: %s\n", what);
  std::abort();
}

Faults Faults::rough() {
  using std::chrono::microseconds;
  using std::chrono::milliseconds;
  Faults faults;
  faults.latency_min = microseconds(5);
  faults.latency_max = milliseconds(2);
  faults.partial_send = 0.3;
  faults.partial_receive = 0.3;
  faults.reset = 0.0005;
  faults.spurious_send = 0.05;
  faults.connect_error = 0.02;
  faults.connect_delay_max = milliseconds(20);
  faults.late_completion = 0.1;
  faults.early_return = 0.05;
  faults.attach_error = 0.01;
  faults.shuffles_channels = true;
  faults.accept_error = 0.05;
  faults.datagram_loss = 0.05;
  faults.datagram_duplicate = 0.02;
  faults.datagram_bounce = 0.01;
  faults.datagram_try_again = 0.1;
  faults.send_buffer_bytes = 4096;
  faults.receive_window_bytes = 3000;
  return faults;
}

Simulation::Simulation(std::uint64_t seed, const Faults& settings, Style style)
    : random(seed), faults(settings) {
  // Drawn whatever the style is, so that naming the one that `any` would choose changes nothing.
  const bool drawn = random.below(2) == 1;
  completes_ = style == Style::any ? drawn : style == Style::completion;
}

void Simulation::at(Time time, Action action) {
  agenda_.push_back({std::max(time, now_), ++orders_, std::move(action)});
  std::push_heap(agenda_.begin(), agenda_.end(), later);
}

void Simulation::advance(Time time) {
  now_ = std::max(now_, std::min(time, next_event()));
  while (next_event() <= now_) {
    std::pop_heap(agenda_.begin(), agenda_.end(), later);
    const Action action = std::move(agenda_.back().action);
    agenda_.pop_back();
    action();
  }
}

void Simulation::pass(Duration duration) {
  const Time end = now_ + duration;
  while (now_ < end) advance(end);
}

Duration Simulation::latency() {
  const Duration range = faults.latency_max - faults.latency_min;
  if (range <= Duration::zero()) return faults.latency_min;
  return faults.latency_min +
         Duration(random.between(0, static_cast<std::uint64_t>(range.count())));
}

void Simulation::record(std::initializer_list<std::uint64_t> words) {
  // FNV-1a, a byte at a time so that the result does not depend on the byte order.
  for (std::uint64_t word : words) {
    for (int byte = 0; byte < 8; ++byte) {
      transcript_ = (transcript_ ^ (word & 0xffU)) * 0x100000001b3U;
      word >>= 8U;
    }
  }
}

}  // namespace tern::simulated
