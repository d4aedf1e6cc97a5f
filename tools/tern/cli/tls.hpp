// TLS on the command line: the options of servers and of clients, and what they come to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tern/tls.hpp"

namespace CLI {
class App;
}

namespace tern::tool {

struct TlsServerSettings {
  std::vector<std::string> certificates;  // files, the first for clients that ask for no name
  std::vector<std::string> keys;          // in the same order
  std::string ocsp;                       // for the first certificate
  std::string authorities;                // a file: whose client certificates are good
  std::string key_log;                    // a file
  TlsServerOptions options;               // with identities: these count, and no files
};

// Registers --tls-cert, --tls-key and so on; `settings` must outlive the parsing.
void add_tls_server_options(CLI::App& app, TlsServerSettings& settings);
// Reads the files. Throws CommandError (64 without a certificate, 78 for a bad file).
std::shared_ptr<TlsContext> make_tls(const TlsServerSettings& settings);
// Reads the certificates and keys again. Throws CommandError; nothing has changed then.
void reload_tls(TlsContext& context, const TlsServerSettings& settings);

struct TlsClientSettings {
  std::string authorities;  // a file
  std::string certificate;  // our own: files
  std::string key;
  std::string key_log;
  std::string name;  // whom the peer must prove to be; empty: the URL's host
  TlsClientOptions options;
};

void add_tls_client_options(CLI::App& app, TlsClientSettings& settings);
std::shared_ptr<TlsContext> make_tls(const TlsClientSettings& settings);

}  // namespace tern::tool
