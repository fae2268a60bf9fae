// SPDX-License-Identifier: MIT
// get_poetry_task HOST:PORT...: the client of poetry_client_task.cpp.
#include "program.hpp"

int main(int argc, char** argv) try {
    return poetry::run_client(poetry::parse_client("get_poetry_task", argc, argv, poetry::Style::task));
} catch (...) {
    return poetry::report_error("get_poetry_task");
}
