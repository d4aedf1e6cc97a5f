#include "descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tern::test {
namespace {

// The undefined-behaviour sanitizer looks at an object that it meets for the first time by way of a
// pipe, for which there are no descriptors any more when the errors come. So it meets them here.
void see_error_categories() {
  for (const std::error_category* category : {&std::system_category(), &std::generic_category()}) {
    const std::error_code error(EMFILE, *category);
    if (error != std::errc::too_many_files_open || error.default_error_condition() != error) {
      throw std::system_error(error, "not comparable with std::errc");
    }
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

// Every number below the limit is taken. Lowering the limit would be quicker, but an accept that
// io_uring already has under way keeps to the limit that it was started with.
NoMoreDescriptors::NoMoreDescriptors() {
  see_error_categories();
  const int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (first < 0) throw std::system_error(errno, std::generic_category(), "open /dev/null");
  // The sanitizer for undefined behaviour opens a pipe for its first look at an object of a class.
  for (const std::error_category* seen : {&std::generic_category(), &std::system_category()}) {
    (void)seen->default_error_condition(EMFILE).category().name();
  }
  for (int taken = first; taken >= 0; taken = fcntl(first, F_DUPFD_CLOEXEC, 0)) {
    taken_.push_back(taken);
  }
}

NoMoreDescriptors::~NoMoreDescriptors() {
  for (const int taken : taken_) close(taken);
}

}  // namespace tern::test
