/// An error that can say what would help.
protocol Explained: Error {
    /// One sentence for the person who reads it, without a capital or a final stop; nil where nothing general helps.
    var hint: String? { get }
}
