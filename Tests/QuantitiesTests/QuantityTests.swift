import Testing

@testable import Quantities

@Suite struct QuantityTests {
    @Test func independentErrorsAddInQuadrature() {
        let sum = Quantity<Joules>(3, u: 0.3) + Quantity<Joules>(4, u: 0.4)
        #expect(sum.value == 7)
        #expect(abs((sum.standardUncertainty ?? .nan) - 0.5) < 1e-15)
        #expect(abs((sum.expandedUncertainty() ?? .nan) - 1.0) < 1e-15)
    }

    @Test func anUnevaluatedPartLeavesTheWholeUnevaluated() {
        let difference = Quantity<Watts>(3, u: 0.1) - .notEvaluated(1)
        #expect(difference.value == 2)
        #expect(difference.standardUncertainty == nil)
    }

    @Test func scalingKeepsTheRelativeUncertainty() {
        let energy = Quantity<WattHours>(2, u: 0.01).scaled(by: joulesPerWattHour, to: Joules.self)
        #expect(energy == Quantity<Joules>(7200, u: 36))
    }
}
