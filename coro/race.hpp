// SPDX-License-Identifier: MIT
// when_any() and race(): Tasks that run side by side, and the result of the first. The others are cancelled and waited
// for: nothing goes on in the background.
#pragma once

#include <lariat/coro/deferred_list.hpp>
#include <lariat/coro/when_all.hpp>
#include <lariat/io/base/error.hpp>

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace lariat {

namespace detail {

/// The failure of a group in which nobody won.
template <class Members>
[[noreturn]] void throw_all_failed(const TaskGroup& group, const EachMember<Members>& each) {
    if (group.cancelled_from_outside()) throw Cancelled(group.cancel_reason());
    std::vector<Failure> failures;
    each([&failures](auto& member) { failures.push_back(member.failure()); });
    throw FailureGroup(std::move(failures));
}

template <class... T, std::size_t... I>
std::variant<value_of<T>...> take_winner(const TaskGroup& group, std::tuple<GroupMember<T>...>& members,
                                         std::index_sequence<I...>) {
    std::optional<std::variant<value_of<T>...>> won;
    ((std::get<I>(members).decided(group) ? void(won.emplace(std::in_place_index<I>, std::get<I>(members).take()))
                                          : void()),
     ...);
    return std::move(*won);
}
template <class T>
std::pair<std::size_t, value_of<T>> take_winner(const TaskGroup& group, std::vector<GroupMember<T>>& members) {
    std::size_t index = 0;
    while (!members[index].decided(group)) ++index;
    return {index, members[index].take()};
}

template <class... T>
Task<std::variant<value_of<T>...>> first_of(TaskGroup::Until until, Task<T>... tasks) {
    static_assert(!(std::is_reference_v<T> || ...), "a variant holds values; let the Tasks give pointers");
    TaskGroup group(until);
    std::tuple<GroupMember<T>...> members{GroupMember<T>(group, std::move(tasks))...};
    const EachMember each(members);
    co_await Hidden(RunMembers(group, each));
    if (!group.decided_by()) throw_all_failed(group, each);
    co_return take_winner(group, members, std::index_sequence_for<T...>());
}
template <class T>
Task<std::pair<std::size_t, value_of<T>>> first_of(TaskGroup::Until until, std::vector<Task<T>> tasks) {
    static_assert(!std::is_reference_v<T>, "the result is a value; let the Tasks give pointers");
    if (tasks.empty()) throw UsageError("there is no first of no tasks");
    TaskGroup group(until);
    std::vector<GroupMember<T>> members = members_of(group, tasks);
    const EachMember each(members);
    co_await Hidden(RunMembers(group, each));
    if (!group.decided_by()) throw_all_failed(group, each);
    co_return take_winner(group, members);
}

}  // namespace detail

/// The result of the Task that ends first, in a variant whose index() says which one it was, or what it threw. That of
/// a Task<> is an empty object. What the others still give is destroyed, their failures are logged.
///
/// Cancellation: cancels all of them, and returns when they have ended.
template <class... T>
[[nodiscard]] Task<std::variant<detail::value_of<T>...>> when_any(Task<T>... tasks) {
    static_assert(sizeof...(T) > 0, "there is no first of no tasks");
    return detail::first_of(detail::TaskGroup::Until::end, std::move(tasks)...);
}
/// The same for any number of Tasks of one type: the position and the value. Errors: also UsageError for none at all.
template <class T>
[[nodiscard]] Task<std::pair<std::size_t, detail::value_of<T>>> when_any(std::vector<Task<T>> tasks) {
    return detail::first_of(detail::TaskGroup::Until::end, std::move(tasks));
}

/// The result of the Task that succeeds first; those that fail before it do not count. As for Deferreds, see
/// coro/deferred_list.hpp.
///
/// Cancellation: cancels all of them, and returns when they have ended. Errors: FailureGroup when all failed.
template <class... T>
[[nodiscard]] Task<std::variant<detail::value_of<T>...>> race(Task<T>... tasks) {
    static_assert(sizeof...(T) > 0, "there is no first of no tasks");
    return detail::first_of(detail::TaskGroup::Until::success, std::move(tasks)...);
}
template <class T>
[[nodiscard]] Task<std::pair<std::size_t, detail::value_of<T>>> race(std::vector<Task<T>> tasks) {
    return detail::first_of(detail::TaskGroup::Until::success, std::move(tasks));
}

}  // namespace lariat
