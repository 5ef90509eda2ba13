import Foundation
import Shared
import Testing

@testable import Activator

private func folder() throws -> String {
    let path = resolved(NSTemporaryDirectory()) + "/link-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
}

@Test func profilesLieWhereDeployRsFindsThem() throws {
    func path(_ user: String, _ name: String, _ environment: [String: String]) throws -> String {
        try ProfileLink(.named(user: user, name: name), environment: environment).path
    }
    let state = try folder()
    defer { try? FileManager.default.removeItem(atPath: state) }
    #expect(try path("root", "system", [:]) == "/nix/var/nix/profiles/system")
    #expect(try path("root", "hello", [:]) == "/nix/var/nix/profiles/per-user/root/hello")
    #expect(try path("root", "system", ["NIX_STATE_DIR": state]) == "\(state)/profiles/system")
    let environment = ["NIX_STATE_DIR": state, "HOME": "/home/app"]
    #expect(try path("app", "hello", environment) == "/home/app/.local/state/nix/profiles/hello")
    let xdg = environment.merging(["XDG_STATE_HOME": "/x"]) { $1 }
    #expect(try path("app", "hello", xdg) == "/x/nix/profiles/hello")
    try FileManager.default.createDirectory(
        atPath: "\(state)/profiles/per-user/app", withIntermediateDirectories: true)
    #expect(try path("app", "hello", xdg) == "\(state)/profiles/per-user/app/hello")
    #expect(try ProfileLink(.path("/p/q//"), environment: [:]).path == "/p/q")
    #expect(homeFolder([:])?.hasPrefix("/") == true)
}

@Test(arguments: ["relative", "/", "/p/..", ""])
func whatIsNoProfilePathIsRefused(path: String) {
    #expect(throws: AgentError.self) { try ProfileLink(path: path) }
}

@Test func onlyItsOwnGenerationsCount() throws {
    let path = try folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let links = [
        "p-1-link": "/s/a", "p-12-link": "/s/b", "p-x-link": "/s/c", "p--link": "/s/c", "p-3-link-1-link": "/s/c",
        "q-4-link": "/s/d", "p": "p-12-link", "r": "q-4-link", "d": "/s/d",
    ]
    for (name, target) in links {
        try FileManager.default.createSymbolicLink(atPath: "\(path)/\(name)", withDestinationPath: target)
    }
    let link = try ProfileLink(path: "\(path)/p")
    #expect(link.generations() == [1: "/s/a", 12: "/s/b"])
    #expect(try link.generation() == Generation(number: 12, path: "/s/b"))
    #expect(try ProfileLink(path: "\(path)/r").generation()?.number == nil)
    #expect(try ProfileLink(path: "\(path)/d").generation() == Generation(number: nil, path: "/s/d"))
    #expect(try ProfileLink(path: "\(path)/none").generation() == nil)
    #expect(try ProfileLink(path: "\(path)/none/deeper").generation() == nil)
}
