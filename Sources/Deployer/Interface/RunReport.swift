import Shared

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What is told about a run as a whole, before it begins and after it has ended, however it ended.
struct RunReport: Sendable {
    let options: Options
    let console: Console
    private let began = Date.now
    private let page: TimingsFile?

    init(_ options: Options, _ console: Console) throws(RunReportError) {
        self.options = options
        self.console = console
        guard case .page(let path) = options.timings else {
            page = nil
            return
        }
        do {
            page = try TimingsFile(path)
        } catch {
            throw RunReportError(cause: error)
        }
    }

    func begin() {
        var line = EventLine(.begin, at: .zero)
        line.version = Options.version
        line.time = began.formatted(.iso8601)
        console.emit(line)
    }

    func end(_ code: ExitCode) {
        let total = console.progress.now
        let timings = Timings(console.progress.model, total: total)
        if options.timings != .none { console.show(TimingsTable(timings: timings).text) }
        if let page {
            do {
                try page.write(TimingsPage(timings: timings, title: title).text)
            } catch {
                console.tell(.warn, "the page of --timings is not whole: \(error)")
            }
        }
        var line = EventLine(.end, at: total)
        line.exitCode = code.rawValue
        console.emit(line)
    }

    private var title: String {
        let targets = options.targets.isEmpty ? [options.file ?? Options.defaultTarget] : options.targets
        return "deploy \(targets.joined(separator: " ")), \(began.formatted(.iso8601))"
    }
}

/// The page of `--timings` could not be written.
struct RunReportError: Error, CustomStringConvertible {
    let cause: SystemError

    var description: String { "the page of --timings cannot be written, so nothing was begun: \(cause)" }
}
