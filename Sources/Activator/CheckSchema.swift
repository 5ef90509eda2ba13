import Shared

/// The builder that holds a `deploy` attribute against `interface.json`.
///
/// Attributes: `deploy`, passed as a file, JSON; `schema`, the path of `interface.json`.
struct CheckSchema {
    let deploy: CheckJSON
    let schema: CheckJSON
    let output: String

    init(_ attributes: BuilderAttributes) throws {
        deploy = try attributes.json(CheckJSON.self, "deploy")
        let path = try attributes.text("schema")
        schema = try BuilderAttributes.decode(CheckJSON.self, try BuilderFiles.read(path), what: path)
        output = try attributes.text("out")
    }

    /// Makes the output, a line that says what was checked.
    ///
    /// - Throws: ``BuilderError/problems(_:)`` with one line for each attribute that is wrong
    func run() throws {
        let problems = CheckSchemaRules(root: schema).problems(in: deploy)
        guard problems.isEmpty else { throw BuilderError.problems(problems) }
        try BuilderFiles.write(Array("deploy fits interface.json\n".utf8), to: output, mode: 0o444)
    }
}
