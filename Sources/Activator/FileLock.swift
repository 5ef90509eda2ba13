import Glibc
import Shared

/// An exclusive `flock`; it ends with the last process that holds its descriptor, whatever ends that.
struct FileLock: Sendable {
    let descriptor: OwnedDescriptor

    /// Takes the lock, or nil if someone else holds it.
    static func tryTake(_ name: String, in folder: StateFolder) throws(SystemError) -> FileLock? {
        let file = try folder.open(name, O_RDWR | O_CREAT)
        return try lock(file, LOCK_EX | LOCK_NB, folder.path + name) ? FileLock(descriptor: file) : nil
    }

    /// Takes the lock; blocks while someone else holds it.
    static func take(_ name: String, in folder: StateFolder) throws(SystemError) -> FileLock {
        let file = try folder.open(name, O_RDWR | O_CREAT)
        _ = try lock(file, LOCK_EX, folder.path + name)  // blocking: it returns with the lock or throws
        return FileLock(descriptor: file)
    }

    /// True while someone holds the lock; makes no file.
    static func isHeld(_ name: String, in folder: StateFolder) throws(SystemError) -> Bool {
        guard folder.contains(name) else { return false }
        return try !lock(try folder.open(name, O_RDONLY), LOCK_SH | LOCK_NB, folder.path + name)
    }

    /// Blocks until nobody holds the lock.
    static func waitUntilFree(_ name: String, in folder: StateFolder) throws(SystemError) {
        _ = try lock(try folder.open(name, O_RDONLY), LOCK_SH, folder.path + name)  // given back at once
    }

    private static func lock(_ file: OwnedDescriptor, _ how: Int32, _ subject: String) throws(SystemError) -> Bool {
        while flock(file.raw, how) != 0 {
            if errno == EWOULDBLOCK { return false }
            if errno != EINTR { throw SystemError("flock", subject) }
        }
        return true
    }
}

/// What a process holds that changes a profile: the lock that keeps others out, and the one by which watchers see that
/// it lives. They are two, so that looking never keeps a deploy out.
struct ProfileLock: Sendable {
    static let exclusionName = "lock"
    static let livenessName = "alive"

    let exclusion: FileLock
    let liveness: FileLock

    /// Takes the lock and says in it for whom; nil if someone lives who holds the profile.
    ///
    /// The kernel lets go of a killed process's two locks one after the other, so a dead holder is waited for a moment.
    static func tryTake(in folder: StateFolder, for holder: LockHolder) throws(SystemError) -> ProfileLock? {
        for _ in 0..<50 {
            if let exclusion = try FileLock.tryTake(exclusionName, in: folder) {
                // Written before the liveness lock is taken, so that no watcher takes the last holder for this one.
                write(holder, into: exclusion)
                return ProfileLock(exclusion: exclusion, liveness: try FileLock.take(livenessName, in: folder))
            }
            if try FileLock.isHeld(livenessName, in: folder) { return nil }
            usleep(20_000)
        }
        return nil
    }

    /// Takes over copies of the locks that our starter holds and gives us as standard input and output; nil if these are
    /// something else.
    static func handedOver(in folder: StateFolder) throws(SystemError) -> ProfileLock? {
        let exclusion = FileLock(descriptor: try .highCopy(of: STDIN_FILENO))
        let lock = ProfileLock(exclusion: exclusion, liveness: FileLock(descriptor: try .highCopy(of: STDOUT_FILENO)))
        let isOurs =
            folder.isFile(exclusionName, lock.exclusion.descriptor)
            && folder.isFile(livenessName, lock.liveness.descriptor)
        return isOurs && lock.isKept ? lock : nil
    }

    /// True while it is ours; what someone who shares it has let go of, and nobody has taken since, is ours again.
    var isKept: Bool {
        [exclusion, liveness].allSatisfy { flock($0.descriptor.raw, LOCK_EX | LOCK_NB) == 0 }
    }

    /// Who holds the lock; nil if nobody does.
    static func holder(in folder: StateFolder) throws(SystemError) -> LockHolder? {
        guard try FileLock.isHeld(livenessName, in: folder) else { return nil }
        let bytes = try folder.read(exclusionName, limit: 64 << 10) ?? []
        let line = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        // A holder that could not write its name is still a holder.
        return (try? JSONLine.decode(LockHolder.self, from: line))
            ?? LockHolder(deployer: "unknown", since: 0, closure: "unknown")
    }

    /// Others only read it for a name: a full disk must not keep a recovery from its work.
    private static func write(_ holder: LockHolder, into lock: FileLock) {
        guard let line = try? JSONLine.encode(holder) else { return }
        let bytes = Array((line + "\n").utf8)
        // Not emptied before: over what was there, it needs no room on the disk.
        let count = bytes.withUnsafeBytes { pwrite(lock.descriptor.raw, $0.baseAddress, $0.count, 0) }
        ftruncate(lock.descriptor.raw, max(0, count))
    }

    /// Lets go of the lock, whoever has been lent it.
    func end() {
        for file in [exclusion, liveness] { flock(file.descriptor.raw, LOCK_UN) }
        handOver()
    }

    /// Lets go of our descriptors: whoever has copies goes on holding the lock.
    func handOver() {
        liveness.descriptor.close()
        exclusion.descriptor.close()
    }
}
