// TLS contexts: certificates, names, protocols, clients' certificates, tickets, verification.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_path.hpp"
#include "tests/unit/tls/pipe.hpp"

using namespace tern;
using namespace tern::test;

namespace {

// What the client says when it talks to a server with `leaf` that it knows as `name`.
std::string verdict(const TlsIdentity& leaf, const std::string& name,
                    const TlsClientOptions& client = test_client_options()) {
  TlsServerOptions server;
  server.identities = {leaf};
  TlsPipe pipe(*make_tls_server(server), *make_tls_client(client), name);
  const auto outcome = pipe.handshake();
  if (outcome.client == Result::done) return "good";
  return pipe.client.filter->error().message();
}

std::string problem_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.what();
  }
  return "nothing";
}

// Both have said hello, so that tickets have been read.
void talk(TlsPipe& pipe) {
  pipe.open();
  pipe.server.write_all("hello");
  carry(pipe.server, pipe.client);
  REQUIRE(pipe.client.read() == Result::want_input);
  REQUIRE(pipe.client.received == "hello");
}

}  // namespace

TEST_CASE("tls context: a client believes nobody whose chain or name is wrong") {
  const TlsIdentity leaf = test_leaf({"good.example", "*.wild.example", "127.0.0.1"});
  CHECK(verdict(leaf, "good.example") == "good");
  CHECK(verdict(leaf, "a.wild.example") == "good");
  CHECK(verdict(leaf, "127.0.0.1") == "good");
  CHECK(verdict(leaf, "bad.example") == "hostname mismatch");
  CHECK(verdict(leaf, "a.b.wild.example") == "hostname mismatch");
  CHECK(verdict(leaf, "127.0.0.2") == "IP address mismatch");

  const TlsIdentity stranger = make_tls_authority({.common_name = "stranger"});
  const TlsIdentity other = make_tls_leaf(stranger, {.hosts = {"good.example"}});
  CHECK(verdict(other, "good.example") == "unable to get local issuer certificate");
  const TlsIdentity own = make_tls_leaf({.hosts = {"good.example"}});
  CHECK(verdict(own, "good.example") == "self-signed certificate");

  TlsCertificateRequest past{.hosts = {"good.example"}};
  past.lifetime = std::chrono::hours(-1);
  CHECK(verdict(make_tls_leaf(test_authority(), past), "good.example") ==
        "certificate has expired");
  TlsCertificateRequest client{.hosts = {"good.example"}};
  client.is_client = true;
  CHECK(verdict(make_tls_leaf(test_authority(), client), "good.example") != "good");

  TlsClientOptions trusting = test_client_options();
  trusting.verify = false;
  CHECK(verdict(own, "bad.example", trusting) == "good");
}

TEST_CASE("tls context: what cannot be checked is not believed") {
  CHECK(verdict(test_leaf({"fe80::1"}), "fe80::1") == "good");
  CHECK(verdict(test_leaf({"fe80::1"}), "fe80::1%1") == "good");
  CHECK(verdict(test_leaf({"good.example"}), "fe80::1%1") == "IP address mismatch");
  const std::string with_a_nul("good.example\0.example", 21);
  CHECK(verdict(test_leaf({"good.example"}), with_a_nul) ==
        "no certificate can prove the name that is expected");
  const std::string endless(300, 'a');
  CHECK(verdict(test_leaf({"good.example"}), endless) ==
        "no certificate can prove the name that is expected");
}

TEST_CASE("tls context: a fingerprint accepts one certificate, whoever signed it") {
  const TlsIdentity own = make_tls_leaf({.hosts = {"good.example"}});
  TlsClientOptions options;
  options.fingerprint = tls_fingerprint(own.certificate_pem);
  CHECK(verdict(own, "another.example", options) == "good");
  CHECK(verdict(test_leaf({"good.example"}), "good.example", options) ==
        "the certificate has another fingerprint");
  options.fingerprint = "12:34";
  CHECK(problem_of([&] { make_tls_client(options); }).find("64 hex digits") != std::string::npos);
  options.fingerprint = tls_fingerprint(own.certificate_pem);
  options.verify = false;
  CHECK(problem_of([&] { make_tls_client(options); }).find("nobody") != std::string::npos);
}

TEST_CASE("tls context: an RSA key serves as well") {
  TlsCertificateRequest request{.hosts = {"localhost"}};
  request.key = TlsKeyKind::rsa_2048;
  CHECK(verdict(make_tls_leaf(test_authority(), request), "localhost") == "good");
}

TEST_CASE("tls context: the certificate follows the server's name") {
  TlsServerOptions options;
  options.identities = {test_leaf({"one.example"}), test_leaf({"two.example", "*.two.example"})};
  const auto server = make_tls_server(options);
  const auto presented = [&](const std::string& name) {
    TlsClientOptions client = test_client_options();
    client.verify = false;
    TlsPipe pipe(*server, *make_tls_client(client), name);
    pipe.open();
    return pipe.client.filter->info().peer_subject;
  };
  CHECK(presented("one.example") == "CN=one.example");
  CHECK(presented("two.example") == "CN=two.example");
  CHECK(presented("a.two.example") == "CN=two.example");
  CHECK(presented("unknown.example") == "CN=one.example");
  CHECK(presented("127.0.0.1") == "CN=one.example");
}

