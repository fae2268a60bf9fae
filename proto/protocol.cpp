// SPDX-License-Identifier: MIT
#include <lariat/proto/protocol.hpp>

#include <lariat/proto/factory.hpp>
#include <lariat/proto/transport.hpp>

#include <cstdlib>
#include <cxxabi.h>
#include <string_view>
#include <utility>

namespace lariat {

void Protocol::data_received(Bytes) {}

void Protocol::connection_lost(const Failure&) {}

std::string Protocol::log_prefix() const { return detail::class_name(typeid(*this)); }

void Protocol::make_connection(Transport& transport) {
    transport_ = std::shared_ptr<Transport>(transport.weak_from_this().lock(), &transport);
    connection_made();
}

void Protocol::set_factory(std::shared_ptr<Factory> factory) noexcept { factory_ = std::move(factory); }

namespace detail {

std::string class_name(const std::type_info& type) {
    int status = 0;
    char* text = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
    std::string full = text ? text : type.name();
    std::free(text);

    // "(anonymous namespace)::", a function's "run()::" and other scopes end at the last "::" outside brackets.
    std::size_t begin = 0;
    int depth = 0;
    for (std::size_t i = 0; i < full.size(); ++i) {
        if (full[i] == '<' || full[i] == '(' || full[i] == '{') {
            ++depth;
        } else if (full[i] == '>' || full[i] == ')' || full[i] == '}') {
            --depth;
        } else if (depth == 0 && full.compare(i, 2, "::") == 0) {
            begin = i + 2;
        }
    }
    std::string name = full.substr(begin);
    return name.substr(0, name.find('<'));
}

}  // namespace detail
}  // namespace lariat
