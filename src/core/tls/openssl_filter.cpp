#include "src/core/tls/openssl_filter.hpp"

#include <openssl/x509v3.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "tern/endpoint.hpp"

namespace tern::tls {

// --- the BIO: OpenSSL's idea of a stream, over the wire of the call in hand ---

struct WireBio {
  static OpenSslFilter& filter(BIO* bio) { return *static_cast<OpenSslFilter*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, std::size_t size, std::size_t* count) {
    OpenSslFilter& self = filter(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    // A flood ends here: no retry flag means that the stream is broken.
    if (self.wire_ == nullptr || self.flooded_) return 0;
    Bytes& input = self.wire_->input;
    *count = std::min(size, input.size());
    if (*count == 0) {
      if (!self.wire_->input_ended) BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(into, input.data(), *count);
    input = input.subspan(*count);
    return 1;
  }

  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* count) {
    OpenSslFilter& self = filter(bio);
    BIO_clear_retry_flags(bio);
    *count = 0;
    if (self.wire_ == nullptr) return 0;
    auto& output = self.wire_->output;
    const std::size_t most = self.wire_->output_bytes_max;
    *count = std::min(size, most - std::min(most, output.size()));
    if (*count == 0) {
      BIO_set_retry_write(bio);
      return 0;
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(from);
    output.insert(output.end(), bytes, bytes + *count);
    return 1;
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command != BIO_CTRL_EOF) return 0;
    const Wire* wire = filter(bio).wire_;
    return wire != nullptr && wire->input_ended && wire->input.empty() ? 1 : 0;
  }

  static const BIO_METHOD* method() {
    static const auto methods = [] {
      std::unique_ptr<BIO_METHOD, Freer<BIO_meth_free>> made(
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tern wire"));
      if (made == nullptr) throw std::bad_alloc();
      BIO_meth_set_read_ex(made.get(), read);
      BIO_meth_set_write_ex(made.get(), write);
      BIO_meth_set_ctrl(made.get(), control);
      return made;
    }();
    return methods.get();
  }

  // OpenSSL shows each record's header before it reads the record.
  static void message(int is_write, int, int type, const void*, std::size_t, SSL*, void* self) {
    if (is_write == 0 && type == SSL3_RT_HEADER) {
      static_cast<OpenSslFilter*>(self)->record_began();
    }
  }
};

// The wire is there during a call only, and so are OpenSSL's errors.
class OpenSslFilter::Call {
 public:
  Call(OpenSslFilter& filter, Wire& wire) : filter_(filter) {
    filter_.wire_ = &wire;
    // Looking is a tenth of the work of clearing, and there is next to never anything.
    if (ERR_peek_error() != 0) ERR_clear_error();
  }
  ~Call() { filter_.wire_ = nullptr; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  OpenSslFilter& filter_;
};

OpenSslFilter::OpenSslFilter(std::shared_ptr<const Generation> generation, std::string peer_name)
    : generation_(std::move(generation)),
      peer_name_(std::move(peer_name)),
      ssl_(SSL_new(generation_->identities.front().context.get())) {
  ERR_clear_error();
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(WireBio::method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_msg_callback(ssl_.get(), WireBio::message);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  if (settings().is_server) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
    if (!expect(peer_name_)) fail(Result::failed, make_error(error_name));
    restore_session();
  }
}

// Otherwise OpenSSL would take the session of a stream that ended without an alert for spoilt, and
// not resume it, which was the rule in TLS 1.0.
OpenSslFilter::~OpenSslFilter() {
  const bool spoilt = dead_ && death_ == Result::failed;
  if (!spoilt) {
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
}

OpenSslFilter& OpenSslFilter::of(const SSL* ssl) {
  return *static_cast<OpenSslFilter*>(SSL_get_app_data(ssl));
}

// A name is asked for and checked; a numeric address is only checked, for SNI knows names alone
// (RFC 6066 3). Returns false for what OpenSSL cannot check, which would be no check at all.
bool OpenSslFilter::expect(const std::string& peer_name) {
  const bool is_address = Endpoint::from_address(peer_name, 0).has_value();
  const bool counts = settings().verify && settings().fingerprint.empty();
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_.get());
  if (is_address) {
    if (!counts) return true;
    // The zone of fe80::1%eth0 is this host's affair (RFC 4007 11).
    const std::string address = peer_name.substr(0, peer_name.find('%'));
    return X509_VERIFY_PARAM_set1_ip_asc(expected, address.c_str()) == 1;
  }
  if (SSL_set_tlsext_host_name(ssl_.get(), peer_name.c_str()) != 1) return false;
  if (!counts) return true;
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(expected, peer_name.data(), peer_name.size()) == 1;
}

void OpenSslFilter::restore_session() {
  if (!settings().resume) return;
  const SessionHandle session = generation_->settings->sessions.take(peer_name_);
  if (session != nullptr) SSL_set_session(ssl_.get(), session.get());
}

// Nothing limits what a peer may send between data: key updates, tickets, empty records.
void OpenSslFilter::record_began() {
  flooded_ = ++fruitless_records_ > (open_ ? fruitless_records_max : handshake_records_max);
}

Result OpenSslFilter::fail(Result result, const std::error_code& error) {
  ERR_clear_error();
  dead_ = true;
  death_ = result;
  error_ = error;
  return result;
}

Result OpenSslFilter::result_of(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return Result::want_input;
    case SSL_ERROR_WANT_WRITE:
      return Result::want_output;
    case SSL_ERROR_ZERO_RETURN:
      if (open_) return Result::ended;
      // A closing alert before there is anything to close.
      return fail(Result::truncated, make_error(error_refused));
    default:
      break;
  }
  if (flooded_) return fail(Result::failed, make_error(error_flood));
  if (refusal_ != 0) return fail(Result::failed, make_error(refusal_));
  const unsigned long code = ERR_peek_error();
  const bool is_end = ERR_GET_LIB(code) == ERR_LIB_SSL &&
                      ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  if (is_end || (code == 0 && wire_->input_ended && wire_->input.empty())) {
    return fail(Result::truncated, make_error(error_truncated));
  }
  const long verified = SSL_get_verify_result(ssl_.get());
  if (!open_ && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
    return fail(Result::failed, make_error(static_cast<int>(verified)));
  }
  return fail(Result::failed, take_error());
}

Result OpenSslFilter::handshake(Wire& wire) {
  if (dead_) return death_;
  assert(!open_);
  const Call call(*this, wire);
  const int returned = SSL_do_handshake(ssl_.get());
  if (returned != 1) return result_of(returned);
  open_ = true;
  fruitless_records_ = 0;
  return Result::done;
}

Result OpenSslFilter::read(Wire& wire, std::span<std::byte> into, std::size_t& count) {
  count = 0;
  if (dead_) return death_;
  assert(open_ && !into.empty());
  const Call call(*this, wire);
  while (count < into.size()) {
    std::size_t read = 0;
    const int returned = SSL_read_ex(ssl_.get(), into.data() + count, into.size() - count, &read);
    if (returned != 1) return result_of(returned);
    count += read;
    fruitless_records_ = 0;
  }
  return Result::done;
}

Result OpenSslFilter::write(Wire& wire, Bytes plaintext, std::size_t& count) {
  count = 0;
  if (dead_) return death_;
  assert(open_);
  const Call call(*this, wire);
  while (count < plaintext.size()) {
    std::size_t written = 0;
    const std::size_t size = std::min(plaintext.size() - count, record_bytes_max);
    const int returned = SSL_write_ex(ssl_.get(), plaintext.data() + count, size, &written);
    if (returned != 1) return result_of(returned);
    count += written;
  }
  return Result::done;
}

Result OpenSslFilter::end(Wire& wire) {
  if (dead_) return death_;
  assert(open_);
  const Call call(*this, wire);
  const int returned = SSL_shutdown(ssl_.get());
  // Zero: sent, and the peer's is still to come, which is read()'s business.
  return returned >= 0 ? Result::done : result_of(returned);
}

bool OpenSslFilter::has_input() const { return SSL_pending(ssl_.get()) > 0; }

TlsInfo OpenSslFilter::info() const {
  const SSL* ssl = ssl_.get();
  TlsInfo info;
  info.version = SSL_get_version(ssl);
  info.cipher = SSL_get_cipher_name(ssl);
  const unsigned char* protocol = nullptr;
  unsigned int protocol_bytes = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &protocol_bytes);
  if (protocol != nullptr) {
    info.protocol.assign(reinterpret_cast<const char*>(protocol), protocol_bytes);
  }
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name != nullptr) info.server_name = name;
  info.resumed = resumed();
  const X509* peer = SSL_get0_peer_certificate(ssl);
  if (peer == nullptr) return info;
  info.peer_fingerprint = fingerprint_of(peer);
  const BioHandle text(BIO_new(BIO_s_mem()));
  if (text == nullptr) throw std::bad_alloc();
  X509_NAME_print_ex(text.get(), X509_get_subject_name(peer), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  info.peer_subject.assign(data, static_cast<std::size_t>(size));
  return info;
}

}  // namespace tern::tls
