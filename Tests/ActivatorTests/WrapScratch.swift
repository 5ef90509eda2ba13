import Foundation

/// A folder for one test, gone with it.
final class WrapScratch {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "deploy-swift-wrap-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Left-overs in the temporary folder harm nobody.
        try? FileManager.default.removeItem(atPath: path)
    }

    @discardableResult
    func file(_ name: String, _ text: String = "", mode: Int = 0o644) throws -> String {
        let file = "\(path)/\(name)"
        let folder = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: mode]
        _ = FileManager.default.createFile(atPath: file, contents: Data(text.utf8), attributes: attributes)
        return file
    }

    func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
    }

    func target(_ name: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "\(path)/\(name)")
    }

    func mode(_ name: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.posixPermissions] as? Int
    }
}
