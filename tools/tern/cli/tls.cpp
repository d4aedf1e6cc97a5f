#include "tools/tern/cli/tls.hpp"

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "tools/tern/cli/exit_codes.hpp"
#include "tools/tern/cli/log.hpp"
#include "tools/tern/cli/options.hpp"
#include "tools/tern/cli/text_file.hpp"
#include "tools/tern/cli/units.hpp"

namespace tern::tool {
namespace {

constexpr const char* group = "TLS";

CLI::Option* add_file(CLI::App& app, const std::string& name, std::string& target,
                      const std::string& description) {
  return add_text(app, name, "FILE", "", description,
                  [&target](const std::string& text) { target = text; })
      ->group(group);
}

void add_files(CLI::App& app, const std::string& name, std::vector<std::string>& target,
               const std::string& description) {
  with_environment(app.add_option_function<std::vector<std::string>>(
                          name, [&target](const auto& paths) { target = paths; }, description)
                       ->type_name("FILE")
                       ->expected(1)
                       ->take_all())
      ->group(group);
}

void add_version(CLI::App& app, const std::string& name, const std::string& initially,
                 const std::string& description, TlsVersion& target) {
  add_text(app, name, "VERSION", initially, description + ": 1.2 or 1.3",
           [name, &target](const std::string& text) {
             if (text != "1.2" && text != "1.3") {
               refuse(name, text, "a version", "1.2 or 1.3");
             }
             target = text == "1.2" ? TlsVersion::tls1_2 : TlsVersion::tls1_3;
           })
      ->group(group);
}

void add_version_min(CLI::App& app, TlsVersion& target) {
  add_version(app, "--tls-min", "1.2", "the oldest version to speak", target);
}

void add_protocols(CLI::App& app, std::vector<std::string>& target) {
  add_text(app, "--tls-alpn", "NAMES", "",
           "application protocols to agree on, with commas between, the most wanted first",
           [&target](const std::string& text) {
             target.clear();
             std::istringstream names(text);
             for (std::string name; std::getline(names, name, ',');) target.push_back(name);
           })
      ->group(group);
}

void add_key_log(CLI::App& app, std::string& target) {
  add_file(app, "--tls-keylog", target,
           "append the secrets of each connection, for packet analysis: whoever has this file can "
           "read everything");
}

// Each line is written at once: an analyser may be reading.
std::function<void(std::string_view)> key_log_to(const std::string& path) {
  if (path.empty()) return {};
  struct Log {
    std::mutex mutex;
    std::ofstream file;
  };
  auto log_file = std::make_shared<Log>();
  std::error_code ignored;  // an existing file keeps its mode
  if (!std::filesystem::exists(path, ignored)) write_new_file(path, {}, true);
  log_file->file.open(path, std::ios::app);
  if (!log_file->file) {
    throw CommandError(exit_configuration,
                       fmt::format("--tls-keylog {}: it cannot be written", path));
  }
  log(LogLevel::warning,
      "the secrets of all TLS connections are written to {}: who can read it can read them", path);
  return [log_file](std::string_view line) {
    const std::lock_guard lock(log_file->mutex);
    log_file->file << line << std::endl;
  };
}

// What we found wrong ourselves says it all; "invalid argument" behind it would say nothing.
CommandError configuration_error(const std::system_error& error) {
  std::string message = error.what();
  const std::string suffix = ": " + error.code().message();
  const bool is_ours = error.code() == std::errc::invalid_argument ||
                       message.find(" with: chmod ") != std::string::npos;
  if (is_ours && message.ends_with(suffix)) message.erase(message.size() - suffix.size());
  return {exit_configuration, message};
}

std::vector<TlsIdentity> read_identities(const TlsServerSettings& settings) {
  std::vector<TlsIdentity> identities;
  for (std::size_t i = 0; i < settings.certificates.size(); ++i) {
    identities.push_back(TlsIdentity::from_files(settings.certificates[i], settings.keys[i],
                                                 i == 0 ? settings.ocsp : std::string()));
  }
  return identities;
}

}  // namespace

void add_tls_server_options(CLI::App& app, TlsServerSettings& settings) {
  add_files(app, "--tls-cert", settings.certificates,
            "the certificate of tls:// addresses and its chain (PEM); repeatable: clients get the "
            "one whose names match, or the first");
  add_files(app, "--tls-key", settings.keys, "its private key (PEM), one for each --tls-cert");
  add_file(app, "--tls-ocsp", settings.ocsp, "an OCSP response (DER) to staple to the first one");
  add_text(app, "--tls-verify", "HOW", "off",
           "certificates of clients: off, optional or required (by --tls-ca)",
           [&settings](const std::string& text) {
             auto& policy = settings.options.client_certificates;
             if (text == "off") {
               policy = TlsClientCertificates::off;
             } else if (text == "optional") {
               policy = TlsClientCertificates::optional;
             } else if (text == "required") {
               policy = TlsClientCertificates::required;
             } else {
               throw CLI::ValidationError(
                   "--tls-verify",
                   fmt::format("'{}' is not known; write off, optional or required", text));
             }
           })
      ->group(group);
  add_file(app, "--tls-ca", settings.authorities, "the authorities (PEM) of clients' certificates");
  add_version_min(app, settings.options.version_min);
  add_protocols(app, settings.options.protocols);
  add_key_log(app, settings.key_log);
}

std::shared_ptr<TlsContext> make_tls(const TlsServerSettings& settings) {
  if (!settings.options.identities.empty()) return make_tls_server(settings.options);
  if (settings.certificates.empty() || settings.certificates.size() != settings.keys.size()) {
    throw CommandError(
        exit_usage,
        settings.certificates.empty()
            ? "tls:// needs --tls-cert FILE and --tls-key FILE; a pair for development comes from: "
              "tern cert --out DIR"
            : fmt::format("{} --tls-cert and {} --tls-key; give one key for each certificate",
                          settings.certificates.size(), settings.keys.size()));
  }
  TlsServerOptions options = settings.options;
  const bool verifies = options.client_certificates != TlsClientCertificates::off;
  if (verifies == settings.authorities.empty()) {
    throw CommandError(exit_usage,
                       verifies ? "--tls-verify needs --tls-ca FILE: the authorities to trust"
                                : "--tls-ca alone does nothing; add --tls-verify required");
  }
  if (verifies) options.client_authorities_pem = read_text("--tls-ca", settings.authorities);
  options.key_log = key_log_to(settings.key_log);
  try {
    options.identities = read_identities(settings);
    return make_tls_server(options);
  } catch (const std::system_error& error) {
    throw configuration_error(error);
  }
}

void reload_tls(TlsContext& context, const TlsServerSettings& settings) {
  try {
    context.set_identities(read_identities(settings));
  } catch (const std::system_error& error) {
    throw configuration_error(error);
  }
}

void add_tls_client_options(CLI::App& app, TlsClientSettings& settings) {
  add_file(app, "--tls-ca", settings.authorities,
           "the authorities (PEM) that the server's certificate must come from (unset: the "
           "system's)");
  add_text(app, "--tls-name", "NAME", "", "the name that the server must prove (unset: the URL's)",
           [&settings](const std::string& text) { settings.name = text; })
      ->group(group);
  add_text(app, "--tls-fingerprint", "SHA256", "",
           "the only certificate to accept, by its SHA-256 in hex digits, whoever signed it",
           [&settings](const std::string& text) { settings.options.fingerprint = text; })
      ->group(group);
  with_environment(app.add_flag_callback(
                       "--tls-insecure", [&settings] { settings.options.verify = false; },
                       "believe whoever answers: for tests alone"))
      ->group(group);
  add_file(app, "--tls-cert", settings.certificate,
           "our own certificate (PEM), if one is asked for");
  add_file(app, "--tls-key", settings.key, "its private key (PEM)");
  add_version_min(app, settings.options.version_min);
  add_version(app, "--tls-max", "1.3", "the newest version to speak", settings.options.version_max);
  add_protocols(app, settings.options.protocols);
  add_key_log(app, settings.key_log);
}

std::shared_ptr<TlsContext> make_tls(const TlsClientSettings& settings) {
  TlsClientOptions options = settings.options;
  if (settings.certificate.empty() != settings.key.empty()) {
    throw CommandError(exit_usage, "--tls-cert and --tls-key belong together; give both");
  }
  if (!options.verify && !options.fingerprint.empty()) {
    throw CommandError(exit_usage,
                       "--tls-insecure would ignore --tls-fingerprint; drop one of them");
  }
  if (options.version_min > options.version_max) {
    throw CommandError(exit_usage, "--tls-min 1.3 is newer than --tls-max 1.2; drop one of them");
  }
  if (!settings.authorities.empty()) {
    options.authorities_pem = read_text("--tls-ca", settings.authorities);
  }
  if (!options.verify) {
    log(LogLevel::warning,
        "--tls-insecure: nobody checks who answers; anybody on the way can read and change all");
  }
  options.key_log = key_log_to(settings.key_log);
  try {
    if (!settings.certificate.empty()) {
      options.identity = TlsIdentity::from_files(settings.certificate, settings.key);
    }
    return make_tls_client(options);
  } catch (const std::system_error& error) {
    throw configuration_error(error);
  }
}

}  // namespace tern::tool
