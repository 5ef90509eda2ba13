import Shared
import Testing

/// Checks how a run of `deploy` ended and that it told these things; what it did say is shown if not so.
func expect(
    _ result: LocalResult, _ code: ExitCode, says texts: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
    let text = Comment(rawValue: "it ended with \(result.exit):\n\(result.errorText)")
    #expect(result.exit == .code(code.rawValue), text, sourceLocation: sourceLocation)
    for expected in texts {
        #expect(result.errorText.contains(expected), text, sourceLocation: sourceLocation)
    }
}

/// Checks that a run did not say these things.
func expect(_ result: LocalResult, saysNot texts: String..., sourceLocation: SourceLocation = #_sourceLocation) {
    for unexpected in texts {
        let text = Comment(rawValue: result.errorText)
        #expect(!result.errorText.contains(unexpected), text, sourceLocation: sourceLocation)
    }
}
