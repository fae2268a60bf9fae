// SPDX-License-Identifier: MIT
// Doubly linked lists whose links live in the elements: no allocation, O(1) removal by the element itself.
#pragma once

#include <lariat/io/base/assert.hpp>

#include <cstddef>

namespace lariat {

/// A link to inherit from; `Tag` tells several links of one element apart. Destroying a linked element unlinks it.
template <class Tag = void>
class ListHook {
public:
    ListHook() noexcept = default;
    ListHook(const ListHook&) = delete;
    ListHook& operator=(const ListHook&) = delete;
    ~ListHook() { unlink(); }

    [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }

    /// Leaves whatever list it is in; nothing happens when it is in none.
    void unlink() noexcept {
        if (!next_) return;
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = previous_ = nullptr;
    }

private:
    template <class, class>
    friend class IntrusiveList;

    ListHook* previous_ = nullptr;
    ListHook* next_ = nullptr;
};

/// A FIFO of elements that inherit ListHook<Tag>. It never owns them; those still linked when it dies are unlinked.
template <class T, class Tag = void>
class IntrusiveList {
    using Hook = ListHook<Tag>;

public:
    IntrusiveList() noexcept { head_.previous_ = head_.next_ = &head_; }
    IntrusiveList(const IntrusiveList&) = delete;
    IntrusiveList& operator=(const IntrusiveList&) = delete;
    ~IntrusiveList() {
        clear();
        head_.previous_ = head_.next_ = nullptr;
    }

    [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
    [[nodiscard]] T& front() noexcept { return static_cast<T&>(*head_.next_); }

    void push_back(T& element) noexcept {
        Hook& hook = element;
        LARIAT_ASSERT(!hook.is_linked(), "an element can be in one list at a time");
        hook.previous_ = head_.previous_;
        hook.next_ = &head_;
        head_.previous_->next_ = &hook;
        head_.previous_ = &hook;
    }

    /// Unlinks the oldest element and returns it, or null when there is none.
    T* pop_front() noexcept {
        if (empty()) return nullptr;
        Hook* hook = head_.next_;
        hook->unlink();
        return static_cast<T*>(hook);
    }

    /// Moves all of `other` behind what is here.
    void append(IntrusiveList& other) noexcept {
        if (other.empty()) return;
        Hook *first = other.head_.next_, *last = other.head_.previous_;
        first->previous_ = head_.previous_;
        last->next_ = &head_;
        head_.previous_->next_ = first;
        head_.previous_ = last;
        other.head_.previous_ = other.head_.next_ = &other.head_;
    }

    void clear() noexcept {
        while (pop_front()) {}
    }

    /// Calls `visit(element)` for each; `visit` must not unlink elements other than the one it is given.
    template <class Visit>
    void for_each(Visit visit) {
        for (Hook* hook = head_.next_; hook != &head_;) {
            Hook* next = hook->next_;
            visit(static_cast<T&>(*hook));
            hook = next;
        }
    }

    template <class Visit>
    void for_each(Visit visit) const {
        for (const Hook* hook = head_.next_; hook != &head_; hook = hook->next_) visit(static_cast<const T&>(*hook));
    }

private:
    Hook head_;
};

}  // namespace lariat
