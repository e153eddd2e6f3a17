// Opening reads the head of the file alone, and a query what it needs. So that `recover` leaves no
// damage for the commands after it, it has SQLite read everything, indexes included.
#include "nutshell/registry_check.hpp"

#include "nutshell/error.hpp"
#include "nutshell/values.hpp"
#include "store/core.hpp"

namespace nutshell {

void check_registry(const std::string& path) {
  Registry::Options look;
  look.path = path;
  look.mode = Registry::Mode::look;
  const auto core = store::open_core(look);
  store::Statement row = core->db.use("PRAGMA integrity_check(1)");
  if (!row.step() || row.text(0) == "ok") return;
  const std::string found = row.text(0);  // below a line that names the database
  throw Failed("registry " + printable(path) + " is damaged (" +
               printable(found.substr(found.rfind('\n') + 1)) +
               "); run `nutshell recover` to rebuild it");
}

}  // namespace nutshell
