import Foundation
import Shared
import Testing

@testable import Deployer

private enum Browser {
    static let program = ["chromium", "chromium-browser", "google-chrome"].lazy
        .compactMap { locateProgram($0, path: currentEnvironment()["PATH"]) }.first
}

/// The page of `--timings` as a real browser lays it out, on a wide screen and on a narrow one.
@Suite(
    .serialized, .timeLimit(.minutes(10)),
    .enabled(if: Browser.program != nil, "there is no Chromium to look at the page with"))
struct TimingsBrowserTests {
    private struct Box: Decodable {
        var left: Double
        var right: Double
        var top: Double
        var bottom: Double

        func meets(_ other: Box) -> Bool {
            // Where boxes touch, the browser's arithmetic may have them share a part of a pixel.
            let shared = 0.1
            return left + shared < other.right && other.left + shared < right
                && top + shared < other.bottom && other.top + shared < bottom
        }
    }

    private struct Bar: Decodable {
        var box: Box
        var color: String
    }

    private struct Track: Decodable {
        var box: Box
        var bars: [Bar]
    }

    private struct Layout: Decodable {
        var width: Double
        var scrollWidth: Double
        var tracks: [Track]
        /// With their labels.
        var ticks: [Box]
        var tableRows: Int
        var keyColors: [String]
    }

    @Test(arguments: [1280, 360])
    func everyBarIsWhereItsTimeSays(width: Int) async throws {
        let timings = Timings(model(), total: .seconds(40))
        let layout = try await layout(TimingsPage(timings: timings, title: "deploy <b>.#web1</b>").text, width: width)
        #expect(layout.width == Double(width))
        #expect(layout.scrollWidth <= layout.width, "the page is wider than the screen")
        #expect(layout.tracks.map(\.bars.count) == timings.rows.map(\.bars.count))
        for (track, row) in zip(layout.tracks, timings.rows) {
            let scale = (track.box.right - track.box.left) / timings.total.seconds
            for (bar, expected) in zip(track.bars, row.bars) {
                #expect(abs(bar.box.left - track.box.left - expected.start.seconds * scale) < 1, "\(expected)")
                // However short a phase was, its bar can be seen.
                let length = max(3, expected.length.seconds * scale)
                #expect(abs(bar.box.right - bar.box.left - length) < 1, "\(expected)")
                #expect(bar.box.top >= track.box.top && bar.box.bottom <= track.box.bottom, "\(expected)")
            }
            expectApart(track.bars.map(\.box))
        }
        #expect(layout.ticks.count >= 2)
        expectApart(layout.ticks)
        #expect(layout.tableRows == timings.rows.reduce(0) { $0 + $1.bars.count })
        // The legend has the color of every bar, and none is see-through.
        let colors = Set(layout.tracks.flatMap(\.bars).map(\.color))
        #expect(colors == Set(layout.keyColors) && layout.keyColors.count == colors.count)
        #expect(colors.allSatisfy { $0.hasPrefix("rgb(") })
    }

    private func expectApart(_ boxes: [Box], sourceLocation: SourceLocation = #_sourceLocation) {
        for (index, box) in boxes.enumerated() {
            #expect(!boxes.dropFirst(index + 1).contains { box.meets($0) }, "\(box)", sourceLocation: sourceLocation)
        }
    }

    /// Two nodes, one with a long name, whose phases lie within each other and beside each other, one of them short.
    private func model() -> ProgressModel {
        let (web1, other) = (NodeName("web1"), NodeName("a-node-of-a-rather-long-name.example.org"))
        let system = ProfileName("system")
        var model = ProgressModel()
        let spans: [(Activity, Double, Double)] = [
            (Activity(.evaluation), 0, 4), (Activity(.checks), 0, 20), (Activity(.build), 4, 12),
            (Activity(.preflight, node: web1), 1, 3), (Activity(.agent, node: web1), 1.5, 2.5),
            (Activity(.preflight, node: other), 1, 1.01), (Activity(.copy, node: web1), 12, 18),
            (Activity(.copy, node: other), 12, 20),
            (Activity(.activation, node: web1, profile: system), 20, 25),
            (Activity(.confirmation, node: web1, profile: system), 25, 26),
            (Activity(.activation, node: other, profile: system), 20, 30),
            (Activity(.rollback, node: other, profile: system), 30, 40),
        ]
        let events: [(Double, ProgressEvent)] =
            spans.flatMap { [($0.1, ProgressEvent.began($0.0)), ($0.2, ProgressEvent.ended($0.0))] }
        model.apply(.planned(plan(["web1", other.text])), at: .zero)
        for (time, event) in events.sorted(by: { $0.0 < $1.0 }) {
            model.apply(event, at: .milliseconds(Int(time * 1000)))
        }
        return model
    }

    /// What the browser makes of a page, which stays as it is: a frame around it measures.
    private func layout(_ page: String, width: Int) async throws -> Layout {
        let folder = try makeScratchFolder()
        defer {
            // Left-overs in the temporary folder harm nobody.
            try? FileManager.default.removeItem(atPath: folder)
        }
        let quoted = page.replacing("&", with: "&amp;").replacing("\"", with: "&quot;")
        let frame = """
            <!DOCTYPE html>
            <iframe width="\(width)" height="2000" style="border: 0" srcdoc="\(quoted)"></iframe>
            <script>\(Self.measure)</script>
            """
        try frame.write(toFile: "\(folder)/frame.html", atomically: true, encoding: .utf8)
        var command = LocalCommand([
            Browser.program ?? "", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--user-data-dir=\(folder)/user", "--dump-dom", "file://\(folder)/frame.html",
        ])
        command.environment["HOME"] = folder
        let result = try await command.run(timeLimit: .seconds(120))
        let found = result.text.firstMatch(of: /<pre>(.*?)<\/pre>/.dotMatchesNewlines())
        let json = try #require(found, "\(result.text)\n\(result.errorText)").output.1
        return try JSONDecoder().decode(Layout.self, from: Data(json.utf8))
    }

    private static let measure = """
        addEventListener("load", () => {
            const page = document.querySelector("iframe").contentDocument;
            const all = (selector, within = page) => [...within.querySelectorAll(selector)];
            const box = (element) => {
                const { left, right, top, bottom } = element.getBoundingClientRect();
                return { left, right, top, bottom };
            };
            const color = (element) => page.defaultView.getComputedStyle(element).backgroundColor;
            const layout = {
                width: page.defaultView.innerWidth, scrollWidth: page.documentElement.scrollWidth,
                tracks: all(".row:not(.axis) .track").map((track) => ({
                    box: box(track), bars: all(".bar", track).map((bar) => ({ box: box(bar), color: color(bar) })),
                })),
                ticks: all(".tick").filter((tick) => tick.checkVisibility()).map(box),
                tableRows: all("tbody tr").length, keyColors: all(".key").map(color),
            };
            const result = document.createElement("pre");
            result.textContent = JSON.stringify(layout);
            document.body.append(result);
        });
        """
}
