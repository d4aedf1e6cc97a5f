#include "tools/tern/echo/protocol.hpp"

#include <algorithm>

namespace tern::tool {

void Echo::received(Connection& connection, std::span<const std::byte> bytes) {
  connection.send(bytes);
}

void Echo::ended(Connection& connection) { connection.finish(); }

void DatagramEcho::received(DatagramSocket& socket, std::span<const Datagram> datagrams) {
  // A datagram that lost its tail is not what the peer sent: silence is better than a wrong echo.
  const auto truncated = [](const Datagram& datagram) { return datagram.truncated; };
  while (!datagrams.empty()) {
    const auto end = std::find_if(datagrams.begin(), datagrams.end(), truncated);
    const auto whole = static_cast<std::size_t>(end - datagrams.begin());
    if (whole > 0) socket.send(datagrams.first(whole));
    datagrams = datagrams.subspan(std::min(whole + 1, datagrams.size()));
  }
}

}  // namespace tern::tool
