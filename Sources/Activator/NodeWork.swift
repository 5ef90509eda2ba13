import Shared

/// What a guardian does to its node, besides keeping its journal.
protocol NodeWork: Sendable {
    /// Keeps the old and the new closure, the running system and the agent from being collected.
    func hold(_ record: Record) async
    /// Ends what an interrupted predecessor left running.
    func endPredecessor() async
    /// Where the profile is; nil if there is no link.
    func generation() throws -> Generation?
    /// Points the profile to the record's closure; also tells whether it never had this generation before.
    func setProfile(_ record: Record) async throws -> (generation: Generation, isNew: Bool)
    /// Runs the closure's activation.
    func activate(_ record: Record) async throws -> ActivationEnd
    /// Tries whether what the activation has left is healthy.
    func check(_ check: HealthCheck, _ record: Record) async throws -> HealthFinding
    /// Makes a plain system the one that boots.
    ///
    /// - Returns: why it failed; nil if it did not
    func setBoot(_ record: Record) async throws -> String?
    /// Puts back what the record says was begun.
    func undo(_ record: Record) async throws -> UndoEnd
    /// Sees to it that what was put back is what boots next.
    ///
    /// - Throws: why the machine must not be rebooted, or cannot be
    func prepareReboot(_ record: Record) async throws
    /// Reboots the machine, which ends this process.
    ///
    /// - Returns: that the machine still runs
    /// - Throws: why it would not
    func reboot() async throws -> RebootError
    /// What is not as planned once all is done; nil if everything is.
    func deviation(_ record: Record) -> String?
    /// Lets go of what was held.
    func release(_ record: Record, _ verdict: Verdict)
}

/// How a rollback ended that did not fail.
struct UndoEnd: Sendable, Equatable {
    /// What a person should know about it; empty for a plain success.
    var notes: [String] = []
    /// False if a unit that has to run does not.
    var isWhole = true
}

/// How a closure's activation ended.
struct ActivationEnd: Sendable, Equatable {
    var result: Script.Result
    /// Why it counts as failed; nil if it does not.
    var failure: String?
    /// That it failed only in part; then this is why, and ``failure`` is the same.
    var isPartial = false
    /// Units that were failed before it; nil where nobody has asked.
    var failedBefore: [String]?
    /// True if only a reboot helps.
    var needsReboot = false
}
