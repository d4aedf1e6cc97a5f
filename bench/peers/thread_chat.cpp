// A chat as the teaching texts write it: a thread for each client, blocking calls, one list of all
// sockets, and a send for each line and each client. Here the list has a lock, and who is gone is
// taken off it, so that it can be measured at all; the slowest reader still stops everybody.
#include "peer.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

static std::mutex clients_mutex;
static std::vector<int> clients;

static void broadcast(int sender, const std::string& line) {
  const std::lock_guard lock(clients_mutex);
  for (const int client : clients) {
    if (client != sender) (void)send(client, line.data(), line.size(), MSG_NOSIGNAL);
  }
}

static void serve(int client) {
  char buffer[1024];
  std::string line;
  for (;;) {
    const ssize_t received = recv(client, buffer, sizeof buffer, 0);
    if (received <= 0) break;
    for (ssize_t i = 0; i < received; ++i) {
      line += buffer[i];
      if (buffer[i] != '\n') continue;
      broadcast(client, line);
      line.clear();
    }
  }
  {
    const std::lock_guard lock(clients_mutex);
    std::erase(clients, client);
  }
  close(client);
}

int main(int argument_count, char** arguments) {
  const int listener = peer_listen(peer_port(argument_count, arguments));
  fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) & ~O_NONBLOCK);
  std::signal(SIGTERM, [](int) { _exit(0); });
  peer_announce(listener, "tcp");
  for (;;) {
    const int client = accept(listener, nullptr, nullptr);
    if (client < 0) continue;
    {
      const std::lock_guard lock(clients_mutex);
      clients.push_back(client);
    }
    std::thread(serve, client).detach();
  }
}
