#include "src/support/log.hpp"

#include <atomic>

namespace tern::support {
namespace {

std::atomic<LogSink> log_sink{nullptr};
std::atomic<LogLevel> least_level{LogLevel::info};

}  // namespace

void set_log_sink(LogSink sink) { log_sink = sink; }

void set_least_log_level(LogLevel level) { least_level = level; }

bool log_enabled(LogLevel level) {
  return log_sink.load(std::memory_order_relaxed) != nullptr &&
         level >= least_level.load(std::memory_order_relaxed);
}

void log_line(LogLevel level, std::string_view message) {
  if (log_enabled(level)) log_sink.load()(level, message);
}

}  // namespace tern::support
