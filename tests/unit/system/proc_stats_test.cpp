// What is read from /proc.
#include "backends/system/proc_stats.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/temporary_path.hpp"

namespace {

using namespace tern::system;

// /proc with one process, in a directory of its own.
class FakeProc {
 public:
  FakeProc() { std::filesystem::create_directories(root_.string() + "/77"); }
  ~FakeProc() { std::filesystem::remove_all(root_.string()); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = root_.string() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  ServerProcess process() const { return ServerProcess(77, root_.string()); }
  const std::string& root() const { return root_.string(); }

 private:
  tern::test::TemporaryPath root_;
};

TEST_CASE("server process: the time of all threads, in nanoseconds where the kernel has them") {
  const FakeProc fake;
  CHECK(fake.process().exists());
  CHECK_FALSE(ServerProcess(78, fake.root()).exists());
  CHECK_FALSE(fake.process().cpu_s());
  CHECK_FALSE(fake.process().resident_bytes());

  fake.write("77/stat", "77 (a) name (with) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0");
  CHECK(*fake.process().cpu_s() == doctest::Approx(3.0));
  fake.write("77/task/77/schedstat", "1500000000 12 3\n");
  fake.write("77/task/78/schedstat", "250000000 12 3\n");
  CHECK(*fake.process().cpu_s() == doctest::Approx(1.75));
  fake.write("77/status", "Name:\tx\nVmPeak:\t  9000 kB\nVmRSS:\t    2048 kB\n");
  CHECK(*fake.process().resident_bytes() == 2048 * 1024);
}

TEST_CASE("backlog: the most that the kernel grants, where it says so") {
  const FakeProc fake;
  CHECK_FALSE(backlog_max(fake.root()));
  fake.write("sys/net/core/somaxconn", "4096\n");
  CHECK(backlog_max(fake.root()) == 4096);
  fake.write("sys/net/core/somaxconn", "many\n");
  CHECK_FALSE(backlog_max(fake.root()));
}

}  // namespace
