// What a system reports by another name than the rest is told by the one that all others use.
#include <doctest/doctest.h>

#include <cerrno>
#include <system_error>

#include "backends/socket/posix.hpp"

TEST_CASE("posix errors: a socket that is being torn down is a peer that is gone") {
  CHECK(tern::posix::error_from(EPROTOTYPE) == std::errc::connection_reset);
}

TEST_CASE("posix errors: none is no error, and the others stay what they are") {
  CHECK_FALSE(tern::posix::error_from(0));
  CHECK(tern::posix::error_from(ECONNREFUSED) == std::errc::connection_refused);
  CHECK(tern::posix::error_from(EPIPE) == std::errc::broken_pipe);
}
