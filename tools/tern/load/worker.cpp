#include "tools/tern/load/worker.hpp"

#include <algorithm>
#include <utility>

#include "tools/tern/load/churn.hpp"
#include "tools/tern/load/datagram.hpp"
#include "tools/tern/load/stream.hpp"

namespace tern::tool {
namespace {

constexpr Duration publish_interval = std::chrono::milliseconds(100);
// With --ramp, how often connects are begun.
constexpr Duration ramp_interval = std::chrono::milliseconds(2);
// How long a server may take to end its side of streams that we have ended.
constexpr Duration farewell = std::chrono::seconds(1);

ReactorOptions reactor_options(const LoadOptions& options) {
  ReactorOptions made;
  made.receive_bytes = LoadPattern::chunk_bytes;
  // One more than is sent, so that a longer answer shows.
  if (options.is_datagram()) made.datagram_bytes = options.message_bytes + 1;
  return made;
}

std::unique_ptr<Traffic> make_traffic(Reactor& reactor, const LoadPlan& plan, LoadResult& result,
                                      std::function<void()> changed) {
  if (plan.options.is_datagram()) {
    return std::make_unique<DatagramTraffic>(reactor, plan, result, std::move(changed));
  }
  if (plan.options.churn) {
    return std::make_unique<ChurnTraffic>(reactor, plan, result, std::move(changed));
  }
  return std::make_unique<StreamTraffic>(reactor, plan, result, std::move(changed));
}

}  // namespace

LoadWorker::LoadWorker(const LoadPlan& plan, unsigned index, LoadEvents& events)
    : plan_(plan),
      index_(index),
      events_(events),
      phase_timer_([this] { phase_due(); }),
      check_timer_([this] { tick(); }),
      ramp_timer_([this] { advance(); }),
      publish_timer_([this] { publish(); }),
      reactor_(reactor_options(plan.options)) {
  traffic_ = make_traffic(reactor_, plan, result_, [this] { advance(); });
  if (const LoadOptions& options = plan.options; options.is_open_loop()) {
    pacer_ = std::make_unique<LoadPacer>(
        reactor_, *traffic_, result_,
        ArrivalSchedule(options.arrivals, options.rate, index, options.threads, options.seed));
  }
}

LoadWorker::~LoadWorker() {
  if (thread_.joinable()) {
    reactor_.stop();
    thread_.join();
  }
  // What is still open is aborted by the reactor's end, and says so: nothing may come of it.
  phase_ = Phase::done;
  for (CallbackTimer* timer : {&phase_timer_, &check_timer_, &ramp_timer_, &publish_timer_}) {
    timer->cancel();
  }
  if (pacer_) pacer_->stop();
}

void LoadWorker::run_thread() {
  reactor_.post([this] { begin(); });
  thread_ = std::thread([this] { reactor_.run(); });
}

void LoadWorker::join() { thread_.join(); }

void LoadWorker::start() {
  reactor_.post([this] { start_now(); });
}

void LoadWorker::stop() {
  reactor_.post([this] { stop_now(); });
}

void LoadWorker::begin() {
  connecting_from_ = reactor_.now();
  check_timer_.arm_after(reactor_, traffic_->check_interval());
  publish_timer_.arm_after(reactor_, publish_interval);
  advance();
}

// --- connecting ----------------------------------------------------------------------------------

std::size_t LoadWorker::clients_due() const {
  const std::size_t all = plan_.clients_of(index_);
  const Duration ramp = plan_.options.ramp;
  const Duration since = reactor_.now() - connecting_from_;
  if (since >= ramp) return all;
  const double share = static_cast<double>(since.count()) / static_cast<double>(ramp.count());
  return std::min(all, static_cast<std::size_t>(share * static_cast<double>(all)) + 1);
}

void LoadWorker::open_clients() {
  const std::size_t all = plan_.clients_of(index_);
  const std::size_t due = clients_due();
  // Until one address of several has answered, one client tries them all.
  const auto room = [this] {
    return traffic_->opening() < (traffic_->settled() ? connects_outstanding_max : 1);
  };
  while (next_client_ < due && room()) {
    // A whole batch in a row failed: nobody is there, and the rest would only take its time.
    if (traffic_->failed_in_a_row() >= connects_outstanding_max) next_client_ = all;
    if (next_client_ >= due) break;
    traffic_->open(plan_.client_number(index_, next_client_++));
  }
  if (next_client_ < all && next_client_ >= due && !ramp_timer_.armed()) {
    ramp_timer_.arm_after(reactor_, ramp_interval);
  }
}

// Clients change while they are opened or closed, and say so; one pass at a time looks at them.
void LoadWorker::advance() {
  again_ = true;
  if (advancing_) return;
  advancing_ = true;
  while (std::exchange(again_, false)) {
    switch (phase_) {
      case Phase::connecting:
        open_clients();
        if (next_client_ < plan_.clients_of(index_) || traffic_->opening() > 0) break;
        phase_ = Phase::ready;
        events_.ready();
        break;
      case Phase::ready:
        break;  // the other workers are not yet
      case Phase::warming:
      case Phase::measuring:
        if (traffic_->unfinished() > 0) break;
        measure_until_now();
        close_clients();
        break;
      case Phase::finishing:
        if (traffic_->unfinished() > 0) break;
        measure_until_now();
        close_clients();
        break;
      case Phase::closing:
        if (traffic_->alive() > 0) break;
        phase_ = Phase::done;
        if (measuring_over_) std::swap(result_.measure, aside_);
        publish();
        reactor_.stop();
        events_.done();
        break;
      case Phase::done:
        break;
    }
  }
  advancing_ = false;
}

// --- running -------------------------------------------------------------------------------------

void LoadWorker::start_now() {
  if (phase_ != Phase::ready) return;
  const Duration warmup = plan_.options.by_count() ? Duration::zero() : plan_.options.warmup;
  phase_ = Phase::warming;
  if (warmup > Duration::zero()) {
    phase_timer_.arm_after(reactor_, warmup);
  } else {
    measure_from_now();
  }
  traffic_->start();
  if (pacer_) pacer_->start(clock_ns());
  advance();
}

void LoadWorker::measure_from_now() {
  phase_ = Phase::measuring;
  result_.measure.reset(plan_.options.churn);
  result_.from = result_.until = Time(Duration(clock_ns()));
  if (pacer_) traffic_->count_from(result_.from.time_since_epoch().count());
  result_.measured = true;
  messages_.store(0, std::memory_order_relaxed);  // those of the warm-up are nobody's progress
  events_.measuring_began();
  if (!plan_.options.by_count()) phase_timer_.arm_after(reactor_, plan_.options.duration);
}

void LoadWorker::measure_until_now() {
  phase_timer_.cancel();
  if (phase_ == Phase::measuring || (phase_ == Phase::finishing && !measuring_over_)) {
    result_.until = Time(Duration(clock_ns()));
    std::swap(result_.measure, aside_);
    measuring_over_ = true;
    events_.measuring_ended();
  } else if (phase_ == Phase::warming) {
    result_.measure.reset(plan_.options.churn);  // it ended before anything was measured
  }
}

void LoadWorker::phase_due() {
  switch (phase_) {
    case Phase::warming:
      measure_from_now();
      break;
    case Phase::measuring:
      // What an open loop has planned belongs to the measured span, whenever it is answered.
      if (pacer_) {
        pacer_->stop();
      } else {
        measure_until_now();
      }
      phase_ = Phase::finishing;
      traffic_->stop_sending();
      phase_timer_.arm_after(reactor_, plan_.options.timeout);
      break;
    case Phase::finishing:
      traffic_->give_up();
      break;
    case Phase::closing:
      traffic_->abort_all();
      break;
    case Phase::connecting:
    case Phase::ready:
    case Phase::done:
      break;  // no timer runs in these
  }
  advance();
}

void LoadWorker::tick() {
  traffic_->check();
  check_timer_.arm_after(reactor_, traffic_->check_interval());
  advance();
}

// --- ending --------------------------------------------------------------------------------------

void LoadWorker::close_clients() {
  phase_ = Phase::closing;
  if (pacer_) pacer_->stop();
  check_timer_.cancel();
  phase_timer_.arm_after(reactor_, std::min(farewell, plan_.options.timeout));
  traffic_->finish_all();
  again_ = true;
}

void LoadWorker::stop_now() {
  if (phase_ == Phase::done) return;
  if (pacer_) pacer_->stop();
  ramp_timer_.cancel();
  check_timer_.cancel();
  // First, as what was still unanswered belongs to the measure; nobody goes on meanwhile.
  advancing_ = true;
  traffic_->abort_all();
  advancing_ = false;
  measure_until_now();
  phase_ = Phase::closing;
  advance();
}

void LoadWorker::publish() {
  const bool is_aside = measuring_over_ && phase_ != Phase::done;
  const LoadMeasure& measure = is_aside ? aside_ : result_.measure;
  messages_.store(measure.messages, std::memory_order_relaxed);
  open_.store(measure.connections_opened + result_.idle_opened, std::memory_order_relaxed);
  errors_.store(result_.errors.total(), std::memory_order_relaxed);
  if (phase_ != Phase::done) publish_timer_.arm_after(reactor_, publish_interval);
}

}  // namespace tern::tool
