// TlsState: what a connection has more when it speaks TLS. A plain one pays for a null pointer.
//
//     send() ─► plaintext ─► filter ─► Connection::output_ ─► kernel
//     received() ◄───────────  filter ◄── held ◄───────────────── kernel
//
//   Output is encrypted as late as possible and in long records: at most a few of them wait for the
//   kernel, all else as plaintext. Input is held back only while the protocol has paused, or while
//   a handshake waits for its turn. Not installed.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "src/core/connection/connection.hpp"
#include "src/core/tls/filter.hpp"

namespace tern {

struct TlsState {
  std::shared_ptr<TlsContext> context;
  std::string peer_name;                // of a client, until there is a filter
  std::unique_ptr<tls::Filter> filter;  // from the first byte on: silence costs nothing
  OutputQueue* plaintext = nullptr;     // only while something is queued
  std::vector<std::byte> held;          // received, not yet decrypted
  std::size_t sealed_bytes = 0;         // of the user's, in the ciphertext that is not taken yet
  // How the stream goes on behind what was read while the protocol had paused.
  tls::Result postponed = tls::Result::want_input;
  Time handshake_from{};
  Duration handshake_took{};
  std::error_code error;
  CloseReason failure = CloseReason::tls_error;
  bool failed = false;
  bool said_goodbye = false;
  bool is_counted = false;  // in Core::handshakes
  bool is_waiting = false;  // in Core::waiting
  std::list<ConnectionImpl*>::iterator handshake{};
  std::list<ConnectionImpl*>::iterator waiting{};
};

}  // namespace tern
