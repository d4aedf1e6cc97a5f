#include "tools/tern/connect/stdin_reader.hpp"

#include <array>
#include <utility>

namespace tern::tool {
namespace {

constexpr std::size_t piece_bytes_max = 32 * 1024;

}  // namespace

StdinReader::StdinReader(Reactor& reactor, std::function<void(const std::string&)> arrived,
                         std::function<void(const std::error_code&)> ended)
    : reactor_(reactor),
      arrived_(std::move(arrived)),
      ended_(std::move(ended)),
      thread_([this] { run(); }) {}

StdinReader::~StdinReader() {
  stop();
  thread_.join();
}

void StdinReader::stop() {
  stopped_ = true;
  interrupt_.raise();
  {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
  }
  changed_.notify_all();
}

void StdinReader::taken(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    outstanding_bytes_ -= bytes;
  }
  changed_.notify_all();
}

bool StdinReader::wait_for_room() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] {
    return interrupted_ || outstanding_bytes_ + piece_bytes_max <= outstanding_bytes_max;
  });
  return !interrupted_;
}

void StdinReader::run() {
  std::array<std::byte, piece_bytes_max> piece{};
  std::error_code error;
  while (wait_for_room()) {
    const std::size_t bytes = read_input(piece, interrupt_, error);
    if (bytes == 0) break;
    {
      const std::lock_guard lock(mutex_);
      outstanding_bytes_ += bytes;
    }
    reactor_.post([this, text = std::string(reinterpret_cast<const char*>(piece.data()), bytes)] {
      if (!stopped_) arrived_(text);
    });
  }
  reactor_.post([this, error] {
    if (!stopped_) ended_(error);
  });
}

}  // namespace tern::tool
