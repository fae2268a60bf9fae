// SPDX-License-Identifier: MIT
// when_all(): Tasks that run side by side, and all of their results.
#pragma once

#include <lariat/coro/task_group.hpp>

#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace lariat {

namespace detail {

template <class... T>
using all_of = std::conditional_t<(std::is_void_v<T> && ...), void, std::tuple<value_of<T>...>>;
template <class T>
using every = std::conditional_t<std::is_void_v<T>, void, std::vector<value_of<T>>>;

/// Calls `visit(member)` for each member of a tuple or of a vector.
template <class Members>
class EachMember {
public:
    explicit EachMember(Members& members) noexcept : members_(members) {}

    template <class Visit>
    void operator()(Visit visit) const {
        if constexpr (requires { members_.begin(); }) {
            for (auto& member : members_) visit(member);
        } else {
            std::apply([&visit](auto&... member) { (visit(member), ...); }, members_);
        }
    }

private:
    Members& members_;
};

template <class T>
std::vector<GroupMember<T>> members_of(TaskGroup& group, std::vector<Task<T>>& tasks) {
    std::vector<GroupMember<T>> members;
    members.reserve(tasks.size());
    for (Task<T>& task : tasks) members.emplace_back(group, std::move(task));
    return members;
}

/// Throws what ended a group that was to succeed as a whole.
template <class Members>
void throw_decided(const TaskGroup& group, const EachMember<Members>& each) {
    if (!group.decided_by()) return;
    each([&group](auto& member) {
        if (member.decided(group)) member.failure().raise();
    });
}

}  // namespace detail

/// Runs the Tasks side by side and gives their results in the order of the arguments, as a tuple; nothing when all of
/// them are Task<>. Those of a Task<> among others are empty objects.
///
/// Cancellation: cancels all of them, and returns when they have ended. Errors: the first failure cancels the others
/// and is thrown when they have ended; failures after it are logged. A Task that has not begun by then never does.
template <class... T>
[[nodiscard]] Task<detail::all_of<T...>> when_all(Task<T>... tasks) {
    detail::TaskGroup group(detail::TaskGroup::Until::failure);
    std::tuple<detail::GroupMember<T>...> members{detail::GroupMember<T>(group, std::move(tasks))...};
    const detail::EachMember each(members);
    co_await detail::Hidden(detail::RunMembers(group, each));
    detail::throw_decided(group, each);
    if constexpr (!(std::is_void_v<T> && ...)) {
        co_return std::apply([](auto&... member) { return std::tuple<detail::value_of<T>...>(member.take()...); },
                             members);
    }
}

/// The same for any number of Tasks of one type: their results as a vector.
template <class T>
[[nodiscard]] Task<detail::every<T>> when_all(std::vector<Task<T>> tasks) {
    static_assert(!std::is_reference_v<T>, "a vector holds values; let the Tasks give pointers");
    detail::TaskGroup group(detail::TaskGroup::Until::failure);
    std::vector<detail::GroupMember<T>> members = detail::members_of(group, tasks);
    const detail::EachMember each(members);
    co_await detail::Hidden(detail::RunMembers(group, each));
    detail::throw_decided(group, each);
    if constexpr (!std::is_void_v<T>) {
        std::vector<T> results;
        results.reserve(members.size());
        for (auto& member : members) results.push_back(member.take());
        co_return results;
    }
}

}  // namespace lariat
