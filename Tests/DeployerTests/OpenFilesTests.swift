import Testing

@testable import Deployer

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

struct OpenFilesTests {
    @Test func asManyDescriptorsAsTheSystemLetsUsHave() throws {
        let most = try #require(OpenFiles.raiseLimit())
        var descriptors: [Int32] = []
        defer { for descriptor in descriptors { close(descriptor) } }
        // More than the usual 1024, unless the system sets a lower bound for good.
        for _ in 0..<min(2000, most - 500) {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { break }
            descriptors.append(descriptor)
        }
        #expect(descriptors.count == min(2000, most - 500))
    }
}
