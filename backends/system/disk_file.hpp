// Files that must survive a crash: appending, cutting, and asking the disk to keep it.
//
//   THREAD  one at a time, but sync() may run beside the others.
//   ERRORS  Constructors throw std::system_error; all else returns what the system said.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace tern::system {

class DiskFile {
 public:
  // Opens for appending; made if it does not exist, readable by its owner alone.
  explicit DiskFile(const std::string& path);
  ~DiskFile();
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;

  std::error_code append(std::string_view bytes);  // on failure a part may have been written
  std::error_code truncate(std::uint64_t bytes);
  std::error_code sync();

 private:
  int descriptor_;
};

// Held by one process at a time, and by nobody once that has ended, in whatever way.
class LockFile {
 public:
  // Throws std::errc::device_or_resource_busy when another one has it.
  explicit LockFile(const std::string& path);
  ~LockFile();
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

 private:
  int descriptor_;
};

// Makes the names of files in it, new and changed ones, survive a crash.
std::error_code sync_directory(const std::string& path);

}  // namespace tern::system
