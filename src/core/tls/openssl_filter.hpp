// The filter of the OpenSSL engine: an SSL object over a BIO that reads and writes the wire of the
// call in hand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "src/core/tls/filter.hpp"
#include "src/core/tls/openssl_context.hpp"

namespace tern::tls {

class OpenSslFilter final : public Filter {
 public:
  OpenSslFilter(std::shared_ptr<const Generation> generation, std::string peer_name);
  ~OpenSslFilter() override;

  Result handshake(Wire& wire) override;
  Result read(Wire& wire, std::span<std::byte> into, std::size_t& count) override;
  Result write(Wire& wire, Bytes plaintext, std::size_t& count) override;
  Result end(Wire& wire) override;
  bool has_input() const override;
  bool resumed() const override { return SSL_session_reused(ssl_.get()) == 1; }
  std::error_code error() const override { return error_; }
  TlsInfo info() const override;

  static OpenSslFilter& of(const SSL* ssl);
  const Generation& generation() const { return *generation_; }
  const Settings& settings() const { return *generation_->settings; }
  const std::string& peer_name() const { return peer_name_; }
  // A certificate was refused for a reason that OpenSSL has no code for.
  void refuse(int error) { refusal_ = error; }

 private:
  // Records in a row that bring no data: so many during a handshake, and so many after it.
  static constexpr std::uint32_t handshake_records_max = 512;
  static constexpr std::uint32_t fruitless_records_max = 32;

  class Call;
  friend struct WireBio;

  bool expect(const std::string& peer_name);
  void restore_session();
  void record_began();
  Result result_of(int returned);
  Result fail(Result result, const std::error_code& error);

  std::shared_ptr<const Generation> generation_;
  std::string peer_name_;  // a client's
  ConnectionHandle ssl_;
  Wire* wire_ = nullptr;  // during a call
  std::error_code error_;
  std::uint32_t fruitless_records_ = 0;
  int refusal_ = 0;
  bool open_ = false;
  bool flooded_ = false;
  bool dead_ = false;
  Result death_ = Result::failed;
};

}  // namespace tern::tls
