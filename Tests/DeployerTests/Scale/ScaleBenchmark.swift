#if os(Linux)
    import Foundation
    import Glibc
    import Shared
    import Testing

    @testable import Deployer

    /// One run to a simulated fleet with the latencies of real nodes, for `benchmarks/scale`: what it took.
    ///
    /// `SCALE` says in JSON what to run, see ``ScaleRequest``; without it nothing runs.
    @Suite(.serialized, .enabled(if: ScaleRequest.text != nil, "benchmarks/scale runs it"))
    struct ScaleBenchmark {
        @Test func aFleet() async throws {
            let request = try ScaleRequest.read()
            guard !request.evaluates else { return }
            let fleet = request.fleet()
            let scene = try await FleetScene(nodes: request.nodes, request.words, fleet: fleet, isLive: request.isLive)
            let before = Use.megabytes
            let start = ContinuousClock.now
            let code: ExitCode
            do {
                code = try await scene.run.deploy()
            } catch {
                code = Failure(error, isDeploy: true).tell(on: scene.console, wasInterrupted: false)
            }
            scene.console.finish()
            var figures = ScaleFigures(fleet.trace, start: start, nodes: request.nodes)
            figures.exitCode = code.rawValue
            figures.megabytesBefore = before
            figures.lines = try scene.log().count
            let evaluation = scene.console.progress.model.ended.first { $0.activity.phase == .evaluation }
            figures.evaluationSeconds = evaluation.map { (($0.end ?? .zero) - $0.start).seconds } ?? 0
            try JSONEncoder().encode(figures).write(to: URL(fileURLWithPath: request.out))
        }

        /// The evaluation alone.
        @Test func anEvaluation() async throws {
            let request = try ScaleRequest.read()
            guard request.evaluates else { return }
            let scratch = try ScratchNix()
            let names = (0..<request.nodes).map(FleetScene.name)
            let flake = try scratch.flake(FleetScene.outputs(names, closure: request.closure))
            var evaluator = Evaluator(nix: try await scratch.nix())
            evaluator.onNode = { _ in }
            let start = ContinuousClock.now
            let evaluation = try await evaluator.evaluate(EvaluationRequest(source: .flake(flake), nodes: .all))
            var figures = ScaleFigures(FleetTrace(), start: start, nodes: evaluation.deployment.nodes.count)
            figures.evaluationSeconds = (ContinuousClock.now - start).seconds
            try JSONEncoder().encode(figures).write(to: URL(fileURLWithPath: request.out))
        }
    }

    /// What `benchmarks/scale` asks for.
    struct ScaleRequest: Decodable {
        static let text = currentEnvironment()["SCALE"]

        var nodes: Int
        /// Options of `deploy`.
        var words: [String]
        /// Whether there are live lines, as on a terminal of 80 by 24.
        var isLive: Bool
        /// Evaluates, and does no more.
        var evaluates: Bool
        /// Then: Nix text for the closure of a node `name`.
        var closure: String
        /// Milliseconds that each moment takes, by its name.
        var milliseconds: [String: Double]
        /// Of one node's copy; the uplink is shared by those that go on at a time.
        var bytes: Int
        var bytesPerSecond: Double
        var uplinkBytesPerSecond: Double
        /// How many times longer the copy to node0000 takes; it is dead, and so many seconds show it, if negative.
        var slowness: Double
        /// File for the figures.
        var out: String

        static func read() throws -> ScaleRequest {
            try JSONDecoder().decode(ScaleRequest.self, from: Data((text ?? "").utf8))
        }

        func fleet() -> SimulatedFleet {
            let piece = 1 << 18
            let pieces = Array(repeating: piece, count: bytes / piece) + [bytes % piece].filter { $0 > 0 }
            let trace = FleetTrace()
            return SimulatedFleet(pieces: pieces, trace: trace) { moment, host in
                let isOdd = host == FleetScene.name(0)
                if isOdd && slowness < 0 {
                    try await ContinuousClock().sleep(for: .seconds(-slowness))
                    throw SSHError.unreachable(host: host, reasons: ["no answer within \(-slowness) s"])
                }
                var seconds = (milliseconds[moment.rawValue] ?? 0) / 1000
                if moment == .copy {
                    let share = uplinkBytesPerSecond / Double(max(1, trace.now(.copy)))
                    seconds += Double(piece) / min(bytesPerSecond, share)
                }
                try await ContinuousClock().sleep(
                    for: .seconds(isOdd && moment == .copy ? seconds * slowness : seconds))
            }
        }
    }

    /// What a run took; seconds since its begin.
    struct ScaleFigures: Encodable {
        var exitCode: Int32 = 0
        var seconds: Double
        /// Of this process and of the programs that it started.
        var processorSeconds: Double
        var programsProcessorSeconds: Double
        var evaluationSeconds = 0.0
        /// The most that this process had resident, and what it had before the run.
        var megabytes: Double
        var megabytesBefore = 0.0
        var lines = 0
        /// The most nodes that went through a moment at a time.
        var most: [String: Int] = [:]
        var mostOpenConnections: Int
        var lastLook: Double?
        var lastCopy: Double?
        var firstActivation: Double?
        /// When half of the nodes, all but one in a hundred, and the last one were confirmed.
        var confirmed: [String: Double] = [:]

        init(_ trace: FleetTrace, start: ContinuousClock.Instant, nodes: Int) {
            seconds = (ContinuousClock.now - start).seconds
            processorSeconds = Use.processorSeconds
            programsProcessorSeconds = Use.processorSecondsOfPrograms
            megabytes = Use.megabytes
            mostOpenConnections = trace.mostOpen
            let since = { (event: FleetTrace.Event?) in event.map { ($0.time - start).seconds } }
            let events = trace.events
            lastLook = since(events.last { $0.moment == .facts && $0.isEnd })
            lastCopy = since(events.last { $0.moment == .copy && $0.isEnd })
            firstActivation = since(events.first { $0.moment == .activation })
            for moment in Moment.allCases { most[moment.rawValue] = trace.most(moment) }
            // The last of a node's confirmations is its end.
            let ends = Dictionary(grouping: events.filter { $0.moment == .confirmation && $0.isEnd }, by: \.host)
                .compactMap { since($0.value.last) }.sorted()
            for (name, part) in [("half", 0.5), ("99 %", 0.99), ("last", 1)] where !ends.isEmpty {
                confirmed[name] = ends[min(ends.count, Int((part * Double(ends.count)).rounded(.up))) - 1]
            }
        }
    }

    /// What the kernel says of this process.
    private enum Use {
        /// The most that it had resident so far; not what getrusage says, which counts whoever started it.
        static var megabytes: Double {
            let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
            let kilobytes = status.firstMatch(of: /VmHWM:\s+(\d+) kB/).flatMap { Double($0.output.1) }
            return (kilobytes ?? 0) / 1024
        }

        /// Of this process.
        static var processorSeconds: Double { ticks(13...14) }
        /// Of the programs that it started and that have ended.
        static var processorSecondsOfPrograms: Double { ticks(15...16) }

        /// The sum of these fields of proc_pid_stat(5), counted from 0, in seconds.
        private static func ticks(_ fields: ClosedRange<Int>) -> Double {
            let text = (try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8)) ?? ""
            // The second one, our name in brackets, may hold anything.
            let rest = text.split(separator: ")").last?.split(separator: " ") ?? []
            let ticks = fields.compactMap { rest.indices.contains($0 - 2) ? Double(rest[$0 - 2]) : nil }
            return ticks.reduce(0, +) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }
#endif
