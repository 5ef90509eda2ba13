/// Where the time went, as one HTML page: a timeline of all nodes and phases, and the same as a table.
///
/// It needs nothing but itself, and no script. The picture is for eyes; the table says all of it in words.
struct TimingsPage: Sendable {
    let timings: Timings
    /// What was deployed, and when.
    let title: String

    var text: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>\(escaped(title))</title>
        <style>
        \(TimingsStyle.text)
        </style>
        </head>
        <body>
        <main>
        <h1>\(escaped(title))</h1>
        <p>The whole run took \(preciseText(timings.total)). Each line below is a node; the first is the run as a whole.
        A bar is a phase; hold the pointer over it for its time, or read the table below.</p>
        \(legend)
        \(timeline)
        \(table)
        </main>
        </body>
        </html>

        """
    }

    // MARK: The picture

    private var legend: String {
        let phases = Phase.allCases.filter { phase in
            timings.rows.contains { $0.bars.contains { $0.activity.phase == phase } }
        }
        let items = phases.map { "<li><span class=\"key \($0.rawValue)\"></span>\(escaped($0.verb))</li>" }
        return "<ul class=\"legend\" aria-label=\"Phases\">\n\(items.joined(separator: "\n"))\n</ul>"
    }

    private var timeline: String {
        let scale = TimeScale(timings.total)
        let ticks = scale.ticks.map { tick in
            "<span class=\"tick\" style=\"left:\(scale.percent(tick))%\"><span>\(escaped(scale.label(tick)))</span></span>"
        }
        let rows = timings.rows.map { row($0, scale) }
        return """
            <div class="timeline" role="img" aria-label="Timeline; the table below has the same figures">
            <div class="row axis"><div class="name"></div><div class="track">\(ticks.joined())</div></div>
            \(rows.joined(separator: "\n"))
            </div>
            """
    }

    private func row(_ row: Timings.Row, _ scale: TimeScale) -> String {
        var lanes: [Duration] = []
        let bars = row.bars.map { bar in
            // Bars that overlap lie below each other.
            let lane = lanes.firstIndex { $0 <= bar.start } ?? lanes.count
            if lane == lanes.count { lanes.append(bar.end) } else { lanes[lane] = bar.end }
            let place = "left:\(scale.percent(bar.start))%;width:\(scale.percent(bar.length))%;top:\(rem(lane))rem"
            let text = escaped("\(bar.title), \(preciseText(bar.length))")
            return "<span class=\"bar \(bar.activity.phase.rawValue)\" style=\"\(place)\" title=\"\(text)\">"
                + "<span>\(escaped(bar.title))</span></span>"
        }
        return """
            <div class="row"><div class="name">\(escaped(row.name))</div>\
            <div class="track" style="height:\(rem(max(1, lanes.count)))rem">\(bars.joined())</div></div>
            """
    }

    /// The top of a lane; each is 1.4 rem high.
    private func rem(_ lanes: Int) -> String { "\(lanes * 14 / 10).\(lanes * 14 % 10)" }

    // MARK: The words

    private var table: String {
        let rows = timings.rows.flatMap { row in
            row.bars.map { bar in
                let cells = [
                    preciseText(bar.start), preciseText(bar.length), bar.bytes > 0 ? bytesText(bar.bytes) : "",
                ]
                return
                    "<tr><th scope=\"row\">\(escaped(row.name))</th><td>\(escaped(bar.activity.profile?.text ?? ""))</td>"
                    + "<td>\(escaped(bar.activity.phase.verb))</td>"
                    + cells.map { "<td class=\"number\">\(escaped($0))</td>" }.joined() + "</tr>"
            }
        }
        let heads = ["Node", "Profile", "Phase", "Began at", "Took", "Sent"].map { "<th scope=\"col\">\($0)</th>" }
        return """
            <div class="scroll" role="region" aria-label="Every phase, by node" tabindex="0">
            <table>
            <caption>Every phase, by node</caption>
            <thead><tr>\(heads.joined())</tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody>
            </table>
            </div>
            """
    }
}

/// The text as HTML shows it, in elements and attributes; what would drive a terminal is made visible here as well.
private func escaped(_ text: String) -> String {
    printable(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        .replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
}
