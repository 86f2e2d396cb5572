import Testing

@testable import MeterDriver

@Suite struct HubBudgetTests {
    typealias Hub = HubBudget.Hub
    static let root = Hub(portPath: "usb1", speedMegabitsPerSecond: 480, deviceProtocol: 1)

    @Test func metersBehindASingleTTHubShareIt() {
        let hub = Hub(portPath: "1-1", speedMegabitsPerSecond: 480, deviceProtocol: 1)
        let shares = HubBudget.shares((1...30).map { ("M\($0)", "1-1.\($0)", [hub, Self.root]) })
        #expect(shares.count == 1)
        #expect(shares[0].meters.count == 30)
        #expect(!shares[0].fits)
        #expect(HubBudget.findings(shares)[0].verdict == .warning)
    }

    @Test func everyPortOfAMultiTTHubHasItsOwnBudget() {
        let hub = Hub(portPath: "1-1", speedMegabitsPerSecond: 480, deviceProtocol: 2)
        let shares = HubBudget.shares((1...30).map { ("M\($0)", "1-1.\($0)", [hub, Self.root]) })
        #expect(shares.count == 30)
        #expect(shares.allSatisfy { $0.fits })
    }

    @Test func aFullSpeedHubHangsOnTheTTAboveIt() {
        let lower = Hub(portPath: "1-1.2", speedMegabitsPerSecond: 12, deviceProtocol: 0)
        let upper = Hub(portPath: "1-1", speedMegabitsPerSecond: 480, deviceProtocol: 2)
        let shares = HubBudget.shares([
            ("A", "1-1.2.1", [lower, upper, Self.root]), ("B", "1-1.2.2", [lower, upper, Self.root]),
            ("C", "1-1.3", [upper, Self.root]),
        ])
        #expect(shares.map(\.bottleneck) == ["port 1-1.2 of multi-TT hub 1-1", "port 1-1.3 of multi-TT hub 1-1"])
        #expect(shares.map(\.meters) == [["A", "B"], ["C"]])
    }

    @Test func elevenMetersFitBehindOneTranslator() {
        let hub = Hub(portPath: "1-1", speedMegabitsPerSecond: 480, deviceProtocol: 1)
        let shares = HubBudget.shares((1...11).map { ("M\($0)", "1-1.\($0)", [hub, Self.root]) })
        #expect(shares[0].fits)
        #expect(Int(shares[0].bytesPerSecond) == 223_300)
    }
}
