import Glibc
import Shared

/// The file that nix-env locks while it moves a profile, `LINK.lock`.
///
/// A nix-env that is done unlinks the file and writes a byte into it, which tells whoever has it open that it is no
/// longer the profile's (`deleteLockFile` in Nix's pathlocks.cc). Where the folder could not be written to just then,
/// the file stays, and every later nix-env opens it, takes it for unlinked and opens it again, for ever.
enum NixProfileLock {
    /// Unlinks the file if an earlier nix-env meant to.
    ///
    /// - Throws: ``AgentError/deadLock(_:)`` if it cannot be
    static func removeDead(of link: ProfileLink) throws(AgentError) {
        let path = "\(link.path).lock"
        let file = OwnedDescriptor(open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC))
        // What is not there or cannot be read is for nix-env to tell.
        guard file.raw >= 0 else { return }
        var opened = stat()
        var named = stat()
        guard fstat(file.raw, &opened) == 0, opened.st_mode & S_IFMT == S_IFREG, opened.st_size != 0,
            lstat(path, &named) == 0,
            (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)
        else { return }
        guard unlink(path) == 0 || errno == ENOENT else { throw .deadLock(SystemError("unlink", path)) }
    }
}
