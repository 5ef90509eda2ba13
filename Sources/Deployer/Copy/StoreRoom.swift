import Shared

/// How much room a node's store has, for a copy that failed: Nix's database says "disk I/O error" and no more.
struct StoreRoom: Sendable, Equatable {
    var freeMegabytes: Int

    /// Below this a copy that failed has most likely failed for that.
    static let scarce = 64

    /// Asks the node; nil where it does not say.
    static func of(_ connection: ReadyConnection) async -> StoreRoom? {
        // Only a help for the reader: that the copy failed is told in any case.
        guard let remote = try? await connection.login.remote(),
            let result = try? await before(.now + .seconds(10), { try await remote.run(["df", "-Pm", "/nix/store"]) })
        else { return nil }
        return StoreRoom(df: result.text)
    }

    /// - Parameter df: what `df -Pm` printed: a heading, then device, size, used, available, …
    init?(df: String) {
        let lines = df.split(separator: "\n")
        guard lines.count > 1 else { return nil }
        let fields = lines[1].split(separator: " ")
        guard fields.count > 3, let free = Int(fields[3]) else { return nil }
        freeMegabytes = free
    }
}
