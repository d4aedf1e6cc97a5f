// tern cert: an authority for development and a certificate that it signed.
#include <fmt/core.h>

#include <CLI/App.hpp>
#include <filesystem>
#include <memory>

#include "tern/tls_certificates.hpp"
#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/help.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/output.hpp"
#include "tools/tern/cli/text_file.hpp"
#include "tools/tern/commands.hpp"

namespace tern::tool {
namespace {

constexpr std::string_view manual = R"(Examples:
  tern cert --out certs                          for localhost, 127.0.0.1 and ::1
  tern cert --out certs --host echo.example --host '*.echo.example'
  tern echo --listen tls://127.0.0.1:7443 --tls-cert certs/cert.pem --tls-key certs/key.pem
  tern connect tls://127.0.0.1:7443 --tls-ca certs/ca.pem
  tern cert --out certs --client alice           signed by the authority that is there

Writes ca.pem and ca-key.pem (the authority: what clients trust), cert.pem and key.pem (the
server's), or client.pem and client-key.pem. Keys are readable by their owner alone. No file is
ever overwritten; an authority that is in the directory already is used.

Whoever has ca-key.pem can be any server to those who trust ca.pem: for development alone.)";

struct CertOptions {
  std::string directory;
  std::vector<std::string> hosts;
  std::string client;
  bool rsa = false;
  std::uint64_t days = 365;
};

std::string within(const CertOptions& options, const char* name) {
  return (std::filesystem::path(options.directory) / name).string();
}

TlsIdentity authority_of(const CertOptions& options, TlsKeyKind kind) {
  const std::string certificate = within(options, "ca.pem");
  const std::string key = within(options, "ca-key.pem");
  const bool has_certificate = std::filesystem::exists(certificate);
  const bool has_key = std::filesystem::exists(key);
  if (has_certificate != has_key) {
    throw CommandError(
        exit_configuration,
        fmt::format("{} is there without {}; restore that, or remove this",
                    has_certificate ? certificate : key, has_certificate ? key : certificate));
  }
  if (has_certificate) return TlsIdentity::from_files(certificate, key);
  TlsCertificateRequest request;
  request.key = kind;
  request.lifetime = std::chrono::hours(24 * 10 * 365);
  TlsIdentity authority = make_tls_authority(request);
  write_new_file(key, authority.key_pem, true);
  write_new_file(certificate, authority.certificate_pem, false);
  return authority;
}

int make_certificates(const CertOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) {
    throw CommandError(exit_cannot_create, fmt::format("--out {} cannot be created: {}",
                                                       options.directory, describe(error)));
  }
  const bool is_client = !options.client.empty();
  const std::string certificate_file = within(options, is_client ? "client.pem" : "cert.pem");
  const std::string key_file = within(options, is_client ? "client-key.pem" : "key.pem");
  for (const std::string& file : {certificate_file, key_file}) {
    if (std::filesystem::exists(file, error)) {
      throw CommandError(exit_cannot_create,
                         fmt::format("{} exists; remove it, or write another --out", file));
    }
  }
  TlsCertificateRequest request;
  request.key = options.rsa ? TlsKeyKind::rsa_2048 : TlsKeyKind::ecdsa_p256;
  request.lifetime = std::chrono::hours(24 * options.days);
  request.is_client = is_client;
  request.common_name = options.client;
  if (!is_client) request.hosts = options.hosts;
  try {
    make_tls_leaf(request);  // names are checked before an authority is written
  } catch (const std::system_error& refused) {
    throw CommandError(exit_usage, refused.what());
  }
  TlsIdentity leaf;
  try {
    leaf = make_tls_leaf(authority_of(options, request.key), request);
  } catch (const std::system_error& refused) {
    throw CommandError(exit_configuration, refused.what());
  }
  write_new_file(key_file, leaf.key_pem, true);
  write_new_file(certificate_file, leaf.certificate_pem, false);
  print(fmt::format("certificate {}\nkey {}\nauthority {}\nfingerprint {}\n", certificate_file,
                    key_file, within(options, "ca.pem"), tls_fingerprint(leaf.certificate_pem)));
  return exit_success;
}

}  // namespace

void add_cert(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CertOptions>();
  options->hosts = {"localhost", "127.0.0.1", "::1"};
  with_environment(app.add_option("-o,--out", options->directory, "the directory to write to")
                       ->type_name("DIR")
                       ->required());
  with_environment(
      app.add_option("--host", options->hosts,
                     "a name or an address of the server; repeatable; the first label may be *")
          ->type_name("NAME")
          ->expected(1)
          ->take_all()
          ->default_str("localhost, 127.0.0.1 and ::1"));
  add_text(app, "--client", "NAME", "", "a client's certificate for that name instead",
           [options](const std::string& text) { options->client = text; });
  add_count(app, "--days", options->days, "how long it is good", 1, 3650);
  with_environment(
      app.add_flag("--rsa", options->rsa, "RSA keys of 2,048 bits instead of ECDSA P-256"));
  app.footer(fmt::format(
      "{}\n\n{}", manual,
      exit_codes_help({{exit_success, "written"},
                       {exit_usage},
                       {exit_internal},
                       {exit_cannot_create},
                       {exit_configuration, "the authority in the directory cannot be used"}})));
  app.callback([options, &exit_code] { exit_code = make_certificates(*options); });
}

}  // namespace tern::tool
