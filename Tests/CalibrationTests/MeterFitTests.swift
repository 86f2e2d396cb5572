import Foundation
import Metrology
import Testing

@testable import Calibration

@Suite("Meter calibration")
struct MeterFitTests {
    private func dev(_ channel: MeterChannel) throws -> (fit: MeterFit, truth: [String: Any]) {
        let folder = "meter-\(channel.rawValue)-dev"
        let points = try MeterPoint.read(Fixtures.table("\(folder)/points.csv", required: MeterPoint.requiredColumns))
        return (try MeterFit.fit(points, channel: channel), try Fixtures.json("\(folder)/truth.json"))
    }

    @Test(
        "finds the simulated gain and offset, and no nonlinearity or hysteresis",
        arguments: [MeterChannel.voltage, .current])
    func truth(channel: MeterChannel) throws {
        let (fit, truth) = try dev(channel)
        let gain = try #require(truth["gain"] as? Double)
        let offset = try #require(truth["offset"] as? Double)
        #expect(abs(fit.gain - gain) < 2.5 * fit.gainUncertainty, "\(fit)")
        #expect(abs(fit.offset - offset) < 2.5 * fit.offsetUncertainty)
        for x in [fit.range[0], fit.range[1]] {
            #expect(abs(fit.corrected(offset + gain * x).value - x) < (channel == .voltage ? 6e-6 : 3e-5))
        }
        #expect(fit.quad == 0)
        #expect(!fit.nonlinearityIsSignificant)
        #expect(!fit.hysteresisIsSignificant)
        #expect((fit.method == .robust) == (channel == .current))
    }

    private func points(quad: Double, down: Double, seed: UInt64) -> [MeterPoint] {
        var generator = SplitMix64(seed: seed)
        var list: [MeterPoint] = []
        let levels = [0, 0.02, 0.1, 0.5, 1, 1.5, 2, 2.5, 3]
        for replicate in 0..<3 {
            for (direction, order) in [(true, levels), (false, levels.reversed())] {
                for x in order {
                    let y = 0.001 + 1.002 * x + quad * x * x + (direction ? 0 : down) + 1e-5 * generator.normal()
                    list.append(
                        MeterPoint(
                            sequence: list.count, replicate: replicate, isUpward: direction, reference: x,
                            referenceUncertainty: 2e-5, mean: y, deviation: 4e-4, effectiveCount: 1900,
                            temperatureCelsius: 23 + generator.normal()))
                }
            }
        }
        return list
    }

    @Test("a bow and a difference between up and down are found")
    func shape() throws {
        let bowed = try MeterFit.fit(points(quad: 1e-3, down: 0, seed: 1), channel: .current)
        #expect(bowed.nonlinearityIsSignificant)
        #expect(abs(bowed.quad - 1e-3) < 3e-5)
        #expect(abs(bowed.gain - 1.002) < 1e-4)
        #expect(abs(bowed.corrected(0.001 + 1.002 * 2 + 1e-3 * 4).value - 2) < 2e-5)
        let sticky = try MeterFit.fit(points(quad: 0, down: 5e-5, seed: 2), channel: .current)
        #expect(sticky.hysteresisIsSignificant)
    }

    @Test("the reference's own gain error widens the gain and nothing else")
    func referenceGain() throws {
        let list = points(quad: 0, down: 0, seed: 3)
        let plain = try MeterFit.fit(list, channel: .current)
        let wide = try MeterFit.fit(list, channel: .current, referenceGainError: 2e-4)
        #expect(plain.gain == wide.gain)
        #expect(plain.offsetUncertainty == wide.offsetUncertainty)
        #expect(wide.gainUncertainty > 2e-4)
    }

    @Test(
        "bad files are refused with line and reason",
        arguments: [
            ("reference,u_reference,meter_mean,meter_sd,n_effective\n5,0.0001,5000,0.001,1900\n", "p.csv:2", "mV"),
            (
                "reference,u_reference,meter_mean,meter_sd,n_effective\n0.5,0.0001,50.0,0.001,1900\n5,-1,5,0.1,10\n",
                "p.csv:3", "negative"
            ),
            ("reference,u_reference,meter_mean,meter_sd\n5,0.0001,5,0.001\n", "p.csv:1", "n_effective"),
            ("reference,u_reference,meter_mean,meter_sd,n_effective\n5,0.0001,nan,0.001,1900\n", "p.csv:2", "finite"),
            (
                "reference,u_reference,meter_mean,meter_sd,n_effective\n5,0.1,5,0.1,9\n5,0.1,5,0.1,9\n", "p.csv:3",
                "repeats line 2"
            ),
        ])
    func badFiles(text: String, place: String, reason: String) {
        let error = #expect(throws: MetrologyError.self) {
            try MeterPoint.read(DelimitedTable(file: "p.csv", text: text, required: MeterPoint.requiredColumns))
        }
        #expect(error?.description.hasPrefix(place) == true)
        #expect(error?.description.contains(reason) == true)
    }

    @Test("one point is not a calibration")
    func onePoint() {
        let error = #expect(throws: CalibrationError.self) {
            try MeterFit.fit(Array(points(quad: 0, down: 0, seed: 4).prefix(1)), channel: .current)
        }
        #expect(error?.description.contains("1 point;") == true)
    }
}
