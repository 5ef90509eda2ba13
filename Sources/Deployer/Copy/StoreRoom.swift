import Shared

/// How much room a node's store has, for a copy that failed: Nix's database says "disk I/O error" and no more.
struct StoreRoom: Sendable, Equatable {
    var freeMegabytes: Int

    /// Below this a copy that failed has most likely failed for that.
    private static let scarce = 64

    /// Runs a copy, and adds to its failure that the node's store is full, where it is.
    static func explaining(_ connection: ReadyConnection, _ copy: () async throws -> Void) async throws {
        do {
            try await copy()
        } catch let error as CopyError {
            guard let room = await StoreRoom.of(connection), room.freeMegabytes < scarce else { throw error }
            throw StoreFull(cause: error, room: room)
        }
    }

    /// Asks the node; nil where it does not say.
    private static func of(_ connection: ReadyConnection) async -> StoreRoom? {
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

/// A copy that failed on a node whose store has next to no room left.
struct StoreFull: Explained, Equatable {
    let cause: CopyError
    let room: StoreRoom

    var description: String { describe(cause) }

    var hint: String? {
        "the node's /nix is full (\(room.freeMegabytes) MB free): nothing was activated; make room there "
            + "(nix-collect-garbage --delete-older-than 30d) and deploy again"
    }
}
