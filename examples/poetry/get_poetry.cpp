// SPDX-License-Identifier: MIT
// get_poetry HOST:PORT...: downloads poems, with Tasks or in the style that --style names.
#include "program.hpp"

int main(int argc, char** argv) try {
    return poetry::run_client(poetry::parse_client("get_poetry", argc, argv));
} catch (...) {
    return poetry::report_error("get_poetry");
}
