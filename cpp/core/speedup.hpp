// What helpers are worth at present.
//
// On a quiet machine two threads are nearly twice as fast as one. Where other programs want the
// cores too, they are often slower: the system gives helpers time that it takes from their leader,
// stops them in the middle of a task for which the leader then waits, and what two cores write in
// turn moves between their caches. No rule foretells it, so it is measured.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace sparsefm {

/// Seconds that have passed, and seconds for which this thread had a core.
struct Clocks {
  double wall = 0;
  double cpu = 0;

  static Clocks now() noexcept {
    const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
    const double wall = std::chrono::duration<double>(since_start).count();
#ifdef CLOCK_THREAD_CPUTIME_ID
    std::timespec cpu{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return {wall, static_cast<double>(cpu.tv_sec) + 1e-9 * static_cast<double>(cpu.tv_nsec)};
#else
    return {wall, wall};  // as if the machine were always quiet
#endif
  }

  friend Clocks operator+(const Clocks& a, const Clocks& b) noexcept {
    return {a.wall + b.wall, a.cpu + b.cpu};
  }
  friend Clocks operator-(const Clocks& a, const Clocks& b) noexcept {
    return {a.wall - b.wall, a.cpu - b.cpu};
  }
};

/// Tests set it: what they say of helpers must not depend on how busy the machine is.
inline std::atomic<bool> always_help = false;

/// Decides for one thread whether its calls have helpers: as long as they bring enough. When they
/// do not, calls do without them for a while, and then try again.
///
/// A speed is counted in threads that nobody disturbs: the part of the time for which the leader
/// had a core, times the number of tasks for each one of its own. So it can be compared between
/// calls that do different things, and a quiet machine, where it is far above 1, never has to try
/// what it would be without helpers.
class Speedup {
 public:
  bool helpers_pay() const noexcept { return always_help || Clocks::now().wall >= alone_until_; }

  /// In a time of so many seconds, `tasks` were run, `own` of them by the leader.
  void add(bool helped, const Clocks& seconds, std::int64_t own, std::int64_t tasks) noexcept {
    auto& sum = sums_[helped];
    sum = {sum.seconds + seconds, sum.own + own, sum.tasks + tasks};
    if (sum.seconds.wall < enough_seconds) return;
    speeds_[helped] = sum.seconds.cpu / sum.seconds.wall * static_cast<double>(sum.tasks) /
                      static_cast<double>(std::max<std::int64_t>(sum.own, 1));
    sum = {};
    decide(helped);
  }

 private:
  // Less than this time says nothing: the system lets programs take turns of some milliseconds.
  static constexpr double enough_seconds = 0.02;
  // A task takes the leader longer with helpers than without, as cache lines move between cores.
  static constexpr double enough_gain = 1.3;
  static constexpr double shortest = 0.05, longest = 1.6;  // seconds without helpers

  void decide(bool helped) noexcept {
    auto& [alone, together] = speeds_;
    if (together >= enough_gain * alone) {
      alone_until_ = 0;
      if (helped) {
        pause_ = shortest;
        alone += (1 - alone) / 8;  // it was measured long ago, and may be better by now
      }
    } else if (helped) {
      alone_until_ = Clocks::now().wall + pause_;
      pause_ = std::min(2 * pause_, longest);
    }
  }

  struct Sum {
    Clocks seconds;
    std::int64_t own = 0, tasks = 0;
  };

  Sum sums_[2];                // without helpers, with them
  double speeds_[2] = {1, 2};  // likewise
  double alone_until_ = 0;
  double pause_ = shortest;
};

inline thread_local Speedup speedup;

}  // namespace sparsefm
