// Certificates and keys from files.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tern/process.hpp"
#include "tern/tls.hpp"

namespace tern {
namespace {

constexpr std::uintmax_t file_bytes_max = 1024 * 1024;

std::string read_file(const std::string& what, const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    const auto missing = std::make_error_code(std::errc::no_such_file_or_directory);
    throw std::system_error(error ? error : missing, what + " " + path);
  }
  if (!std::filesystem::is_regular_file(status) ||
      std::filesystem::file_size(path, error) > file_bytes_max) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            what + " " + path + " is not a file of at most 1 MiB");
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) {
    throw std::system_error(std::make_error_code(std::errc::permission_denied), what + " " + path);
  }
  return text;
}

// Whoever can read the key can be us.
void check_secret(const std::string& path) {
  if (!is_readable_by_all(path)) return;
  throw std::system_error(
      std::make_error_code(std::errc::permission_denied),
      "key " + path + " can be read by every user; make it yours alone with: chmod 600 " + path);
}

}  // namespace

TlsIdentity TlsIdentity::from_files(const std::string& certificate_file,
                                    const std::string& key_file, const std::string& ocsp_file) {
  TlsIdentity identity;
  identity.name = certificate_file;
  identity.certificate_pem = read_file("certificate", certificate_file);
  identity.key_pem = read_file("key", key_file);
  check_secret(key_file);
  if (!ocsp_file.empty()) identity.ocsp_response = read_file("OCSP response", ocsp_file);
  return identity;
}

}  // namespace tern
