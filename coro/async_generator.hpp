// SPDX-License-Identifier: MIT
// AsyncGenerator<T>: a coroutine that gives values one after another and may wait between them.
//
//     AsyncGenerator<Line> lines(TcpStream& from) {
//         while (auto line = co_await read_line(from)) co_yield std::move(*line);
//     }
//     auto all = lines(stream);
//     while (auto line = co_await all.next()) use(*line);
//
// It runs only while somebody awaits next(), as a part of that coroutine. Threads: the one that awaits.
#pragma once

#include <lariat/coro/promise.hpp>
#include <lariat/coro/task.hpp>
#include <lariat/io/base/assert.hpp>

#include <coroutine>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace lariat {

template <class T>
class AsyncGenerator;

namespace detail {

template <class T>
class GeneratorPromise final : public TaskPromiseBase {
public:
    class YieldAwaiter {
    public:
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<GeneratorPromise> self) const noexcept {
            return self.promise().pause();
        }
        void await_resume() const noexcept {}
    };

    template <class... A>
    explicit GeneratorPromise(A&...) noexcept {
        reject_owning_lambdas<A...>();
    }
    AsyncGenerator<T> get_return_object(const std::source_location& where = std::source_location::current()) noexcept;

    template <class U = T>
    requires std::is_constructible_v<T, U&&>
    YieldAwaiter yield_value(U&& value) {
        value_.emplace(std::forward<U>(value));
        return {};
    }
    void return_void() const noexcept {}

    /// The value it paused with; nothing when it has ended. Throws, once, what it ended with.
    std::optional<T> take() {
        if (state() == State::ended && !std::exchange(end_seen_, true)) throw_if_failed();
        return std::exchange(value_, std::nullopt);
    }
    [[nodiscard]] bool end_seen() const noexcept { return end_seen_; }

private:
    std::optional<T> value_;
    bool end_seen_ = false;
};

template <class T>
class NextValue {
public:
    using Handle = std::coroutine_handle<GeneratorPromise<T>>;

    explicit NextValue(Handle generator) noexcept : generator_(generator) {}

    [[nodiscard]] bool await_ready() const noexcept {
        return generator_.promise().state() == TaskPromiseBase::State::ended;
    }
    template <class P>
    bool await_suspend(std::coroutine_handle<P> parent) noexcept {
        static_assert(LariatPromise<P>, "only coroutines of lariat (Task, Deferred) can await a generator");
        GeneratorPromise<T>& promise = generator_.promise();
        LARIAT_CHECK(promise.state() == TaskPromiseBase::State::created
                         || promise.state() == TaskPromiseBase::State::paused,
                     "next() of an AsyncGenerator was awaited while an earlier one waits; one coroutine takes them");
        promise.set_parent(parent.promise());
        return !promise.start_awaited(generator_, parent);
    }
    std::optional<T> await_resume() {
        GeneratorPromise<T>& promise = generator_.promise();
        if (promise.has_failed() && !promise.end_seen()) promise.parent()->raised() = promise.raised();
        return promise.take();
    }

private:
    Handle generator_;
};

}  // namespace detail

/// Values of type T, made one at a time as they are asked for.
///
/// Lifetime: parameters taken by reference must outlive it. It may be destroyed whenever nobody waits for next(): what
/// stands in its frame is destroyed then, and what stands behind its `co_yield` never runs.
template <class T>
class [[nodiscard("a generator does nothing until next() is awaited")]] AsyncGenerator {
    static_assert(std::is_object_v<T>, "a generator gives values; let it give pointers");

public:
    using promise_type = detail::GeneratorPromise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    explicit AsyncGenerator(Handle frame) noexcept : frame_(frame) {}
    AsyncGenerator(AsyncGenerator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    AsyncGenerator& operator=(AsyncGenerator&& other) noexcept {
        if (this != &other) {
            destroy();
            frame_ = std::exchange(other.frame_, nullptr);
        }
        return *this;
    }
    ~AsyncGenerator() { destroy(); }

    /// Runs it until its next value and gives that; nothing when it has ended, and ever after.
    ///
    /// Cancellation: reaches what the generator waits for. Errors: what leaves the generator, which has then ended.
    [[nodiscard]] detail::NextValue<T> next() noexcept {
        LARIAT_CHECK(frame_ != nullptr, "this AsyncGenerator was moved from");
        return detail::NextValue<T>(frame_);
    }

private:
    void destroy() noexcept {
        if (!frame_) return;
        const auto state = frame_.promise().state();
        LARIAT_CHECK(state != detail::TaskPromiseBase::State::awaited
                         && state != detail::TaskPromiseBase::State::running,
                     "an AsyncGenerator was destroyed while somebody waits for its next value; wait for that first");
        frame_.destroy();
    }

    Handle frame_;
};

template <class T>
AsyncGenerator<T> detail::GeneratorPromise<T>::get_return_object(const std::source_location& where) noexcept {
    this->set_body_location(where);
    return AsyncGenerator<T>(std::coroutine_handle<GeneratorPromise>::from_promise(*this));
}

}  // namespace lariat

template <class T, class... Parameters>
struct std::coroutine_traits<lariat::AsyncGenerator<T>, Parameters...> {
    static_assert((lariat::detail::safe_as_parameter<Parameters> && ...),
                  "a parameter of this coroutine is an aggregate or a lambda that owns something; g++ 12 destroys such "
                  "temporaries twice (PR 107288): give the class a constructor");
    using promise_type = lariat::detail::GeneratorPromise<T>;
};
