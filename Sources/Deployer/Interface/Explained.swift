/// An error that can say what would help.
protocol Explained: Error, CustomStringConvertible {
    /// One line for `deploy: hint: …`, without capital and final stop; nil where nothing would help.
    var hint: String? { get }
}
