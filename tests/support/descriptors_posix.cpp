#include "descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tern::test {
namespace {

void change_soft_limit(rlim_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw std::system_error(errno, std::generic_category(), "getrlimit RLIMIT_NOFILE");
  }
  limit.rlim_cur = count;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw std::system_error(errno, std::generic_category(), "setrlimit RLIMIT_NOFILE");
  }
}

rlim_t soft_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw std::system_error(errno, std::generic_category(), "getrlimit RLIMIT_NOFILE");
  }
  return limit.rlim_cur;
}

}  // namespace

// Asking each number is slower than reading /proc, but every POSIX system has it.
std::size_t open_descriptors() {
  std::size_t count = 0;
  const int end = static_cast<int>(soft_limit());
  for (int descriptor = 0; descriptor < end; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) != -1) ++count;
  }
  return count;
}

// The limit bounds the highest number, and the kernel gives out the lowest free one: so the limit
// goes to that number, and nothing below it is free.
NoMoreDescriptors::NoMoreDescriptors() : soft_limit_before_(soft_limit()) {
  const int lowest_free = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (lowest_free < 0) {
    throw std::system_error(errno, std::generic_category(), "open /dev/null");
  }
  close(lowest_free);
  change_soft_limit(static_cast<rlim_t>(lowest_free));
}

NoMoreDescriptors::~NoMoreDescriptors() { change_soft_limit(soft_limit_before_); }

}  // namespace tern::test
