// SPDX-License-Identifier: MIT
#include <lariat/runtime/failure.hpp>

#include <lariat/io/base/assert.hpp>

#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <new>
#include <sstream>
#include <vector>

namespace lariat {
namespace detail {
namespace {

struct FailureOrigin : FailureNode {
    explicit FailureOrigin(std::exception_ptr held) noexcept
        : exception(std::move(held)), type(exception_type(exception)), object(exception_object(exception)) {
        origin = this;
    }

    const std::exception_ptr exception;
    const std::type_info& type;
    const void* const object;
};

/// What a Failure becomes when there is no memory for it. Its count never reaches zero.
FailureOrigin& out_of_memory() noexcept {
    static FailureOrigin shared(std::make_exception_ptr(std::bad_alloc()));
    return shared;
}

// Made before memory can be short.
[[maybe_unused]] const FailureOrigin& made_early = out_of_memory();

const FailureOrigin& origin_of(const FailureNode& node) noexcept {
    return static_cast<const FailureOrigin&>(*node.origin);
}

}  // namespace

void destroy_failure(FailureNode* node) noexcept {
    while (node) {
        FailureNode* previous = node->previous;
        if (node->origin == node) {
            delete static_cast<FailureOrigin*>(node);
        } else {
            delete node;
        }
        if (!previous || previous->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        node = previous;
    }
}

const std::type_info& exception_type(const std::exception_ptr& exception) noexcept {
    const std::type_info* type = exception ? exception.__cxa_exception_type() : nullptr;
    return type ? *type : typeid(void);
}

const void* exception_object(const std::exception_ptr& exception) noexcept {
    static_assert(sizeof(std::exception_ptr) == sizeof(void*));
    const void* object;
    std::memcpy(&object, static_cast<const void*>(&exception), sizeof object);
    return object;
}

const void* upcast(const std::type_info& wanted, const std::type_info& actual, const void* object) noexcept {
    // The question the unwinder asks of each catch clause.
    void* adjusted = const_cast<void*>(object);
    return wanted.__do_catch(&actual, &adjusted, 1) ? adjusted : nullptr;
}

}  // namespace detail

namespace {

std::string demangled(const char* name) {
    int status = 0;
    char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string result = status == 0 && text ? text : name;
    std::free(text);
    return result;
}

template <class N>
bool append_if(const Failure& failure, std::string& text) {
    if (const N* number = failure.value<N>()) {
        std::ostringstream out;
        out << *number;
        text = out.str();
        return true;
    }
    return false;
}

constexpr std::size_t frames_shown = 64;  // a deep recursion must not make a log line of megabytes

/// The places that have a file, outermost first; at most `frames_shown`, the oldest and the newest ones.
std::vector<const detail::FailureNode*> places(const detail::FailureNode* node, std::size_t& left_out) {
    std::vector<const detail::FailureNode*> all;
    for (; node; node = node->previous) {
        if (node->file) all.push_back(node);
    }
    left_out = 0;
    if (all.size() > frames_shown) {
        left_out = all.size() - frames_shown;
        const auto middle = all.begin() + static_cast<std::ptrdiff_t>(frames_shown / 2);
        all.erase(middle, middle + static_cast<std::ptrdiff_t>(left_out));
    }
    return all;
}

}  // namespace

Failure::Failure(std::exception_ptr exception, const std::source_location& where) noexcept {
    if (!exception) return;
    auto* origin = new (std::nothrow) detail::FailureOrigin(std::move(exception));
    if (!origin) {
        origin = &detail::out_of_memory();
        origin->references.fetch_add(1, std::memory_order_relaxed);
    } else if (where.line() != 0) {
        origin->file = where.file_name();
        origin->line = where.line();
        origin->function = where.function_name();
    }
    node_ = origin;
}

Failure Failure::current(const std::source_location& where) {
    std::exception_ptr handled = std::current_exception();
    if (!handled) throw NoCurrentExceptionError();
    return Failure(std::move(handled), where);
}

Failure Failure::from_errno(int error, std::string_view what, const std::source_location& where) noexcept {
    try {
        return Failure(Error(describe_errno(what, error), error), where);
    } catch (...) {
        return Failure(std::current_exception(), where);
    }
}

const std::type_info& Failure::type() const noexcept { return node_ ? detail::origin_of(*node_).type : typeid(void); }

const void* Failure::object() const noexcept { return node_ ? detail::origin_of(*node_).object : nullptr; }

std::exception_ptr Failure::exception() const noexcept {
    return node_ ? detail::origin_of(*node_).exception : std::exception_ptr();
}

bool Failure::same_exception(const std::exception_ptr& other) const noexcept {
    return node_ && detail::origin_of(*node_).exception == other;
}

std::string Failure::type_name() const { return node_ ? demangled(type().name()) : "no failure"; }

std::string Failure::error_message() const {
    if (!node_) return "no failure";
    if (const auto* error = value<std::exception>()) return error->what();
    if (const auto* text = value<std::string>()) return *text;
    if (const auto* text = value<std::string_view>()) return std::string(*text);
    if (const auto* text = value<const char*>()) return *text;
    std::string text;
    if (append_if<int>(*this, text) || append_if<long>(*this, text) || append_if<unsigned>(*this, text)
        || append_if<unsigned long>(*this, text) || append_if<double>(*this, text)) {
        return text;
    }
    return type_name();
}

std::string Failure::traceback() const {
    std::string text = "Traceback (most recent call last):\n";
    std::size_t left_out;
    const auto all = places(node_, left_out);
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (left_out > 0 && i == frames_shown / 2) text += "  ... " + std::to_string(left_out) + " more ...\n";
        text.append("  ").append(all[i]->file).append(":").append(std::to_string(all[i]->line));
        if (all[i]->function) text.append(", in ").append(all[i]->function);
        text += '\n';
    }
    return text.append(type_name()).append(": ").append(error_message());
}

std::string Failure::brief_traceback() const {
    std::string text = "Traceback: " + type_name() + ": " + error_message() + "\n";
    std::size_t left_out;
    for (const detail::FailureNode* place : places(node_, left_out)) {
        text.append(place->file).append(":").append(std::to_string(place->line)).append(":");
        text.append(place->function ? place->function : "").append("\n");
    }
    return text;
}

void Failure::add_frame(const char* file, std::uint32_t line, const char* function) noexcept {
    if (!node_ || !file) return;
    auto* node = new (std::nothrow) detail::FailureNode;
    if (!node) return;  // a place less in the trace, the failure itself is kept
    node->file = file;
    node->line = line;
    node->function = function;
    node->previous = node_;
    node->origin = node_->origin;
    node_ = node;
}

void Failure::raise() const {
    LARIAT_CHECK(node_ != nullptr, "an empty Failure was raised; check `if (failure)` first");
    std::rethrow_exception(exception());
}

}  // namespace lariat
