// SPDX-License-Identifier: MIT
#include <lariat/testing/assertions.hpp>

#include <cstdlib>
#include <cxxabi.h>
#include <memory>

namespace lariat::testing::detail {
namespace {

std::string readable(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                      &std::free);
    return name ? name.get() : type.name();
}

}  // namespace

std::string class_names(std::initializer_list<const std::type_info*> types) {
    std::string text;
    for (const std::type_info* type : types) text.append(text.empty() ? "" : " or ").append(readable(*type));
    return text;
}

void wrong_failure(std::initializer_list<const std::type_info*> expected, const std::string& deferred,
                   const Failure& found) {
    std::string text = "Failure of type " + class_names(expected) + " expected";
    if (!deferred.empty()) text += " on " + deferred;
    throw AssertionFailed(text + ", found type " + found.type_name() + " instead:\n" + found.traceback());
}

}  // namespace lariat::testing::detail
