// The only file that knows how work is spread over threads, and where threads come from.
//
// Results must be the same bits on any number of threads, so loops are cut into fixed tasks and it
// never matters who runs one. Machines are busy, so a loop waits for tasks and not for threads: the
// leader claims tasks like everybody else, a thread that the system has put to sleep holds up at
// most the one task it had begun, and helpers that do not pay are sent away. Everyone begins with a
// share of their own, which in similar loops touches similar memory, and then takes from the
// others'. Threads live as long as a call, and only at its end are they all waited for: nothing
// idles or spins between calls, and a fork finds no threads.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "forks.hpp"
#include "spare_memory.hpp"
#include "speedup.hpp"
#include "types.hpp"

namespace sparsefm {

/// A leader and its helpers. The leader runs a program; they share its loops.
class Team {
 public:
  explicit Team(int size) : size_(size), shares_(size), alone_(size == 1) {}
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const noexcept { return size_; }

  /// Leader: calls `body(task, member)` once for every task in [0, tasks); `member` tells who runs
  /// it, 0 <= member < size(). After an exception a member begins no other task; the first one is
  /// rethrown when nothing is running any more.
  template <class Body>
  void for_each(Index tasks, const Body& body) {
    ran_ += tasks;
    if (alone_ || tasks <= 1) {
      for (Index task = 0; task < tasks; ++task) body(task, 0);
      own_ += tasks;
      return;
    }
    publish(tasks, &body, [](const void* program, Index task, int member) {
      (*static_cast<const Body*>(program))(task, member);
    });
    own_ += claim_tasks(0);
    pause_until([this] { return unfinished_.load(std::memory_order_acquire) == 0; },
                [this] {
                  if (const auto left = unfinished_.load(std::memory_order_acquire))
                    unfinished_.wait(left);
                });
    if (++loops_ % 16 == 0) review();
    if (failed_.test()) {
      failed_.clear();
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

  /// Leader: `body(block, begin, end)` for [0, items) in blocks of a fixed size.
  template <class Body>
  void for_blocks(Index items, Index block_size, const Body& body) {
    for_each((items + block_size - 1) / block_size, [&](Index block, int) {
      const Index begin = block * block_size;
      body(block, begin, begin + block_size < items ? begin + block_size : items);
    });
  }

  /// Helper: runs tasks until dismissed.
  void help(int member) noexcept {
    if (!can_throw()) return;
    for (;;) {
      const auto seen = round_.load(std::memory_order_acquire);
      if (dismissed_) return;
      claim_tasks(member);
      pause_until([&] { return round_.load(std::memory_order_acquire) != seen; },
                  [&] { round_.wait(seen); });
    }
  }

  /// Leader: says how fast it went since the last review; sends helpers away that do not pay.
  void review() noexcept {
    const auto now = Clocks::now();
    speedup.add(!alone_, now - std::exchange(reviewed_, now), own_, ran_);
    own_ = ran_ = 0;
    if (alone_ || speedup.helpers_pay()) return;
    alone_ = true;
    dismiss();
  }

  /// Leader: there will be no more loops.
  void dismiss() noexcept {
    dismissed_ = true;
    next_round();
  }

 private:
  using Program = void (*)(const void* body, Index task, int member);

  void publish(Index tasks, const void* body, Program program) noexcept {
    tasks_ = tasks;
    body_ = body;
    program_ = program;
    unfinished_.store(static_cast<std::uint32_t>(tasks), std::memory_order_relaxed);
    const std::uint64_t round = round_.load(std::memory_order_relaxed) + 1;
    for (int owner = 0; owner < size_; ++owner) {
      const auto size = static_cast<std::uint32_t>(share_end(owner) - share_end(owner - 1));
      shares_[owner].unclaimed.store(round << 32 | size, std::memory_order_release);
    }
    next_round();
  }

  /// The share of an owner ends here, and the next one's begins.
  Index share_end(int owner) const noexcept { return tasks_ * (owner + 1) / size_; }

  void next_round() noexcept {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }

  /// Claims and runs tasks while there are any, the member's own first; returns how many.
  Index claim_tasks(int member) noexcept {
    Index claimed = 0;
    for (int k = 0; k < size_; ++k) claimed += claim_from((member + k) % size_, member);
    return claimed;
  }

  /// What is being run is read after a claim: as long as a claimed task is unfinished, the leader
  /// cannot publish another loop.
  Index claim_from(int owner, int member) noexcept {
    Index claimed = 0;
    auto& unclaimed = shares_[owner].unclaimed;
    auto ticket = unclaimed.load(std::memory_order_acquire);
    while (const auto left = static_cast<std::uint32_t>(ticket)) {
      if (!unclaimed.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                           std::memory_order_acquire)) {
        continue;
      }
      ++claimed;
      try {
        if (!failed_.test(std::memory_order_relaxed)) {
          program_(body_, share_end(owner) - left, member);
        }
      } catch (...) {
        if (!failed_.test_and_set()) error_ = std::current_exception();
      }
      if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
      ticket = unclaimed.load(std::memory_order_acquire);
    }
    return claimed;
  }

  /// Tries for some tens of microseconds, longer than the leader is between loops, then sleeps.
  template <class Ready, class Sleep>
  static void pause_until(const Ready& ready, const Sleep& sleep) noexcept {
    for (int spin = 0; !ready(); ++spin) {
      if (spin < 1000) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
      } else {
        sleep();
      }
    }
  }

