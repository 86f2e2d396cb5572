import Foundation
import Metrology
import Testing

@testable import Calibration

@Suite("Power model for the optimiser")
struct PowerModelTests {
    private func fleet(seed: UInt64, boards: Int = 4) -> [DynamicStep] {
        var generator = SplitMix64(seed: seed)
        var steps: [DynamicStep] = []
        for b in 0..<boards {
            let shift = 0.05 * generator.normal()
            var order = 0
            for replicate in 0..<2 {
                for f in [600.0, 1000, 1500] {
                    for u in [0.0, 1, 2, 4] {
                        for tx in u == 0 || u == 2 ? [0.0, 400] : [0] {
                            for rx in tx == 0 ? [0.0, 400] : [0] {
                                let v = 0.8 + 0.08 * (f - 600) / 900
                                let load = BoardLoad(
                                    frequencyMegahertz: f, coreVolts: v, utilization: u, transmitMegabits: tx,
                                    receiveMegabits: rx, socCelsius: 30 + 5 * u)
                                let truth = zip(load.regressors, Self.truth).map { $0 * $1 }.reduce(0, +)
                                steps.append(
                                    DynamicStep(
                                        board: "b\(b)", replicate: replicate, order: order, frequencyMegahertz: f,
                                        coreVolts: v, utilization: u, transmitMegabits: tx, receiveMegabits: rx,
                                        socCelsius: load.socCelsius,
                                        powerWatts: truth + shift + 0.01 * generator.normal(),
                                        standardErrorWatts: 0.004, durationSeconds: 30))
                                order += 1
                            }
                        }
                    }
                }
            }
        }
        return steps
    }

    private static let truth = [1.6, 0.010, 0.16, 0.2, 0.6, 0.0011, 0.0009]

    @Test("predicts inside the range, refuses outside it, and survives JSON unchanged")
    func predictAndRefuse() throws {
        var options = DynamicModel.Options()
        options.validates = false
        options.leakage = .measured(Estimate(value: 0.010, u: 2e-4))
        let dynamic = try DynamicModel.fit(fleet(seed: 3), options: options)
        let model = try PowerModel(
            staticModel: nil, dynamicModel: dynamic, created: "2026-01-01T00:00:00Z", software: "test",
            provenance: [.init(path: "steps.csv", bytes: Array("abc".utf8))])
        let load = BoardLoad(frequencyMegahertz: 1500, coreVolts: 0.88, utilization: 3, socCelsius: 45)
        let expected = zip(load.regressors, Self.truth).map { $0 * $1 }.reduce(0, +)
        let fleet = try model.predict(board: "unknown", load)
        let known = try model.predict(board: "b0", load)
        #expect(abs(fleet.value - expected) < 2 * fleet.u)
        #expect(known.u < fleet.u)
        var far = load
        far.utilization = 6
        #expect(throws: CalibrationError.self) { try model.predict(board: "b0", far) }
        let copy = try JSONDecoder().decode(PowerModel.self, from: try JSONEncoder().encode(model))
        #expect(copy == model)
        #expect(model.provenance[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("a negative coefficient ends on its bound, is reported, and widens the others by bootstrap")
    func activeBound() throws {
        // Receiving seems to save power here, which no board does.
        let steps = fleet(seed: 4).map { step in
            var copy = step
            copy.powerWatts -= 0.0013 * step.receiveMegabits
            return copy
        }
        var options = DynamicModel.Options()
        options.validates = false
        options.bootstrapDraws = 60
        let model = try DynamicModel.fit(steps, options: options)
        #expect(model.activeBounds == ["e_rx"])
        #expect(model.parameters[6] == 0)
        #expect(model.bootstrapErrors != nil)
        #expect(model.diagnostics.first { $0.check == "coefficients at bound" }?.light == .amber)
    }

    @Test("an input that never varies is undetermined, and the model refuses to speak about it")
    func undetermined() throws {
        let steps = fleet(seed: 5).filter { $0.receiveMegabits == 0 }
        var options = DynamicModel.Options()
        options.validates = false
        let model = try DynamicModel.fit(steps, options: options)
        #expect(model.undetermined == ["e_rx"])
        let load = BoardLoad(
            frequencyMegahertz: 1500, coreVolts: 0.88, utilization: 1, receiveMegabits: 100, socCelsius: 40)
        #expect(throws: CalibrationError.self) { try PowerModel.Dynamic(fleet: model).predict(load) }
    }

    @Test("a board without idle steps is named with its first line")
    func noIdle() {
        var steps = fleet(seed: 6).filter { !($0.board == "b1" && $0.isIdle) }
        for i in steps.indices { steps[i].line = i + 2 }
        let error = #expect(throws: CalibrationError.self) { try DynamicModel.fit(steps, file: "steps.csv") }
        #expect(error?.description.contains("steps.csv:") == true)
        #expect(error?.description.contains("b1 has no idle step") == true)
    }
}
