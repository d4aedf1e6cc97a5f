// Counts the user-space instructions of a running process, by single steps:
//
//   step_count PID     counts from the line `counting` until SIGTERM, then prints the number
//
// Exact, and of the machine itself: valgrind 3.19 lets no other thread run, and no signal in, while
// one waits in io_uring_enter(2). A system call is one instruction. Threads that begin meanwhile
// are not counted. The process is killed at the end: a step that is on its way would kill it later.
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { threads_max = 256, exit_usage = 64, exit_unavailable = 69 };

static pid_t threads[threads_max];
static size_t thread_count;
static volatile sig_atomic_t is_over;

static void on_terminate(int signal_number) {
  (void)signal_number;
  is_over = 1;
}

static void fail(const char* what, const char* where) {
  fprintf(stderr, "step_count: %s %s: %s\n", what, where, strerror(errno));
  exit(exit_unavailable);
}

static void seize_all(const char* process) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/task", process);
  DIR* folder = opendir(path);
  if (folder == NULL) fail("process", process);
  for (const struct dirent* entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    const pid_t thread = (pid_t)atoi(entry->d_name);
    if (thread == 0 || thread_count == threads_max) continue;
    if (ptrace(PTRACE_SEIZE, thread, NULL, PTRACE_O_EXITKILL) != 0 ||
        ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0)
      fail("cannot trace thread", entry->d_name);
    threads[thread_count++] = thread;
  }
  closedir(folder);
}

// A signal that the thread was stopped for is passed on; a step's own is not.
static int signal_to_pass(int status) {
  const int signal_number = WSTOPSIG(status);
  return status >> 16 != 0 || signal_number == SIGTRAP ? 0 : signal_number;
}

int main(int argument_count, char** arguments) {
  if (argument_count != 2 || atoi(arguments[1]) <= 0) {
    fprintf(stderr, "usage: %s PID\n", arguments[0]);
    return exit_usage;
  }
  // Without SA_RESTART: it must end the wait.
  const struct sigaction terminate = {.sa_handler = on_terminate};
  sigaction(SIGTERM, &terminate, NULL);
  seize_all(arguments[1]);
  printf("counting\n");
  fflush(stdout);
  unsigned long long instructions = 0;
  while (!is_over) {
    int status = 0;
    const pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0 && errno == ECHILD) break;
    if (thread < 0 || !WIFSTOPPED(status)) continue;
    if (status >> 16 == 0 && WSTOPSIG(status) == SIGTRAP) ++instructions;
    (void)ptrace(PTRACE_SINGLESTEP, thread, NULL, signal_to_pass(status));
  }
  printf("%llu\n", instructions);
  return 0;
}