  struct alignas(cache_line) Share {
    std::atomic<std::uint64_t> unclaimed = 0;  // round << 32 | tasks that nobody has begun
  };

  const int size_;
  std::vector<Share> shares_;  // of each member

  // The loop being run; written by the leader while no task is unfinished.
  Index tasks_ = 0;
  const void* body_ = nullptr;
  Program program_ = nullptr;
  std::exception_ptr error_;
  std::atomic_flag failed_;

  bool alone_;               // the leader is
  Index own_ = 0, ran_ = 0;  // tasks that it ran, and that all ran, since the last review
  Clocks reviewed_ = Clocks::now();
  unsigned loops_ = 0;

  std::atomic<bool> dismissed_ = false;
  std::atomic<std::uint32_t> unfinished_ = 0;  // tasks
  std::atomic<std::uint32_t> round_ = 0;       // loops published so far
};

/// How many threads a call is worth: no more than the tasks of its longest loop, and each with at
/// least some ten microseconds of its `work`, in multiply-adds.
inline int team_size(int threads, Index longest_loop, Index work) noexcept {
  constexpr Index work_for_one = 100'000;
  return static_cast<int>(
      std::clamp<Index>(std::min(longest_loop, work / work_for_one), 1, threads));
}

#ifdef _OPENMP
/// Whether the system would start so many threads now. If not, GNU's OpenMP ends the process.
inline bool can_start(int threads) noexcept {
  std::atomic_flag all;
  std::vector<std::thread> started;
  try {
    started.reserve(threads);
    for (int i = 0; i < threads; ++i) started.emplace_back([&] { all.wait(false); });
  } catch (const std::exception&) {
  }
  all.test_and_set();
  all.notify_all();
  for (auto& thread : started) thread.join();
  return static_cast<int>(started.size()) == threads;
}

/// More than GNU's OpenMP needs to begin; if it has too little, it ends the process.
constexpr std::size_t memory_of_openmp = 1 << 20;

/// One helper, to which OpenMP adds the others. A region begins when all its threads run, which
/// takes milliseconds where other programs want the cores, so the leader stays out of it. Nor are
/// its threads taken from those that OpenMP keeps for the caller's thread, perhaps for PyTorch.
inline void help_with_openmp(Team& team) noexcept {
  const int helpers = team.size() - 1;
  if (!can_throw() || !can_start(helpers - 1) || !can_allocate(memory_of_openmp)) {
    team.help(1);
    return;
  }
#ifdef KMP_VERSION_MAJOR
  kmp_set_blocktime(0);  // LLVM's threads go to sleep after the region, and stay
#endif
  std::atomic<int> member = 0;
#pragma omp parallel num_threads(helpers)
  team.help(++member);
#if defined(__GNUC__) && __GNUC__ >= 9
  omp_pause_resource_all(omp_pause_soft);  // GNU's end
#endif
}
#endif

/// Helpers at work, from construction to destruction.
class Helpers {
 public:
  explicit Helpers(Team& team) : team_(team) {
    try {
#ifdef _OPENMP
      if (!is_forked_child()) {
        threads_.emplace_back([&team] { help_with_openmp(team); });
        return;
      }
#endif
      threads_.reserve(team.size() - 1);
      for (int member = 1; member < team.size(); ++member) {
        threads_.emplace_back([&team, member] { team.help(member); });
      }
    } catch (const std::exception&) {
      // No more threads, or no memory for them: the leader manages with those there are.
    }
  }

  ~Helpers() {
    team_.dismiss();
    for (auto& thread : threads_) thread.join();
  }

 private:
  Team& team_;
  std::vector<std::thread> threads_;
};

/// Runs `program(team)` on this thread, with threads - 1 helpers for its loops.
template <class Program>
void with_team(int threads, const Program& program) {
  can_throw();  // most calls begin where there still is memory
  Team team(threads > 1 && speedup.helpers_pay() ? threads : 1);
  if (team.size() == 1) {
    program(team);
  } else {
    const Helpers helpers(team);
    program(team);
  }
  if (threads > 1) team.review();
}

/// The OpenMP standard of this build (yyyymm); 0: none, threads are the standard library's.
constexpr int openmp_version() noexcept {
#ifdef _OPENMP
  return _OPENMP;
#else
  return 0;
#endif
}

}  // namespace sparsefm
