// The line that a long copy shows.
#include "app/progress.hpp"

#include <doctest/doctest.h>

using namespace nutshell;
using std::chrono::milliseconds;

TEST_CASE("percent, bar, rate and the time that is left") {
  CHECK(progress_words("filling x", 0, gibi, milliseconds(0)) ==
        "  0 %  [                    ]  filling x");
  CHECK(progress_words("filling x", gibi / 2, gibi, milliseconds(4000)) ==
        " 50 %  [##########          ]  128M/s  0:04 left  filling x");
  CHECK(progress_words("filling x", gibi, gibi, milliseconds(8000)) ==
        "100 %  [####################]  128M/s  filling x");
  CHECK(progress_words("x", gibi, 100 * gibi, milliseconds(60'000)).find("  1:39:00 left") !=
        std::string::npos);
  // Done more than there is, or of nothing: never beyond the bar, never a division by zero.
  CHECK(progress_words("x", 2 * gibi, gibi, milliseconds(1000)).find("100 %") != std::string::npos);
  CHECK(progress_words("x", 0, 0, milliseconds(0)).find("100 %") != std::string::npos);
}
