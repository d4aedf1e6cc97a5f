// What is said where the kernel grants no ring, with a filter for system calls in its place.
#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

#include "backends/io_uring/io_uring.hpp"

namespace {

constexpr std::string_view no_filter = "no filter";

// From now on io_uring_setup(2) fails like this, in this process and for good.
bool refuse_rings(unsigned error) {
  std::array<sock_filter, 4> steps{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{static_cast<unsigned short>(steps.size()), steps.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

std::string what_is_said(unsigned error) {
  if (!refuse_rings(error)) return std::string(no_filter);
  try {
    const tern::io_uring::Poller poller({});
    return "nothing";
  } catch (const std::system_error& thrown) {
    return thrown.what();
  }
}

// In a child, because a filter cannot be taken back.
std::string said_by_a_child(unsigned error) {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string said = what_is_said(error);
    const bool is_written =
        write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    _exit(is_written ? 0 : 1);
  }
  close(ends[1]);
  std::string said;
  std::array<char, 256> part{};
  for (ssize_t count = 0; (count = read(ends[0], part.data(), part.size())) > 0;) {
    said.append(part.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  return said;
}

}  // namespace

TEST_CASE("io_uring start: a kernel without it, or that forbids it, is told in one line") {
  struct Refusal {
    unsigned error;
    std::string_view words;
  };
  for (const Refusal& refusal : {Refusal{EPERM, "io_uring is not available: forbidden here"},
                                 Refusal{EINVAL, "io_uring is not available: needs Linux 6.1"},
                                 Refusal{ENOSYS, "io_uring is not available"}}) {
    const std::string said = said_by_a_child(refusal.error);
    if (said == no_filter) {
      MESSAGE("skipped: no filter for system calls may be set here");
      return;
    }
    CAPTURE(said);
    CHECK(said.starts_with(refusal.words));
    CHECK(said.find("build with -Dpoller=epoll") != std::string::npos);
    CHECK(said.find('\n') == std::string::npos);
  }
}
