/// How many things happen at a time, each 1 or more.
struct Limits: Sendable, Equatable {
    /// Nodes that are copied to or activated, where these have no limit of their own.
    var nodes = 10
    var ownCopies: Int?
    var ownActivations: Int?
    /// Each takes the memory of a whole evaluation.
    var evaluations = 4
    /// Nodes that are logged in to and looked at: mostly they wait, and one that does not answer must not hold up others.
    var logins = 64

    var copies: Int { ownCopies ?? nodes }
    var activations: Int { ownActivations ?? nodes }
}
