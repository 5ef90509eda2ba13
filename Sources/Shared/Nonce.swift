import CSystem

/// Numbers that nobody can guess.
public enum Nonce {
    /// 32 hexadecimal digits from the system's random source.
    public static func random() throws(SystemError) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard shim_random(&bytes, bytes.count) == bytes.count else { throw SystemError("getrandom") }
        return bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
