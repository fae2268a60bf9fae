// SPDX-License-Identifier: MIT
#include "report.hpp"

#include "../json.hpp"
#include "../process.hpp"

#include <cstdio>
#include <fstream>
#include <set>
#include <sys/utsname.h>

namespace lariat::bench {
namespace {

constexpr const char* baselines[] = {"raw-epoll", "raw-uring"};

std::string kernel_release() {
    utsname name{};
    return uname(&name) == 0 ? name.release : "unknown";
}

std::string processor_model() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
    return "unknown";
}

std::string spread(const Summary& s, const char* format) {
    char text[64];
    std::snprintf(text, sizeof text, format, s.low, s.high);
    return text;
}

/// A paired ratio as text, with its quartiles; a dash where there is nothing to compare.
std::string ratio_text(const EchoRow* base, const EchoRow& row, bool throughput) {
    if (base == nullptr || base->server == row.server) return "-";
    if (throughput && (row.load_limited || base->load_limited)) return "not compared";
    const Summary s = throughput ? paired_ratio(row.messages_per_second, base->messages_per_second)
                                 : paired_ratio(row.cpu_ns_per_message, base->cpu_ns_per_message);
    char text[64];
    std::snprintf(text, sizeof text, "%.2f (%.2f-%.2f)", s.median, s.low, s.high);
    return text;
}

void print_row(const EchoResult& result, const EchoRow& row) {
    if (!row.failure.empty()) {
        std::printf("  %-15s failed: %s\n", row.server.c_str(), row.failure.c_str());
        return;
    }
    const Summary cpu = summarize(row.cpu_ns_per_message);
    char allocations[32] = "-";
    if (row.counts_allocations) std::snprintf(allocations, sizeof allocations, "%.4f", row.allocations_per_message());
    std::printf("  %-15s %8.0f %13s  %-17s %-17s %10.0f  %-17s %4.0f%% %4.0f%%  %7s%s%s\n", row.server.c_str(),
                cpu.median, spread(cpu, "%.0f-%.0f").c_str(), ratio_text(result.row(baselines[0]), row, false).c_str(),
                ratio_text(result.row(baselines[1]), row, false).c_str(), summarize(row.messages_per_second).median,
                ratio_text(result.row(baselines[0]), row, true).c_str(), 100 * summarize(row.server_busy).median,
                100 * summarize(row.client_busy).median, allocations, row.load_limited ? "  load-limited" : "",
                row.disturbed ? "  disturbed" : "");
}

void write_summary(JsonWriter& json, const std::string& name, const std::vector<double>& rounds) {
    const Summary s = summarize(rounds);
    json.key(name);
    json.open('{');
    json.field("median", s.median);
    json.field("low", s.low);
    json.field("high", s.high);
    json.field("rounds", rounds);
    json.close('}');
}

void write_row(JsonWriter& json, const EchoRow& row) {
    json.open('{');
    json.field("server", row.server);
    if (!row.failure.empty()) {
        json.field("failure", row.failure);
    } else {
        write_summary(json, "cpu_ns_per_message", row.cpu_ns_per_message);
        write_summary(json, "messages_per_second", row.messages_per_second);
        write_summary(json, "server_busy", row.server_busy);
        write_summary(json, "client_busy", row.client_busy);
        write_summary(json, "waited", row.waited);
        json.field("load_limited", row.load_limited);
        json.field("disturbed", row.disturbed);
        if (row.counts_allocations) json.field("allocations_per_message", row.allocations_per_message());
    }
    json.close('}');
}

}  // namespace

void print_heading(const Options& options, const Placement& placement) {
    std::printf("%s, Linux %s; server on processor %d, client on %d; %u rounds of %.0f ms, interleaved\n",
                processor_model().c_str(), kernel_release().c_str(), placement.server_cpu, placement.client_cpu,
                options.rounds, static_cast<double>(options.window_ns) / 1e6);
    std::puts(
        "Medians with quartiles. CPU is the server's, by the kernel's accounting; ratios are taken round by round.");
    if (placement.shared()) std::puts("Only one processor: the client shares it, so throughput is not compared.");
}

void print_cell(const EchoResult& result) {
    const bool large = result.cell.bytes >= 1024;
    std::printf("\n%zu connection%s, %zu %s\n", result.cell.connections, result.cell.connections == 1 ? "" : "s",
                large ? result.cell.bytes / 1024 : result.cell.bytes, large ? "KiB" : "B");
    std::printf("  %-15s %8s %13s  %-17s %-17s %10s  %-17s %5s %5s  %7s\n", "server", "CPU ns", "", "CPU / raw epoll",
                "CPU / raw uring", "messages/s", "rate / raw epoll", "busy", "load", "allocs");
    for (const auto& row : result.rows) print_row(result, row);
    std::fflush(stdout);
}

