// The only file that knows how work is spread over threads, and where threads come from.
//
// Results must be the same bits on any number of threads, so loops are cut into fixed tasks and it
// never matters who runs one. Machines are busy, so a loop waits for tasks and not for threads: the
// leader claims tasks like everybody else, and a thread that the system has put to sleep holds up
// at most the one task it had begun. Everyone begins with a share of their own, which in similar
// loops touches similar memory, and then takes from the others'. Threads live as long as a call,
// and only at its end are they all waited for: nothing idles between calls, and a fork finds none.
#pragma once

#ifdef _OPENMP
#include <omp.h>
#endif
#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "types.hpp"

namespace sparsefm {

using Nanoseconds = std::int64_t;

inline Nanoseconds now() noexcept {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since_start).count();
}

/// Whether helpers are worth having, which this process learns as it goes.
///
/// Where other programs want the cores too, the system puts a helper to sleep in the middle of a
/// task, and the leader waits for it, often for some milliseconds. So what helpers save is booked
/// against what they cost. When they have cost more, calls do without them for a while, then try
/// again; the while doubles each time, until they pay.
class Balance {
 public:
  bool helpers_pay() const noexcept { return now() >= alone_until_.load(relaxed); }

  void book(Nanoseconds saved) noexcept {
    auto balance = std::min(balance_.load(relaxed) + saved, most);
    if (balance == most) while_.store(shortest, relaxed);
    if (balance < least) {
      alone_until_.store(now() + while_.load(relaxed), relaxed);
      while_.store(std::min(2 * while_.load(relaxed), longest), relaxed);
      balance = 0;
    }
    balance_.store(balance, relaxed);
  }

 private:
  static constexpr auto relaxed = std::memory_order_relaxed;  // a booking that is lost does no harm
  static constexpr Nanoseconds ms = 1'000'000;
  static constexpr Nanoseconds least = -5 * ms, most = 20 * ms;          // of the balance
  static constexpr Nanoseconds shortest = 50 * ms, longest = 1600 * ms;  // time without helpers

  std::atomic<Nanoseconds> balance_ = 0, alone_until_ = 0, while_ = shortest;
};

inline Balance balance;

/// A leader and its helpers. The leader runs a program; they share its loops.
class Team {
 public:
  explicit Team(int size) : size_(size), shares_(size) {}
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const noexcept { return size_; }

  /// Leader: calls `body(task, member)` once for every task in [0, tasks); `member` tells who runs
  /// it, 0 <= member < size(). After an exception a member begins no other task; the first one is
  /// rethrown when nothing is running any more.
  template <class Body>
  void for_each(Index tasks, const Body& body) {
    if (alone_ || tasks <= 1) {
      for (Index task = 0; task < tasks; ++task) body(task, 0);
      return;
    }
    publish(tasks, &body, [](const void* program, Index task, int member) {
      (*static_cast<const Body*>(program))(task, member);
    });
    const Nanoseconds begun = now();
    const Index own = claim_tasks(0);
    const Nanoseconds done = now();
    busy_ += done - begun;
    own_ += own;
    others_ += tasks - own;
    const bool slept =
        pause_until([this] { return unfinished_.load(std::memory_order_acquire) == 0; },
                    [this] {
                      if (const auto left = unfinished_.load(std::memory_order_acquire))
                        unfinished_.wait(left);
                    });
    if (slept) {
      book_wait(now() - done);
      alone_ = !balance.helpers_pay();
      if (alone_) dismiss();
    }
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
    for (;;) {
      const auto seen = round_.load(std::memory_order_acquire);
      if (dismissed_) return;
      claim_tasks(member);
      pause_until([&] { return round_.load(std::memory_order_acquire) != seen; },
                  [&] { round_.wait(seen); });
    }
  }

  /// Leader: books a time of waiting for helpers against the tasks that they took off it.
  void book_wait(Nanoseconds waited) noexcept {
    waited_ += waited;
    const Nanoseconds saved = own_ > 0 ? busy_ * others_ / own_ - waited_ : -waited_;
    balance.book(saved - std::exchange(booked_, saved));
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

  /// Tries for some tens of microseconds, longer than the leader is between loops, then sleeps;
  /// returns whether it did.
  template <class Ready, class Sleep>
  static bool pause_until(const Ready& ready, const Sleep& sleep) noexcept {
    int spin = 0;
    for (; !ready(); ++spin) {
      if (spin < patience) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
      } else {
        sleep();
      }
    }
    return spin > patience;
  }

  struct alignas(cache_line) Share {
    std::atomic<std::uint64_t> unclaimed = 0;  // round << 32 | tasks that nobody has begun
  };

  static constexpr int patience = 1000;  // pauses

  const int size_;
  std::vector<Share> shares_;  // of each member

  // The loop being run; written by the leader while no task is unfinished.
  Index tasks_ = 0;
  const void* body_ = nullptr;
  Program program_ = nullptr;
  std::exception_ptr error_;
  std::atomic_flag failed_;

  // What the leader books: its time in tasks, how many it ran, how many others ran, its waits.
  bool alone_ = size_ == 1;
  Nanoseconds busy_ = 0, waited_ = 0, booked_ = 0;
  Index own_ = 0, others_ = 0;

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

#if __has_include(<unistd.h>)
/// The process that loaded this code; asking for its number notices every kind of fork.
inline const auto home = getpid();

/// Whether this is a child made by fork, where OpenMP may wait for threads that its parent has.
inline bool is_forked_child() noexcept { return getpid() != home; }
#else
inline bool is_forked_child() noexcept { return false; }  // Windows has no fork
#endif

#ifdef _OPENMP
/// Whether the system would start so many threads now. If not, GNU's OpenMP ends the process.
inline bool can_start(int threads) noexcept {
  std::atomic_flag all;
  std::vector<std::thread> started;
  try {
    started.reserve(threads);
    while (static_cast<int>(started.size()) < threads)
      started.emplace_back([&] { all.wait(false); });
  } catch (const std::exception&) {
  }
  all.test_and_set();
  all.notify_all();
  for (auto& thread : started) thread.join();
  return static_cast<int>(started.size()) == threads;
}

/// One helper, to which OpenMP adds the others. A region begins when all its threads run, which
/// takes milliseconds where other programs want the cores, so the leader stays out of it. Nor are
/// its threads taken from those that OpenMP keeps for the caller's thread, perhaps for PyTorch.
inline void help_with_openmp(Team& team) noexcept {
  const int helpers = can_start(team.size() - 2) ? team.size() - 1 : 1;
  std::atomic<int> member = 0;
#pragma omp parallel num_threads(helpers)
  team.help(++member);
#if _OPENMP >= 201811 || (defined(__GNUC__) && __GNUC__ >= 9)  // OpenMP 5.0
  omp_pause_resource_all(omp_pause_soft);  // frees the threads, or sends them to sleep
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
    const Nanoseconds begun = now();
    for (auto& thread : threads_) thread.join();
    team_.book_wait(now() - begun);
  }

 private:
  Team& team_;
  std::vector<std::thread> threads_;
};

/// Runs `program(team)` on this thread, with threads - 1 helpers for its loops.
template <class Program>
void with_team(int threads, const Program& program) {
  Team team(balance.helpers_pay() ? threads : 1);
  if (team.size() == 1) {
    program(team);
  } else {
    const Helpers helpers(team);
    program(team);
  }
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
