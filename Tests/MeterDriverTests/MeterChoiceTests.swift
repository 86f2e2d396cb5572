import MeterProtocol
import Testing

@testable import MeterDriver

@Suite struct MeterChoiceTests {
    static func meter(_ serial: String, _ port: String, _ access: FoundMeter.Access = .present) -> FoundMeter {
        FoundMeter(
            serial: serial, portPath: port, vendorID: 0x5fc9, productID: 0x63, product: "POWER-Z KM003C", access: access
        )
    }

    @Test func allMeansEveryMeterInOrderOfPorts() throws {
        let choice = try HubCore.choose(
            .all, from: [Self.meter("B", "1-10"), Self.meter("A", "1-2"), Self.meter("C", "1-1.4")])
        #expect(choice.meters.map(\.name) == ["C", "A", "B"])
        #expect(choice.unusable.isEmpty)
    }

    @Test func aMeterWithoutAUniqueSerialIsNamedByItsPort() throws {
        let choice = try HubCore.choose(
            .all, from: [Self.meter("X", "1-1"), Self.meter("X", "1-2"), Self.meter("", "1-3"), Self.meter("Y", "1-4")])
        #expect(choice.meters.map(\.name) == ["1-1", "1-2", "1-3", "Y"])
    }

    @Test func unusableMetersAreToldWhileTheOthersRecord() throws {
        let choice = try HubCore.choose(
            .all,
            from: [
                Self.meter("A", "1-1"), Self.meter("B", "1-2", .forbidden), Self.meter("C", "1-3", .busy(holder: "x")),
            ])
        #expect(choice.meters.map(\.name) == ["A"])
        #expect(
            choice.unusable.map(\.0) == [
                .forbidden(serial: "B", portPath: "1-2"), .busy(serial: "C", portPath: "1-3", holder: "x"),
            ])
    }

    @Test func eachAnswerHasItsOwnError() {
        let found = [
            Self.meter("A", "1-1", .forbidden), Self.meter("B", "1-2", .busy(holder: nil)), Self.meter("D", "1-4"),
            Self.meter("D", "1-5"),
        ]
        #expect(throws: DriverFailure.noneFound) { try HubCore.choose(.all, from: []) }
        #expect(throws: DriverFailure.forbidden(serial: "A", portPath: "1-1")) {
            try HubCore.choose(.named(["A"]), from: found)
        }
        #expect(throws: DriverFailure.busy(serial: "B", portPath: "1-2", holder: nil)) {
            try HubCore.choose(.named(["B"]), from: found)
        }
        #expect(throws: DriverFailure.absent(serial: "Z", found: ["A", "B", "D", "D"])) {
            try HubCore.choose(.named(["Z"]), from: found)
        }
        #expect(throws: DriverFailure.ambiguous(serial: "D", portPaths: ["1-4", "1-5"])) {
            try HubCore.choose(.named(["D"]), from: found)
        }
    }

    @Test func aMeterNamedTwiceIsRecordedOnce() throws {
        let choice = try HubCore.choose(.named(["A", "1-1"]), from: [Self.meter("A", "1-1")])
        #expect(choice.meters.map(\.name) == ["A"])
    }
}
