// SPDX-License-Identifier: MIT
// fast_server FILE: sends a poem, all of it at once, to everyone who connects.
#include "poem.hpp"
#include "program.hpp"
#include <lariat/lariat.hpp>

#include <string_view>

namespace {

using namespace lariat;

class FastPoetry : public Protocol {
public:
    explicit FastPoetry(std::string_view poem) : poem_(poem) {}

    void connection_made() override {
        transport().write(poem_);
        // Closes after everything written has left.
        transport().lose_connection();
    }

private:
    std::string_view poem_;
};

}  // namespace

int main(int argc, char** argv) try {
    const auto options = poetry::parse_fast_server("fast_server", argc, argv);
    const std::string poem = poetry::read_poem(options.file);
    Reactor reactor(options.reactor);
    const auto port = reactor.listen_tcp(options.port, factory_for<FastPoetry>(std::string_view(poem)),
                                         ListenOptions().interface(options.iface));
    return poetry::serve(reactor, options.file, port->host());
} catch (...) {
    return poetry::report_error("fast_server");
}
