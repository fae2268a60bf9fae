// SPDX-License-Identifier: MIT
// get_poetry_deferred HOST:PORT...: the client of poetry_client_deferred.cpp.
#include "program.hpp"

int main(int argc, char** argv) try {
    return poetry::run_client(poetry::parse_client("get_poetry_deferred", argc, argv, poetry::Style::deferred));
} catch (...) {
    return poetry::report_error("get_poetry_deferred");
}
