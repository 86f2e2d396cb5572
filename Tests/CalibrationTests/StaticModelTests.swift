import Foundation
import Metrology
import Testing

@testable import Calibration

@Suite("Static model")
struct StaticModelTests {
    private func devModel() throws -> StaticModel {
        let plateaus = try StaticPlateau.read(
            Fixtures.table("static-dev/plateaus.csv", required: StaticPlateau.requiredColumns))
        let cables = try CablePoint.read(Fixtures.table("static-dev/cable.csv", required: CablePoint.requiredColumns))
        return try StaticModel.fit(plateaus: plateaus, cables: cables)
    }

    @Test("finds the simulated truth: cable 2 %, off 0.5 mW, halt 0.6 mW, idle 3 mW, and says how sure it is")
    func truth() throws {
        let model = try devModel()
        let truth = try #require(Fixtures.json("static-dev/truth.json")["boards"] as? [String: [String: Double]])
        for (board, t) in truth {
            let fit = try #require(model.boards[board])
            func true_(_ key: String) throws -> Double { try #require(t[key]) }
            let r = fit.cable.resistanceOhms
            #expect(abs(r.value / (try true_("R_cable")) - 1) < 0.02)
            let off = try #require(fit.pmicOff).at25Watts
            let halt = try #require(fit.halt).at25Watts
            #expect(abs(off.value - (try true_("P_off"))) < max(5e-4, 4 * off.u))
            #expect(abs(halt.value - (try true_("P_halt"))) < max(6e-4, 4 * halt.u))
            let idle = try #require(fit.floorIdle)
            for soc in [45.0, 55] {
                let expected = try true_("P_base") + true_("L0") * exponential((soc - 50) / true_("theta"))
                let predicted = try idle.predict(socCelsius: soc)
                #expect(abs(predicted.value - expected) < 3e-3)
                #expect(abs(predicted.value - expected) < 4 * predicted.u)
            }
            #expect(throws: CalibrationError.self) { try idle.predict(socCelsius: 90) }
            #expect(fit.light != .red, "\(fit.diagnostics)")
        }
    }
}

private func exponential(_ x: Double) -> Double { exp(x) }
