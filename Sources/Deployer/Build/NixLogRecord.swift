/// One line of Nix's `--log-format internal-json`.
///
/// The numbers are Nix's own (`src/libutil/logging.hh`) and the same from 2.8 to 2.34; what is unknown is kept as a number or
/// left out, so that another version's record can only be ignored.
enum NixLogRecord: Sendable, Equatable {
    /// Nix has already left out what is above its verbosity.
    case message(level: Int, String)
    case start(id: Int, NixActivity)
    case stop(id: Int)
    case result(id: Int, NixActivityResult)
    /// A line that is no record, such as one of a program that Nix runs.
    case text(String)

    private static let mark = "@nix "

    init(line: String) {
        guard line.hasPrefix(Self.mark),
            let record = try? JSONValue(parsing: Array(line.utf8.dropFirst(Self.mark.utf8.count))),
            let known = Self(record)
        else {
            // Not a record of any kind that we know: a person can read it all the same.
            self = .text(line)
            return
        }
        self = known
    }

    private init?(_ record: JSONValue) {
        switch (record["action"]?.text, record["id"]?.integer) {
        case ("msg", _):
            guard let text = record["msg"]?.text else { return nil }
            self = .message(level: record["level"]?.integer ?? 0, text)
        case ("start", let id?):
            self = .start(
                id: id,
                NixActivity(
                    kind: record["type"]?.integer ?? 0, level: record["level"]?.integer ?? 0,
                    text: record["text"]?.text ?? "", fields: record["fields"]?.elements ?? []))
        case ("stop", let id?): self = .stop(id: id)
        case ("result", let id?):
            self = .result(
                id: id,
                NixActivityResult(kind: record["type"]?.integer ?? 0, fields: record["fields"]?.elements ?? []))
        default: return nil
        }
    }
}

/// Something that Nix does for a while.
struct NixActivity: Sendable, Equatable {
    static let fileTransfer = 101
    static let copyPaths = 103
    static let builds = 104
    static let build = 105
    static let buildWaiting = 111

    var kind: Int
    var level: Int
    /// One sentence without a stop; may be empty.
    var text: String
    var fields: [JSONValue]
}

/// What Nix tells about an activity while it lasts.
struct NixActivityResult: Sendable, Equatable {
    static let buildLogLine = 101
    static let setPhase = 104
    /// Fields: done, expected, running, failed.
    static let progress = 105
    /// Fields: a kind of activity, and how much of it is expected.
    static let setExpected = 106
    static let postBuildLogLine = 107

    var kind: Int
    var fields: [JSONValue]

    /// More than anybody has bytes to send, and little enough that sums of them are numbers too.
    private static let greatest = 1 << 44

    var numbers: [Int] { fields.compactMap { $0.integer.map { min(max($0, 0), Self.greatest) } } }
}

extension JSONValue {
    fileprivate var integer: Int? {
        if case .integer(let number) = self { number } else { nil }
    }
}
