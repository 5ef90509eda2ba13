extension Options {
    /// Takes over one option of the command line.
    mutating func apply(_ occurrence: OptionScanner.Occurrence) throws(UsageError) {
        if case .none = occurrence.option.value { return applyFlag(occurrence.option) }
        let value = OptionValue(option: occurrence.option.long, text: occurrence.value)
        switch occurrence.option {
        case .file: file = try value.word()
        case .logDir: logDir = try value.word()
        case .resultPath: resultPath = try value.word()
        case .rollbackSucceeded: rollbackSucceeded = try value.boolean()
        case .agent:
            agent = try value.word()
            overrides.choosesAgent = true
        case .sshTransport: transport = try value.choice()
        case .compress: compression = try value.choice()
        case .waitLock: waitLock = try value.integer(in: 0...65535)
        case .history: history = try value.integer(in: 1...64)
        case .parallel: limits.nodes = try value.integer(in: 1...1000)
        case .maxCopies: limits.ownCopies = try value.integer(in: 1...1000)
        case .maxActivations: limits.ownActivations = try value.integer(in: 1...1000)
        case .maxJobsEval: limits.evaluations = try value.integer(in: 1...1000)
        case .timings: timings = occurrence.value.isEmpty ? .table : .page(occurrence.value)
        default: try overrides.apply(occurrence.option, value)
        }
    }

    private mutating func applyFlag(_ option: OptionName) {
        switch option {
        case .checksigs: checksigs = true
        case .interactive: isInteractive = true
        case .debugLogs: debugLogs = true
        case .keepResult: keepResult = true
        case .skipChecks: skipChecks = true
        case .skipHealthChecks: overrides.skipsHealthChecks = true
        case .remoteBuild: overrides.remoteBuild = true
        case .local: overrides.isLocal = true
        case .dryActivate: dryActivate = true
        case .boot: boot = true
        case .force: force = true
        case .noBarrier: noBarrier = true
        case .json: json = true
        default: break
        }
    }
}

extension Overrides {
    fileprivate mutating func apply(_ option: OptionName, _ value: OptionValue) throws(UsageError) {
        switch option {
        case .sshUser: sshUser = try value.word()
        case .profileUser: profileUser = try value.word()
        case .sshOpts: sshOpts = try value.shellWords()
        case .fastConnection: fastConnection = try value.boolean()
        case .autoRollback: autoRollback = try value.boolean()
        case .hostname: hostnames = try value.list()
        case .magicRollback: magicRollback = try value.boolean()
        case .confirmTimeout: confirmTimeout = try value.integer(in: 0...65535)
        case .activationTimeout: activationTimeout = try value.integer(in: 0...65535)
        case .healthTimeout: healthTimeout = try value.integer(in: 1...65535)
        case .tempPath: tempPath = try value.absolutePath()
        case .sudo: sudo = try value.command()
        case .interactiveSudo: interactiveSudo = try value.boolean()
        case .onPartialFailure: onPartialFailure = try value.choice()
        default: break
        }
    }
}

/// The text given for an option, and the ways to read it.
private struct OptionValue {
    var option: String
    var text: String

    func word() throws(UsageError) -> String {
        if text.isEmpty { throw invalid("something that is not empty") }
        return text
    }

    /// Words with commas between them.
    func list() throws(UsageError) -> [String] {
        let words = try word().split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        if words.contains("") { throw invalid("host names with commas between them") }
        return words
    }

    func absolutePath() throws(UsageError) -> String {
        guard text.hasPrefix("/") else { throw invalid("an absolute path") }
        return text
    }

    func boolean() throws(UsageError) -> Bool {
        guard let value = Bool(text) else { throw invalid("true or false") }
        return value
    }

    func integer(in range: ClosedRange<Int>) throws(UsageError) -> Int {
        guard text.utf8.first != UInt8(ascii: "+"), let value = Int(text), range.contains(value) else {
            throw invalid("an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// One of a few words.
    func choice<Choice: RawRepresentable<String> & CaseIterable>() throws(UsageError) -> Choice {
        guard let value = Choice(rawValue: text) else {
            throw invalid(Choice.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return value
    }

    func shellWords() throws(UsageError) -> [String] {
        guard let words = Deployer.shellWords(text) else { throw invalid("words with quotes that end") }
        return words
    }

    func command() throws(UsageError) -> [String] {
        let words = try shellWords()
        if words.isEmpty { throw invalid("a command") }
        return words
    }

    private func invalid(_ expected: String) -> UsageError { .invalidValue(option, text, expected: expected) }
}
