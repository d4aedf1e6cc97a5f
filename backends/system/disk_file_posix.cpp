#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "backends/system/disk_file.hpp"

namespace tern::system {
namespace {

std::error_code last_disk_error() { return {errno, std::generic_category()}; }

int open_file(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (descriptor < 0) throw std::system_error(last_disk_error(), path);
  return descriptor;
}

}  // namespace

DiskFile::DiskFile(const std::string& path)
    : descriptor_(open_file(path, O_RDWR | O_APPEND | O_CREAT)) {}

DiskFile::~DiskFile() { ::close(descriptor_); }

std::error_code DiskFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return last_disk_error();
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::error_code DiskFile::truncate(std::uint64_t bytes) {
  return ::ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0 ? std::error_code()
                                                                  : last_disk_error();
}

std::error_code DiskFile::sync() {
  return ::fsync(descriptor_) == 0 ? std::error_code() : last_disk_error();
}

LockFile::LockFile(const std::string& path) : descriptor_(open_file(path, O_RDWR | O_CREAT)) {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const bool is_busy = errno == EWOULDBLOCK;
  const std::error_code error =
      is_busy ? std::make_error_code(std::errc::device_or_resource_busy) : last_disk_error();
  ::close(descriptor_);
  throw std::system_error(error, path);
}

LockFile::~LockFile() { ::close(descriptor_); }

std::error_code sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return last_disk_error();
  const std::error_code error = ::fsync(descriptor) == 0 ? std::error_code() : last_disk_error();
  ::close(descriptor);
  return error;
}

}  // namespace tern::system
