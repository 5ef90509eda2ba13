// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "deploy-swift",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "deploy", targets: ["Deployer"]),
        .executable(name: "activate", targets: ["Activator"]),
    ],
    targets: [
        .systemLibrary(
            name: "CLibSSH2",
            pkgConfig: "libssh2",
            providers: [.apt(["libssh2-1-dev"]), .brew(["libssh2"])]
        ),
        .target(name: "CSystem"),
        .target(name: "Shared", dependencies: ["CSystem"], swiftSettings: settings),
        .executableTarget(
            name: "Deployer",
            dependencies: ["CLibSSH2", "CSystem", "Shared"],
            swiftSettings: settings
        ),
        .executableTarget(name: "Activator", dependencies: ["CSystem", "Shared"], swiftSettings: settings),
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
        .testTarget(name: "SharedTests", dependencies: ["CSystem", "Shared"], swiftSettings: settings),
        .testTarget(
            name: "DeployerTests",
            dependencies: ["Deployer", "Shared", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(name: "ActivatorTests", dependencies: ["Activator", "Shared"], swiftSettings: settings),
        .testTarget(
            name: "FuzzTests", dependencies: ["Activator", "Deployer", "Shared"], exclude: ["corpus"],
            swiftSettings: settings),
        .testTarget(name: "EndToEndTests", dependencies: ["Shared", "TestSupport"], swiftSettings: settings),
    ]
)