void print_budgets(const std::vector<Judgement>& judgements) {
    std::string current;
    std::set<std::string> lacking;
    std::size_t met = 0, missed = 0, open = 0;
    for (const auto& j : judgements) {
        ++(j.verdict == Verdict::met ? met : j.verdict == Verdict::missed ? missed : open);
        if (!j.lacks.empty()) {
            lacking.insert(j.lacks);
            continue;
        }
        if (j.budget != current) std::printf("\n%s\n", j.budget.c_str());
        current = j.budget;
        char figure[64] = "";
        if (j.verdict != Verdict::not_judged && j.limit > 0)
            std::snprintf(figure, sizeof figure, "%.3f (%.3f-%.3f)", j.figure.median, j.figure.low, j.figure.high);
        else if (j.verdict != Verdict::not_judged)
            std::snprintf(figure, sizeof figure, "%.6f", j.figure.median);
        std::printf("  %-10s %-32s %-22s %s\n", verdict_text(j.verdict), j.cell.c_str(), figure, j.remark.c_str());
    }
    std::printf("\nbudgets: %zu met, %zu missed, %zu not judged\n", met, missed, open);
    for (const auto& server : lacking) std::printf("not judged for want of figures: %s\n", server.c_str());
}

void print_race(const std::vector<EchoResult>& results) {
    std::printf("%-16s %-10s %12s %12s %8s %12s %12s %8s\n", "", "", "uring msg/s", "epoll msg/s", "ratio",
                "uring CPU ns", "epoll CPU ns", "ratio");
    for (const auto& result : results) {
        for (const char* style : {"protocol", "task"}) {
            const EchoRow* uring = result.row(std::string(style) + "-uring");
            const EchoRow* epoll = result.row(std::string(style) + "-epoll");
            if (uring == nullptr || epoll == nullptr) continue;
            char rate[32] = "limited";
            if (!uring->load_limited && !epoll->load_limited)
                std::snprintf(rate, sizeof rate, "%.2f",
                              paired_ratio(uring->messages_per_second, epoll->messages_per_second).median);
            std::printf("%-16s %-10s %12.0f %12.0f %8s %12.0f %12.0f %8.2f\n", result.cell.name().c_str(), style,
                        summarize(uring->messages_per_second).median, summarize(epoll->messages_per_second).median,
                        rate, summarize(uring->cpu_ns_per_message).median, summarize(epoll->cpu_ns_per_message).median,
                        paired_ratio(uring->cpu_ns_per_message, epoll->cpu_ns_per_message).median);
        }
        for (const auto& row : result.rows)
            if (!row.failure.empty())
                std::printf("%-16s %s failed: %s\n", result.cell.name().c_str(), row.server.c_str(),
                            row.failure.c_str());
    }
}

void write_json(std::ostream& out, const std::vector<EchoResult>& results, const std::vector<Judgement>& judgements,
                const Options& options, const Placement& placement) {
    JsonWriter json(out);
    json.open('{');
    json.field("kernel", kernel_release());
    json.field("processor", processor_model());
    json.field("server_cpu", double(placement.server_cpu));
    json.field("client_cpu", double(placement.client_cpu));
    json.field("rounds", double(options.rounds));
    json.field("window_ms", static_cast<double>(options.window_ns) / 1e6);
    json.key("cells");
    json.open('[');
    for (const auto& result : results) {
        json.open('{');
        json.field("name", result.cell.name());
        json.field("connections", double(result.cell.connections));
        json.field("bytes", double(result.cell.bytes));
        json.key("servers");
        json.open('[');
        for (const auto& row : result.rows) write_row(json, row);
        json.close(']');
        json.close('}');
    }
    json.close(']');
    json.key("budgets");
    json.open('[');
    for (const auto& j : judgements) {
        json.open('{');
        json.field("budget", j.budget);
        json.field("cell", j.cell);
        json.field("verdict", verdict_text(j.verdict));
        if (j.verdict != Verdict::not_judged) {
            json.field("figure", j.figure.median);
            json.field("low", j.figure.low);
            json.field("high", j.figure.high);
            json.field("limit", j.limit);
        }
        if (!j.lacks.empty()) json.field("lacks", j.lacks);
        if (!j.remark.empty()) json.field("remark", j.remark);
        json.close('}');
    }
    json.close(']');
    json.close('}');
}

}  // namespace lariat::bench
