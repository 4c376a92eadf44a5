// Passwords come from a prompt or from standard input, never from the command line, where every user of the
// machine could read them.
#pragma once

#include <string>

namespace switchyard::cli {

// At a terminal: asks twice, without echo. Else: the first line of standard input. Throws std::runtime_error
// if the two differ, or the password is empty or too long.
std::string read_new_password();

}  // namespace switchyard::cli
