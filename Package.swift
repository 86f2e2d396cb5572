// swift-tools-version: 6.2
import PackageDescription

/// Settings that every Swift target shares: language mode 6, warnings are errors.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// A room of the house (docs/architecture.md): one target, what it may import, and what its tests need besides.
struct Room {
    var name: String
    var uses: [String] = []
    var products: [Target.Dependency] = []
    var resources: [Resource] = []
    var tests: Bool = true
    var testUses: [String] = []
    var testResources: [Resource] = []
    var isCLI = false
}

let nio = ["NIOCore", "NIOPosix"].map { Target.Dependency.product(name: $0, package: "swift-nio") }
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

// Rows point down only: values, logic, edges, putting together. A room imports what its line lists, nothing above it.
let rooms: [Room] = [
    // values
    Room(name: "Quantities"),
    Room(name: "Traces", uses: ["Quantities"]),
    // logic
    Room(name: "MeterProtocol", uses: ["Traces"]),
    Room(name: "Campaign", uses: ["Traces"], products: [.product(name: "Yams", package: "Yams")]),
    Room(name: "Report", uses: ["Quantities", "Traces"]),
    Room(
        name: "Metrology", uses: ["Quantities", "Traces", "Timebase", "CLAPACKE"], testResources: [.copy("Fixtures")]),
    Room(
        name: "Calibration", uses: ["Quantities", "Traces", "Timebase", "Metrology"], testResources: [.copy("Fixtures")]
    ),
    Room(name: "Timebase", uses: ["Traces"]),
    Room(name: "PhaseLink", uses: ["Traces", "Timebase"]),
    Room(name: "Carbon", uses: ["Quantities"]),
    Room(name: "DETA", uses: ["Quantities", "Carbon", "CZlib"], testUses: ["Solvers"]),
    Room(name: "TraceExport", uses: ["Traces"]),
    // edges
    Room(name: "Solvers", uses: ["DETA", "CHiGHS", "CCBC"]),
    Room(name: "BoardControl", uses: ["Traces", "CGPIOShim"]),
    Room(name: "MeterDriver", uses: ["Traces", "MeterProtocol", "CLibUSB"], testUses: ["VirtualBench"]),
    Room(name: "MarkerServer", uses: ["Timebase", "PhaseLink"], products: nio),
    Room(
        name: "Dashboard",
        uses: ["Traces"],
        products: [
            .product(name: "FlyingFox", package: "FlyingFox"), .product(name: "FlyingSocks", package: "FlyingFox"),
        ],
        resources: [.embedInCode("Web/index.html")]
    ),
    Room(name: "RunStore", uses: ["Traces"], products: [grdb]),
    Room(
        name: "VirtualBench", uses: ["Traces", "MeterProtocol", "PhaseLink", "BoardControl"],
        products: [.product(name: "Yams", package: "Yams")]),
    // putting together
    Room(name: "RunView", uses: ["Traces", "Timebase", "PhaseLink", "RunStore", "TraceExport"]),
    Room(
        name: "Bench",
        uses: [
            "Quantities", "Traces", "Campaign", "BoardControl", "MeterDriver", "MeterProtocol", "RunStore", "RunView",
            "TraceExport", "MarkerServer", "PhaseLink", "Timebase", "Metrology", "Calibration", "Carbon", "Report",
            "DETA",
        ]),
    Room(
        name: "wattbench",
        uses: [
            "Bench", "BoardControl", "Calibration", "Campaign", "Carbon", "DETA", "Dashboard", "MarkerServer",
            "MeterDriver", "MeterProtocol", "Metrology", "PhaseLink", "Quantities", "Report", "RunStore", "RunView",
            "Solvers", "Timebase", "TraceExport", "Traces", "VirtualBench",
        ],
        products: [argumentParser],
        tests: false,
        isCLI: true
    ),
    // figures for scripts/bench/driver
    Room(
        name: "driver-bench", uses: ["Traces", "MeterProtocol", "MeterDriver", "CLibUSB"], tests: false, isCLI: true),
]

/// C edges: headers and shims only, no policy.
let systemLibraries: [Target] = [
    .systemLibrary(name: "CCBC", pkgConfig: "cbc", providers: [.apt(["coinor-libcbc-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CGPIOD", pkgConfig: "libgpiod", providers: [.apt(["libgpiod-dev"])]),
    .systemLibrary(name: "CLAPACKE", pkgConfig: "lapacke", providers: [.apt(["liblapacke-dev"])]),
    .systemLibrary(name: "CLibUSB", pkgConfig: "libusb-1.0", providers: [.apt(["libusb-1.0-0-dev"])]),
]
let shims: [Target] = [
    .target(name: "CGPIOShim", dependencies: ["CGPIOD"]),
    .target(name: "CHiGHS", linkerSettings: [.linkedLibrary("dl")]),
]

let packages: [String: Package.Dependency] = [
    "swift-nio": .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    "FlyingFox": .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    "Yams": .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    "GRDB.swift": .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    "swift-argument-parser": .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
]

// `ROOMS=DETA,Carbon swift test` builds only these rooms and what they use: quick turns while changing one room.
let wanted: Set<String>? = Context.environment["ROOMS"].map { Set($0.split(separator: ",").map(String.init)) }

func closure(of start: Set<String>) -> Set<String> {
    var seen = start
    var open = Array(start)
    while let next = open.popLast() {
        let uses = rooms.first { $0.name == next }.map { $0.uses + $0.testUses } ?? []
        for use in uses where seen.insert(use).inserted { open.append(use) }
    }
    return seen
}

let kept = wanted.map(closure) ?? Set(rooms.map(\.name))
let keptRooms = rooms.filter { kept.contains($0.name) }

func byName(_ names: [String]) -> [Target.Dependency] { names.map { .byName(name: $0) } }

var targets: [Target] = systemLibraries + shims
for room in keptRooms {
    let dependencies = byName(room.uses) + room.products
    if room.isCLI {
        targets.append(
            .executableTarget(
                name: room.name, dependencies: dependencies, resources: room.resources, swiftSettings: strict))
    } else {
        targets.append(
            .target(name: room.name, dependencies: dependencies, resources: room.resources, swiftSettings: strict))
    }
    if room.tests {
        targets.append(
            .testTarget(
                name: room.name + "Tests",
                dependencies: byName([room.name] + room.uses + room.testUses) + room.products,
                resources: room.testResources,
                swiftSettings: strict))
    }
}

// Fuzz targets have no main of their own: only with FUZZ=1 and the fuzzer's runtime.
if Context.environment["FUZZ"] != nil, kept.contains("MeterProtocol") {
    targets.append(
        .executableTarget(
            name: "MeterProtocolFuzz", dependencies: ["MeterProtocol"], path: "Fuzz/MeterProtocolFuzz",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}

// The program as its user runs it.
if wanted == nil || wanted?.contains("EndToEnd") == true {
    targets.append(.testTarget(name: "EndToEndTests", dependencies: ["wattbench"], swiftSettings: strict))
}

let usedPackages = Set(
    keptRooms.flatMap(\.products).compactMap { dependency -> String? in
        if case .productItem(_, let package, _, _) = dependency { return package }
        return nil
    })

let package = Package(
    name: "wattbench",
    dependencies: packages.filter { usedPackages.contains($0.key) }.sorted { $0.key < $1.key }.map(\.value),
    targets: targets
)
