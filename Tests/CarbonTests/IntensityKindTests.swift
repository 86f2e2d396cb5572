import Testing

@testable import Carbon

@Suite struct IntensityKindTests {
    @Test func kindsHaveTheirWrittenNames() {
        #expect(IntensityScope(rawValue: "life-cycle") == .lifeCycle)
        #expect(IntensityBasis(rawValue: "consumption") == .consumption)
    }
}
