// A path for a Unix socket that no other test uses; whatever lies there is removed at the end.
#pragma once

#include <filesystem>
#include <random>
#include <string>
#include <system_error>

namespace tern::test {

class TemporaryPath {
 public:
  TemporaryPath() {
    std::random_device device;
    path_ = (std::filesystem::temp_directory_path() /
             ("tern-" + std::to_string(device()) + std::to_string(device()) + ".sock"))
                .string();
  }
  ~TemporaryPath() {
    std::error_code ignored;  // there may be nothing to remove
    std::filesystem::remove(path_, ignored);
  }
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

  const std::string& string() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tern::test
