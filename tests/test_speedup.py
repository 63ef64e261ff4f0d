"""When calls do without helpers: the decision alone, compiled without the rest."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "cpp/core/speedup.hpp"
COMPILER = "c++"

if not SOURCE.exists() or shutil.which(COMPILER) is None:
    pytest.skip("no sources or no compiler", allow_module_level=True)

MAIN = """
#include <cstdio>
#include <thread>
#include "%s"

using namespace sparsefm;

// Tells of 25 ms, for which the leader had a core for this share of the time and ran half of the
// tasks, or all; prints whether the next call has helpers.
void tell(bool helped, double share) {
  speedup.add(helped, {0.025, 0.025 * share}, helped ? 50 : 100, 100);
  std::printf("%%d ", speedup.helpers_pay());
}

// Gives helpers up and prints after how many milliseconds they are tried again.
void give_up() {
  speedup.add(true, {0.025, 0.0125}, 50, 100);
  const double begun = Clocks::now().wall;
  while (!speedup.helpers_pay()) std::this_thread::yield();
  std::printf("%%.1f ", 1000 * (Clocks::now().wall - begun));
}

int main() { %s }
"""


@pytest.fixture
def decisions(tmp_path):
    """Return a function that runs some C++ and returns the numbers that it prints."""

    def run(steps):
        (tmp_path / "main.cpp").write_text(MAIN % (SOURCE, steps))
        command = [COMPILER, "-std=c++20", "-pthread", "main.cpp", "-o", "main"]
        subprocess.run(command, cwd=tmp_path, check=True)
        out = subprocess.check_output([tmp_path / "main"], text=True)
        return [float(number) for number in out.split()]

    return run


def test_helpers_stay_where_nobody_disturbs(decisions):
    assert decisions("for (int i = 0; i < 50; ++i) tell(true, 0.95);") == [1] * 50


def test_helpers_that_bring_too_little_are_given_up(decisions):
    # Each of two threads had half a core: a speed of 1. One alone had a whole core: also 1.
    assert decisions("tell(true, 0.5); tell(false, 1);") == [0, 0]


def test_helpers_are_tried_again_less_and_less_often(decisions):
    pauses = decisions("for (int i = 0; i < 4; ++i) give_up();")
    # Less is left of each where the machine is busy.
    assert all(pause > least for pause, least in zip(pauses, (20, 60, 120, 240), strict=True))
    assert pauses[0] < 49 + 99


def test_helpers_that_paid_meanwhile_are_tried_again_as_soon_as_at_first(decisions):
    *_, paid, last = decisions("give_up(); give_up(); give_up(); tell(true, 0.9); give_up();")
    assert paid == 1
    assert last < 199


def test_helpers_stay_where_a_thread_alone_is_disturbed_as_much(decisions):
    assert decisions("tell(true, 0.4); tell(false, 0.5); tell(true, 0.4);") == [0, 1, 1]
    # What one thread alone had is not believed for ever.
    assert decisions("tell(false, 0.5); for (int i = 0; i < 20; ++i) tell(true, 0.4);")[-1] == 0


def test_little_time_says_nothing(decisions):
    steps = "for (int i = 0; i < {}; ++i) speedup.add(true, {{0.001, 0.0001}}, 1, 2);"
    steps += 'std::printf("%d", speedup.helpers_pay());'
    assert decisions(steps.format(15)) == [1]
    assert decisions(steps.format(25)) == [0]
