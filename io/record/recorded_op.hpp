// SPDX-License-Identifier: MIT
// How operations stand in a recording: what each verb asks for and what its completions bring. A verb is added in
// recorded_op.cpp only: a line of the table and, where it has arguments or results of its own, a case.
#pragma once

#include <lariat/io/buffer_pool.hpp>
#include <lariat/io/op.hpp>
#include <lariat/io/record/event.hpp>

#include <cstdint>

namespace lariat::io {

/// The fields of a verb, in the letters of event.cpp.
struct VerbShape {
    const char* name;
    const char* asks;
    const char* answers;
};

/// Null when there is no such verb.
[[nodiscard]] const VerbShape* verb_shape(std::uint64_t verb) noexcept;

/// The verb of `op` and what it asks for.
void put_request(EventBytes& event, const Op& op);
/// The verb of `op` and what `completion` brings.
void put_answer(EventBytes& event, const Op& op, const Completion& completion);
/// Reads what put_answer() wrote behind the verb. Buffers are of `pool` when they were of chunks of that size and
/// there is one left, else of the heap.
Completion take_answer(EventReader& event, Op& op, BufferPool& pool);

}  // namespace lariat::io
