// StdinReader: standard input, read on a thread of its own and handed to a reactor in pieces.
//
//   Standard input may be a terminal, a pipe or a file; no poller can watch all of these, so a
//   thread waits for it. What was read and not yet given back by taken() is bounded: a peer that
//   does not read stops the reading.
//   THREAD  The reactor's; the callbacks come there, too.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "backends/system/console.hpp"
#include "tern/reactor.hpp"

namespace tern::tool {

class StdinReader {
 public:
  // Read and not given back, at most.
  static constexpr std::size_t outstanding_bytes_max = 256 * 1024;

  // `arrived` gets at least one byte; `ended` comes once, last, with the reason if reading failed.
  StdinReader(Reactor& reactor, std::function<void(const std::string&)> arrived,
              std::function<void(const std::error_code&)> ended);
  // Stops, and waits for the thread. The reactor must not run any more.
  ~StdinReader();
  StdinReader(const StdinReader&) = delete;
  StdinReader& operator=(const StdinReader&) = delete;

  // No callback comes after this.
  void stop();
  // Gives room back for as many bytes as have been passed on.
  void taken(std::size_t bytes);

 private:
  void run();
  bool wait_for_room();

  Reactor& reactor_;
  std::function<void(const std::string&)> arrived_;
  std::function<void(const std::error_code&)> ended_;
  bool stopped_ = false;  // the reactor's thread only

  system::Interrupt interrupt_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t outstanding_bytes_ = 0;
  bool interrupted_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace tern::tool
