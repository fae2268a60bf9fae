// SPDX-License-Identifier: MIT
// Writes JSON in order, with commas and indentation kept right. Numbers that are not finite become null.
#pragma once

#include <cmath>
#include <cstdio>
#include <ostream>
#include <string>
#include <vector>

namespace lariat::bench {

class JsonWriter {
public:
    explicit JsonWriter(std::ostream& out) : out_(out) {}

    void open(char bracket) {
        separate();
        out_ << bracket;
        first_.push_back(true);
    }
    void close(char bracket) {
        const bool empty = first_.back();
        first_.pop_back();
        if (!empty) new_line();
        out_ << bracket;
        if (first_.empty()) out_ << '\n';
    }
    void key(const std::string& name) {
        separate();
        quote(name);
        out_ << ": ";
        after_key_ = true;
    }
    void value(const std::string& text) {
        separate();
        quote(text);
    }
    void value(const char* text) { value(std::string(text)); }
    void value(bool truth) {
        separate();
        out_ << (truth ? "true" : "false");
    }
    void value(double number) {
        separate();
        char text[40];
        std::snprintf(text, sizeof text, "%.10g", number);
        out_ << (std::isfinite(number) ? text : "null");
    }
    void value(const std::vector<double>& numbers) {
        open('[');
        for (double number : numbers) value(number);
        close(']');
    }
    template <class T>
    void field(const std::string& name, const T& what) {
        key(name);
        value(what);
    }

private:
    void separate() {
        if (after_key_) {
            after_key_ = false;
            return;
        }
        if (first_.empty()) return;
        if (!first_.back()) out_ << ',';
        first_.back() = false;
        new_line();
    }
    void new_line() { out_ << '\n' << std::string(2 * first_.size(), ' '); }
    void quote(const std::string& text) {
        out_ << '"';
        for (unsigned char c : text) {
            char escaped[8];
            if (c == '"' || c == '\\')
                out_ << '\\' << c;
            else if (c < 0x20)
                out_ << (std::snprintf(escaped, sizeof escaped, "\\u%04x", c), escaped);
            else
                out_ << c;
        }
        out_ << '"';
    }

    std::ostream& out_;
    std::vector<bool> first_;
    bool after_key_ = false;
};

}  // namespace lariat::bench
