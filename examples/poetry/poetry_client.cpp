// SPDX-License-Identifier: MIT
#include "poetry_client.hpp"

namespace poetry {

bool get_poetry(Style style, std::vector<Download>& downloads, const lariat::ReactorOptions& options) {
    bool finished = false;
    switch (style) {
    case Style::callbacks: finished = get_poetry_callbacks(downloads, options); break;
    case Style::deferred: finished = get_poetry_deferred(downloads, options); break;
    case Style::task: finished = get_poetry_task(downloads, options); break;
    }
    for (Download& download : downloads) {
        if (download.state() == Download::State::running) download.fail(lariat::Error("interrupted"));
    }
    return finished;
}

}  // namespace poetry
