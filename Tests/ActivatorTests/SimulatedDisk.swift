import Glibc
import Shared
import Synchronization

@testable import Activator

/// One folder on a disk that keeps only what was made durable, with a machine that stops after a number of steps.
///
/// Names change in the order that they were changed in, as every journaling file system keeps it within a folder; a
/// file's bytes may be there or not, or in part, until they are synced.
final class SimulatedDisk: FileOperations {
    private struct Inode {
        var bytes: [UInt8] = []
        /// What is left of it when the power goes.
        var durable: [UInt8] = []
        var isSynced: Bool { bytes == durable }
    }

    private struct State {
        var inodes: [Int: Inode] = [:]
        var names: [String: Int] = [:]
        /// The folder as it was after each change since the last sync, the synced one first.
        var folders: [[String: Int]] = [[:]]
        var next = 0
        var steps = 0
        var stopAt: Int?
        var isStopped: Bool { stopAt.map { steps >= $0 } ?? false }
    }

    private let state: Mutex<State>
    private let syncsFiles: Bool
    /// Called after each rename, as another process that watches the folder.
    let onRename: @Sendable (SimulatedDisk, String) -> Void

    /// - Parameters:
    ///   - files: durable ones, to begin with
    ///   - syncsFiles: false for a disk that lies about it
    init(
        _ files: [String: [UInt8]] = [:], stopAt: Int? = nil, syncsFiles: Bool = true,
        onRename: @escaping @Sendable (SimulatedDisk, String) -> Void = { _, _ in }
    ) {
        var state = State()
        for (name, bytes) in files {
            state.inodes[state.next] = Inode(bytes: bytes, durable: bytes)
            state.names[name] = state.next
            state.next += 1
        }
        state.folders = [state.names]
        state.stopAt = stopAt
        self.state = Mutex(state)
        self.syncsFiles = syncsFiles
        self.onRename = onRename
    }

    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Stops the machine here.
    func stop() { state.withLock { $0.stopAt = $0.steps } }

    var steps: Int { state.withLock { $0.steps } }

    /// For what happens beside the folder: false once the machine has stopped.
    func step() -> Bool {
        state.withLock { state in
            if state.isStopped { return false }
            state.steps += 1
            return true
        }
    }

    /// What is there for another process when this one is killed.
    var afterKill: [String: [UInt8]] {
        state.withLock { state in state.names.mapValues { state.inodes[$0]?.bytes ?? [] } }
    }

    /// Everything that may be there after a loss of power.
    var afterPowerLoss: [[String: [UInt8]]] {
        state.withLock { state in
            var images: [[String: [UInt8]]] = []
            for folder in state.folders {
                for keep in [(0, 1), (0, 2), (1, 2), (1, 1)] {
                    images.append(
                        folder.mapValues { number in
                            guard let inode = state.inodes[number] else { return [] }
                            if inode.isSynced { return inode.bytes }
                            // Nothing since the last sync; no byte at all; half; all.
                            if keep == (0, 1) { return inode.durable }
                            return Array(inode.bytes.prefix(inode.bytes.count * keep.0 / keep.1))
                        })
                }
            }
            return images.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
    }

    // MARK: Operations

    func read(_ name: String, limit: Int) throws(SystemError) -> [UInt8]? {
        state.withLock { state in state.names[name].flatMap { state.inodes[$0]?.bytes } }
    }

    func write(_ name: String, _ bytes: [UInt8], _ how: FileWrite) throws(SystemError) {
        var number = 0
        try change { state throws(SystemError) in
            if let there = state.names[name] {
                guard !how.contains(.new) else { throw SystemError("open", name, number: EEXIST) }
                number = there
            } else {
                number = Self.add(name, &state)
            }
        }
        for part in [bytes.prefix(bytes.count / 2), bytes[...]] {
            try change { state throws(SystemError) in state.inodes[number]?.bytes = Array(part) }
        }
        guard how.contains(.durable) else { return }
        try change { [syncsFiles] state throws(SystemError) in
            if syncsFiles { state.inodes[number]?.durable = bytes }
        }
    }

    func reserve(_ name: String, size: Int) throws(SystemError) {
        try change { state throws(SystemError) in
            let number = Self.add(name, &state)
            state.inodes[number]?.bytes = [UInt8](repeating: 0, count: size)
        }
    }

    func rename(_ name: String, _ other: String) throws(SystemError) {
        try change { state throws(SystemError) in
            guard let number = state.names.removeValue(forKey: name) else {
                throw SystemError("rename", name, number: ENOENT)
            }
            state.names[other] = number
            state.folders.append(state.names)
        }
        onRename(self, other)
    }

    func remove(_ name: String) {
        // After the machine has stopped nothing is removed, and nobody is there to be told.
        try? change { state throws(SystemError) in
            guard state.names.removeValue(forKey: name) != nil else { return }
            state.folders.append(state.names)
        }
    }

    func contains(_ name: String) -> Bool { state.withLock { $0.names[name] != nil } }

    func syncFolder() throws(SystemError) {
        try change { state throws(SystemError) in state.folders = [state.names] }
    }

    private static func add(_ name: String, _ state: inout State) -> Int {
        let number = state.next
        state.next += 1
        state.inodes[number] = Inode()
        state.names[name] = number
        state.folders.append(state.names)
        return number
    }

    /// One step: it happens, or the machine has stopped before.
    private func change(_ work: (inout State) throws(SystemError) -> Void) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            if state.isStopped { throw SystemError("write", "the disk of a stopped machine", number: EIO) }
            state.steps += 1
            try work(&state)
        }
    }
}