TEST_CASE("tls context: application protocols") {
  const auto agreed = [](std::vector<std::string> server, std::vector<std::string> client) {
    TlsServerOptions server_options = test_server_options();
    server_options.protocols = std::move(server);
    TlsClientOptions client_options = test_client_options();
    client_options.protocols = std::move(client);
    TlsPipe pipe(server_options, client_options);
    if (pipe.handshake().client != Result::done) return pipe.client.filter->error().message();
    CHECK(pipe.server.filter->info().protocol == pipe.client.filter->info().protocol);
    return pipe.client.filter->info().protocol;
  };
  CHECK(agreed({"echo", "chat"}, {"chat", "echo"}) == "echo");
  CHECK(agreed({"echo"}, {}).empty());
  CHECK(agreed({}, {"echo"}).empty());
  CHECK(agreed({"echo"}, {"http/1.1"}) == "tlsv1 alert no application protocol");
  TlsServerOptions options = test_server_options();
  options.protocols = {""};
  CHECK(problem_of([&] { make_tls_server(options); }).find("1 to 255") != std::string::npos);
}

TEST_CASE("tls context: clients' certificates off, optional and required") {
  TlsCertificateRequest request{.common_name = "alice"};
  request.is_client = true;
  const TlsIdentity alice = make_tls_leaf(test_authority(), request);
  const TlsIdentity mallory = make_tls_leaf(request);
  const auto seen = [](TlsClientCertificates policy, const TlsIdentity& identity) {
    TlsServerOptions server = test_server_options();
    server.client_certificates = policy;
    server.client_authorities_pem = test_authority().certificate_pem;
    TlsClientOptions client = test_client_options();
    client.identity = identity;
    TlsPipe pipe(server, client);
    if (pipe.handshake().server != Result::done) return pipe.server.filter->error().message();
    return pipe.server.filter->info().peer_subject;
  };
  CHECK(seen(TlsClientCertificates::off, alice).empty());
  CHECK(seen(TlsClientCertificates::optional, alice) == "CN=alice");
  CHECK(seen(TlsClientCertificates::optional, {}).empty());
  CHECK(seen(TlsClientCertificates::optional, mallory) == "self-signed certificate");
  CHECK(seen(TlsClientCertificates::required, alice) == "CN=alice");
  CHECK(seen(TlsClientCertificates::required, {}) == "peer did not return a certificate");
}

TEST_CASE("tls context: sessions are resumed, also after new certificates") {
  for (const TlsVersion version : {TlsVersion::tls1_2, TlsVersion::tls1_3}) {
    const auto server = make_tls_server(test_server_options());
    TlsClientOptions client_options = test_client_options();
    client_options.version_min = client_options.version_max = version;
    const auto client = make_tls_client(client_options);
    for (int round = 0; round < 4; ++round) {
      INFO("version ", static_cast<int>(version), ", round ", round);
      TlsPipe pipe(*server, *client);
      talk(pipe);
      CHECK(pipe.client.filter->info().resumed == (round > 0));
      CHECK(pipe.server.filter->info().resumed == (round > 0));
      if (round == 2) server->set_identities({test_leaf({"localhost", "127.0.0.1"})});
    }
    // Another name is another peer.
    TlsPipe elsewhere(*server, *client, "127.0.0.1");
    talk(elsewhere);
    CHECK_FALSE(elsewhere.client.filter->info().resumed);
  }
}

TEST_CASE("tls context: no tickets, no resumption; and none of another server") {
  TlsServerOptions options = test_server_options();
  options.tickets = 0;
  for (const TlsVersion version : {TlsVersion::tls1_2, TlsVersion::tls1_3}) {
    TlsClientOptions client_options = test_client_options();
    client_options.version_max = version;
    const auto client = make_tls_client(client_options);
    const auto without = make_tls_server(options);
    for (int round = 0; round < 2; ++round) {
      TlsPipe pipe(*without, *client);
      talk(pipe);
      CHECK_FALSE(pipe.client.filter->info().resumed);
    }
    const auto one = make_tls_server(test_server_options());
    const auto other = make_tls_server(test_server_options());
    TlsPipe first(*one, *client);
    talk(first);
    TlsPipe second(*other, *client);
    talk(second);
    CHECK_FALSE(second.client.filter->info().resumed);
  }
}

TEST_CASE("tls context: ticket keys rotate, and an old one opens for one lifetime more") {
  TlsServerOptions options = test_server_options();
  options.ticket_key_lifetime = Duration::zero();  // a new key each time
  const auto server = make_tls_server(options);
  const auto client = make_tls_client(test_client_options());
  for (int round = 0; round < 3; ++round) {
    TlsPipe pipe(*server, *client);
    talk(pipe);
    CHECK_FALSE(pipe.client.filter->info().resumed);
  }
}

