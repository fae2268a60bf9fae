// SPDX-License-Identifier: MIT
// get_poetry_callbacks HOST:PORT...: the client of poetry_client_callbacks.cpp.
#include "program.hpp"

int main(int argc, char** argv) try {
    return poetry::run_client(poetry::parse_client("get_poetry_callbacks", argc, argv, poetry::Style::callbacks));
} catch (...) {
    return poetry::report_error("get_poetry_callbacks");
}
