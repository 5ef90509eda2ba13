/// The keywords of JSON Schema that `interface.json` uses.
///
/// A keyword that is not known here is itself a problem: a rule that nobody enforces must not look like one.
struct CheckSchemaRules {
    let root: CheckJSON

    /// One line for each thing that is wrong, sorted, each beginning with the attribute's full path.
    func problems(in value: CheckJSON) -> [String] {
        Array(Set(problems(in: value, at: "deploy", root))).sorted()
    }

    private func problems(in value: CheckJSON, at path: String, _ schema: CheckJSON) -> [String] {
        // Where the type is wrong, the other rules would only say so again.
        let types = schema["type"].map { $0.text.map { [$0] } ?? $0.elements.compactMap(\.text) } ?? []
        let mistakes = types.compactMap { typeProblem($0, value) }
        if !types.isEmpty, mistakes.count == types.count {
            return ["\(path): " + (types.count == 1 ? mistakes[0] : Self.mistake(types, value))]
        }
        return schema.members.sorted { $0.key < $1.key }.flatMap { keyword, rule -> [String] in
            switch keyword {
            case "$schema", "$id", "$defs", "title", "description", "default", "examples", "type": []
            case "$ref": reference(rule, value, path)
            case "allOf": rule.elements.flatMap { problems(in: value, at: path, $0) }
            case "properties": properties(rule, value, path)
            case "additionalProperties": others(than: schema["properties"], rule, value, path)
            case "items": items(rule, value, path)
            case "required": missing(rule, value, path)
            case "uniqueItems": repeated(value, path)
            case "enum": choice(rule, value, path)
            case "minimum", "maximum": range(schema, value, path)
            default: ["interface.json: keyword \"\(keyword)\" is not supported"]
            }
        }
    }

    private func typeProblem(_ type: String, _ value: CheckJSON) -> String? {
        switch (type, value) {
        case ("string", .string), ("boolean", .boolean), ("number", .number), ("array", .list): nil
        case ("object", .set(let members)) where members["__functor"] == nil: nil
        case ("integer", .number(let number)) where number == number.rounded(): nil
        case ("integer", .number(let number)): "expected an integer, found \(number)"
        default: "expected \(Self.typeNames[type] ?? type), found \(value.kind)"
        }
    }

    private static func mistake(_ types: [String], _ value: CheckJSON) -> String {
        "expected \(types.map { typeNames[$0] ?? $0 }.joined(separator: " or ")), found \(value.kind)"
    }

    private static let typeNames = [
        "string": "a string", "boolean": "a boolean", "integer": "an integer", "number": "a number", "array": "a list",
        "object": "an attribute set",
    ]

    /// Only references into the schema's own definitions: `#/$defs/name`.
    private func reference(_ rule: CheckJSON, _ value: CheckJSON, _ path: String) -> [String] {
        let prefix = "#/$defs/"
        guard let text = rule.text, text.hasPrefix(prefix),
            let target = root["$defs"]?[String(text.dropFirst(prefix.count))]
        else { return ["interface.json: reference \(rule.text ?? "") leads nowhere"] }
        return problems(in: value, at: path, target)
    }

    private func properties(_ rule: CheckJSON, _ value: CheckJSON, _ path: String) -> [String] {
        rule.members.flatMap { name, schema in
            value[name].map { problems(in: $0, at: "\(path).\(NixName(name))", schema) } ?? []
        }
    }

    private func others(than known: CheckJSON?, _ rule: CheckJSON, _ value: CheckJSON, _ path: String) -> [String] {
        value.members.filter { known?[$0.key] == nil }.flatMap { name, member in
            problems(in: member, at: "\(path).\(NixName(name))", rule)
        }
    }

    private func items(_ rule: CheckJSON, _ value: CheckJSON, _ path: String) -> [String] {
        value.elements.enumerated().flatMap { problems(in: $1, at: "\(path)[\($0)]", rule) }
    }

    private func missing(_ rule: CheckJSON, _ value: CheckJSON, _ path: String) -> [String] {
        let names = rule.elements.compactMap(\.text)
        return names.filter { value[$0] == nil }.map { "\(path): has no \($0), which is required" }
    }

    private func repeated(_ value: CheckJSON, _ path: String) -> [String] {
        let texts = value.elements.compactMap(\.text)
        return Set(texts.filter { text in texts.count { $0 == text } > 1 }).map { "\(path): \"\($0)\" is there twice" }
    }

    /// Only of strings.
    private func choice(_ rule: CheckJSON, _ value: CheckJSON, _ path: String) -> [String] {
        let known = rule.elements.compactMap(\.text)
        if let text = value.text, known.contains(text) { return [] }
        return ["\(path): expected \(known.joined(separator: " or ")), found \(value.text ?? value.kind)"]
    }

    private func range(_ schema: CheckJSON, _ value: CheckJSON, _ path: String) -> [String] {
        guard let number = value.number else { return [] }
        let lowest = schema["minimum"]?.number ?? -.infinity
        let highest = schema["maximum"]?.number ?? .infinity
        if (lowest...highest).contains(number) { return [] }
        let range = "\(Self.text(lowest)) to \(Self.text(highest))"
        return ["\(path): expected a number from \(range), found \(Self.text(number))"]
    }

    private static func text(_ number: Double) -> String {
        Int(exactly: number).map(String.init) ?? "\(number)"
    }
}
