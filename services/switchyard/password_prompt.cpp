#include "switchyard/password_prompt.hpp"

#include <cstdio>
#include <iostream>
#include <stdexcept>

#include <termios.h>
#include <unistd.h>

#include "token/password.hpp"

namespace switchyard::cli {
namespace {

class NoEcho {
 public:
  NoEcho() {
    tcgetattr(STDIN_FILENO, &before_);
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~NoEcho() { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
};

std::string read_line() {
  std::string line;
  std::getline(std::cin, line);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string ask(const char* question) {
  std::fputs(question, stderr);
  const NoEcho no_echo;
  auto answer = read_line();
  std::fputs("\n", stderr);
  return answer;
}

}  // namespace

std::string read_new_password() {
  std::string password;
  if (::isatty(STDIN_FILENO) != 0) {
    password = ask("New password: ");
    if (ask("The same again: ") != password)
      throw std::runtime_error("the two passwords differ; nothing was changed");
  } else {
    password = read_line();
  }
  if (password.find_first_not_of(" \t") == std::string::npos) {
    throw std::runtime_error("the password is blank; give one at the prompt or on standard input");
  }
  if (password.size() > token::max_password_bytes)
    throw std::runtime_error("the password is longer than 1024 bytes");
  return password;
}

}  // namespace switchyard::cli
