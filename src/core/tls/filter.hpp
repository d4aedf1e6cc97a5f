// Filter: TLS as a filter of bytes. Ciphertext comes from memory and goes to memory; it knows no
// socket, no poller and no connection, and is the same on every kernel.
//
//             Wire::input ──────────► read()  ──────► plaintext
//                           filter
//             Wire::output ◄───────── write() ◄────── plaintext
//
//   This is the seam: an engine is one implementation of Filter and of TlsContext (tern/tls.hpp),
//   in files of its own. OpenSSL's are openssl_*.cpp; a build without TLS has absent.cpp.
//
//   OWNERSHIP  The filter keeps no reference to a wire after a call. What a call did not consume of
//              `input` must be offered again, in front of what comes later.
//   THREAD     One at a time.
//   ERRORS     A call never throws but std::bad_alloc. After `failed` and `truncated` the filter is
//              dead; the alert that tells the peer is in `output`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <system_error>
#include <vector>

#include "tern/tls.hpp"

namespace tern::tls {

using Bytes = std::span<const std::byte>;

// The longest piece of plaintext that goes into one record.
inline constexpr std::size_t record_bytes_max = 16 * 1024;

struct Wire {
  Bytes input;                     // consumed from the front
  bool input_ended = false;        // nothing will follow `input`
  std::vector<std::byte>& output;  // appended to
  // `output` must not become longer than this; whoever limits it gets `want_output`.
  std::size_t output_bytes_max = std::numeric_limits<std::size_t>::max();
};

enum class Result : std::uint8_t {
  done,         // the handshake is over; bytes were read, or written
  want_input,   // nothing more without further input
  want_output,  // nothing more without room in the output
  ended,        // the peer has said all, and said so
  truncated,    // the input ended without the peer saying so
  failed,       // error() says why
};

class Filter {
 public:
  virtual ~Filter() = default;
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // One step, as far as the input goes; never `ended`. REQUIRES not done before.
  virtual Result handshake(Wire& wire) = 0;
  // Decrypts into `into` until it is full or the input is used up; `count` bytes were read,
  // whatever the result is. `done`: there may be more. REQUIRES handshake done; `into` not empty.
  virtual Result read(Wire& wire, std::span<std::byte> into, std::size_t& count) = 0;
  // Encrypts `plaintext`; `count` bytes of it were consumed. After want_*: offer at least the
  // same bytes again, wherever they lie now. REQUIRES handshake done, end() not called.
  virtual Result write(Wire& wire, Bytes plaintext, std::size_t& count) = 0;
  // Says that we have said all (close_notify); reading goes on.
  virtual Result end(Wire& wire) = 0;
  // Something to read without further input.
  virtual bool has_input() const = 0;
  virtual bool resumed() const = 0;
  virtual std::error_code error() const = 0;
  virtual TlsInfo info() const = 0;

 protected:
  Filter() = default;
};

}  // namespace tern::tls
