import Foundation
import Metrology
import Testing

@testable import Calibration

@Suite("Dynamic model")
struct DynamicModelTests {
    private func devSteps() throws -> [DynamicStep] {
        try DynamicStep.read(Fixtures.table("dynamic-dev/steps.csv", required: DynamicStep.requiredColumns))
    }

    @Test("finds the simulated truth within 3.5 % and anchored boards within 1 %, with no leakage given")
    func truth() throws {
        let model = try DynamicModel.fit(devSteps())
        let truth = try #require(Fixtures.json("dynamic-dev/truth.json")["params"] as? [String: Double])
        for (k, name) in DynamicModel.parameterNames.enumerated() {
            let expected = try #require(truth[name])
            let u = model.covariance[k][k].squareRoot()
            #expect(abs(model.parameters[k] / expected - 1) < 0.035)
            #expect(abs(model.parameters[k] - expected) < 3 * u)
        }
        let anchored = try #require(model.leaveOneBoardOutAnchoredMedianPercent)
        #expect(anchored < 1)
    }
}
