import Glibc
import Shared

/// The file whose taking confirms an activation.
///
/// One rename decides between a confirmation and the deadline: whoever moves the canary away first has won, and the
/// name holds the activation's id, so that no one can take another's. Nothing of it is made durable: what a power loss
/// takes back is undone at the next start, and nobody has been told otherwise before the verdict was written.
struct PrivateCanary: Sendable {
    let folder: StateFolder
    let record: Record

    func make() throws(SystemError) {
        try folder.create(record.canary, Array("\(record.id)\n".utf8))
    }

    var isConfirmed: Bool { folder.contains(record.confirmed) }

    /// Takes the canary for a confirmation; false if it is gone.
    func confirm() throws(SystemError) -> Bool { try take(record.confirmed) }

    /// Takes the canary because the time is over; true unless a confirmation was first.
    func expire() -> Bool {
        // Where it cannot be moved, no confirmation can move it either: what is there decides.
        _ = try? take(record.expired)
        return !isConfirmed
    }

    var isRevoked: Bool { folder.contains(record.revoked) }

    /// What became of an activation that is not wanted any more, for its record.
    static func revocation(_ why: String?) -> String {
        why.map { "it was revoked: \(Record.bounded($0))" } ?? "it was revoked"
    }

    /// The same for this one, which is revoked.
    var revocation: String {
        // Without its reason it is revoked all the same.
        let bytes = (try? folder.read(record.revocation, limit: 4096)) ?? nil
        return Self.revocation(bytes.map { String(decoding: $0, as: UTF8.self) })
    }

    /// Takes the canary because the activation is not wanted any more; without effect once it is confirmed.
    func revoke(_ why: String? = nil) throws(SystemError) {
        if record.nonce != nil {
            // First, so that whoever finds it revoked finds the reason; which is worth less than the revocation.
            if let why { try? folder.create(record.revocation, Array(Record.bounded(why).utf8)) }
            // False: gone already, by a confirmation or by the deadline. The verdict will tell.
            _ = try take(record.revoked)
        } else if !isRevoked {
            // deploy-rs's canary lies elsewhere, and is none of ours to take: the guardian weighs the two.
            try folder.create(record.revoked, [])
        }
    }

    func clear() {
        for name in record.canaryNames { folder.remove(name) }
    }

    private func take(_ name: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try folder.move(record.canary, name)
            return true
        } catch {
            if error.number == ENOENT { return false }
            throw error
        }
    }
}

/// The canary of deploy-rs's own deployer: it confirms by removing `<tempPath>/deploy-rs-canary-<hash>`.
///
/// It knows no nonce and lies where others may write: as safe as with deploy-rs, no more.
struct LegacyCanary: Sendable {
    let folderPath: String
    let name: String
    private let folder: OwnedDescriptor
    private let file: OwnedDescriptor?

    var path: String { "\(folderPath)/\(name)" }

    /// As `make_lock_path` in deploy-rs's src/lib.rs: what lies between the store folder and the first dash.
    static func name(_ closure: String) -> String {
        let hash = closure.prefix { $0 != "-" }.dropFirst("/nix/store/".count)
        return "deploy-rs-canary-\(hash)"
    }

    /// Opens the folder and removes what an earlier run left: `wait` and a confirmation would take it for ours.
    static func prepare(tempPath: String, closure: String) throws -> LegacyCanary {
        try makeFolders(tempPath)
        let raw = open(tempPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw SystemError("open", tempPath) }
        let canary = LegacyCanary(
            folderPath: tempPath, name: name(closure), folder: OwnedDescriptor(raw), file: nil)
        guard unlinkat(raw, canary.name, 0) == 0 || errno == ENOENT else {
            throw AgentError.staleCanary(canary.path, reason: SystemError("unlink").reason)
        }
        return canary
    }

    /// Makes the file and holds it locked, by which our own `wait` tells it from a stale one.
    ///
    /// It gets its name only once it is locked: a `wait` that tried the lock in between would keep us from taking it.
    func make() throws -> LegacyCanary {
        let early = "\(name).new"
        // Left by a guardian that was killed just here, or nothing.
        _ = unlinkat(folder.raw, early, 0)
        let raw = openat(folder.raw, early, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard raw >= 0 else { throw SystemError("open", "\(folderPath)/\(early)") }
        let file = OwnedDescriptor(raw)
        defer { unlinkat(folder.raw, early, 0) }
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else { throw SystemError("flock", "\(folderPath)/\(early)") }
        guard linkat(folder.raw, early, folder.raw, name, 0) == 0 else { throw SystemError("link", path) }
        return LegacyCanary(folderPath: folderPath, name: name, folder: folder, file: file)
    }

    /// True once someone has removed our file, and not merely its whole folder.
    var isConfirmed: Bool {
        var here = stat()
        guard fstat(folder.raw, &here) == 0, here.st_nlink > 0 else { return false }
        guard let file else { return false }
        var ours = stat()
        var there = stat()
        guard fstat(file.raw, &ours) == 0 else { return false }
        guard fstatat(folder.raw, name, &there, AT_SYMLINK_NOFOLLOW) == 0 else { return errno == ENOENT }
        return there.st_ino != ours.st_ino
    }

    /// Removes it because the time is over; true unless someone was first, which confirms.
    func expire() -> Bool { unlinkat(folder.raw, name, 0) == 0 || !isConfirmed }

    func clear() {
        if file != nil, !isConfirmed { unlinkat(folder.raw, name, 0) }
    }

    /// True if the file at this path is held by a living guardian.
    static func isHeld(_ path: String) -> Bool {
        let raw = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        // Not ours to open: then it is not for us to doubt.
        guard raw >= 0 else { return errno != ENOENT }
        let file = OwnedDescriptor(raw)
        return flock(file.raw, LOCK_SH | LOCK_NB) != 0
    }
}