TEST_CASE("tls context: new certificates are for new connections; bad ones change nothing") {
  TlsServerOptions options;
  options.identities = {test_leaf({"localhost", "old.example"})};
  const auto server = make_tls_server(options);
  TlsClientOptions client_options = test_client_options();
  client_options.resume = false;
  const auto client = make_tls_client(client_options);
  const auto fingerprint = [&] {
    TlsPipe pipe(*server, *client);
    talk(pipe);
    return pipe.client.filter->info().peer_fingerprint;
  };
  TlsPipe old(*server, *client);
  talk(old);
  TlsPipe halfway(*server, *client);  // its handshake goes on over the change
  halfway.client.handshake();
  const std::string before = fingerprint();
  TlsIdentity broken = options.identities.front();
  broken.key_pem = test_leaf({"localhost"}).key_pem;
  CHECK(problem_of([&] { server->set_identities({broken}); }).find("does not belong") !=
        std::string::npos);
  CHECK(problem_of([&] { server->set_identities({}); }).find("needs a certificate") !=
        std::string::npos);
  CHECK(fingerprint() == before);
  server->set_identities({test_leaf({"localhost", "new.example"})});
  CHECK(fingerprint() != before);
  halfway.open();
  CHECK(halfway.client.filter->info().peer_fingerprint == before);
  old.client.write_all("still here");
  carry(old.client, old.server);
  CHECK(old.server.read() == Result::want_input);
  CHECK(old.server.received == "still here");
}

TEST_CASE("tls context: secrets are logged to whoever asked") {
  std::vector<std::string> lines;
  TlsServerOptions options = test_server_options();
  options.key_log = [&](std::string_view line) { lines.emplace_back(line); };
  TlsPipe pipe(options, test_client_options());
  pipe.open();
  REQUIRE_FALSE(lines.empty());
  for (const std::string& line : lines) {
    CHECK(line.find("SECRET") != std::string::npos);
  }
}

TEST_CASE("tls context: a stapled response is handed out") {
  TlsServerOptions options = test_server_options();
  options.identities.front().ocsp_response = "any bytes do";
  TlsPipe pipe(options, test_client_options());
  pipe.open();
}

TEST_CASE("tls context: files, and keys that others may read") {
  namespace fs = std::filesystem;
  const TemporaryPath directory;
  fs::create_directory(directory.string());
  const std::string certificate = directory.string() + "/cert.pem";
  const std::string key = directory.string() + "/key.pem";
  const TlsIdentity leaf = test_leaf({"localhost"});
  std::ofstream(certificate) << leaf.certificate_pem;
  std::ofstream(key) << leaf.key_pem;
  fs::permissions(key, fs::perms::owner_read | fs::perms::owner_write);
  TlsServerOptions options;
  options.identities = {TlsIdentity::from_files(certificate, key)};
  make_tls_server(options);

  // Windows makes modes up: everybody may always read.
  const bool has_modes =
      (fs::status(key).permissions() & fs::perms::others_read) == fs::perms::none;
  fs::permissions(key, fs::perms::others_read, fs::perm_options::add);
  const std::string exposed = problem_of([&] { TlsIdentity::from_files(certificate, key); });
  CHECK((exposed.find("chmod 600 " + key) != std::string::npos) == has_modes);
  const std::string missing = problem_of([&] { TlsIdentity::from_files(certificate + "x", key); });
  CHECK(missing == "certificate " + certificate + "x: No such file or directory");
  CHECK(problem_of([&] { TlsIdentity::from_files(directory.string(), key); }).find("not a file") !=
        std::string::npos);

  const auto refusal = [](const std::string& certificate_pem, const std::string& key_pem) {
    TlsServerOptions bad;
    bad.identities = {{certificate_pem, key_pem, {}, "cert.pem"}};
    return problem_of([&] { make_tls_server(bad); });
  };
  CHECK(refusal("", leaf.key_pem).find("no PEM certificate in cert.pem") == 0);
  CHECK(refusal(leaf.certificate_pem, "").find("no PEM private key for cert.pem") == 0);
  CHECK(refusal("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", leaf.key_pem)
            .find("a certificate in cert.pem: ") == 0);
  fs::remove_all(directory.string());
}

TEST_CASE("tls context: what cannot be in a certificate") {
  for (const char* host : {"a,b", "", "*.", "x y", "http://x"}) {
    CHECK(problem_of([&] { test_leaf({host}); }).find("is not a host name") != std::string::npos);
  }
  CHECK(problem_of([] {
          make_tls_authority({.common_name = std::string(65, 'x')});
        }).find("longer than 64") != std::string::npos);
}

TEST_CASE("tls context: the engine has a name") { CHECK(tls_engine().find("OpenSSL 3") == 0); }
