import Foundation
import MeterProtocol
import Testing

@testable import VirtualBench

/// Real captures against the emulator: what the captured host sent goes to an emulated meter at the captured times, and
/// the answers must have the captured types, ids, header bits and lengths. Captures and licence: Tests/MeterProtocolTests.
@Suite struct CaptureReplayTests {
    private struct Row {
        var micros: Int64
        var isOut: Bool
        var bytes: [UInt8]
    }

    private func rows(_ name: String) throws -> [Row] {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = here.appendingPathComponent("MeterProtocolTests/Fixtures/captures/\(name).csv")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").dropFirst().compactMap { line in
            let f = line.split(separator: ",", omittingEmptySubsequences: false)
            guard f.count >= 10, f[5] == "0", f[3] == "0x01" || f[3] == "0x81", let t = Int64(f[1]),
                let bytes = [UInt8](hexDigits: f[9])
            else { return nil }
            return Row(micros: t, isOut: f[2] == "OUT", bytes: bytes)
        }
    }

    /// An answer's fingerprint: first byte, id, level and encrypted bits, and the length where no ring is involved.
    private func shape(_ frame: [UInt8], isQueue: Bool) -> [Int] {
        guard frame.count >= 4 else { return [frame.count] }
        let bits = frame[0] & 0x40 != 0 ? Int(frame[2] & 0x07) : Int(frame[2])
        return [Int(frame[0]), Int(frame[1]), bits, isQueue ? 0 : frame.count]
    }

    @Test(arguments: ["open_close_v1.9.5", "graph_2sps_v1.9.5", "graph_1000sps_v1.9.5", "graph_2_10sps_timeout_v1.9.9"])
    func theEmulatorAnswersAsTheRealMeterDid(name: String) throws {
        let rows = try rows(name)
        // The captured meter's hardware id, so that the captured auth request is accepted.
        var truth = MeterTruth(serial: "071KBP", board: "pi01")
        truth.clockPPM = 0
        let board = VirtualPi(truth: BoardTruth(name: "pi01"), seed: 1, beginning: 0)
        var pi = board
        var meter = EmulatedMeter(truth: truth, seed: 1, poweredAt: 0)
        var k = 0
        var compared = 0
        while k < rows.count {
            let row = rows[k]
            k += 1
            guard row.isOut else { continue }
            var real: [[UInt8]] = []
            while k < rows.count, !rows[k].isOut {
                real.append(rows[k].bytes)
                k += 1
            }
            // Zero-length packets are the port's business; the meter's own DISCONNECT follows no request.
            real = real.filter { !$0.isEmpty && $0[0] != 0x03 }
            let now = 5_000_000_000 + row.micros * 1000
            pi.advance(to: now)
            let answers = meter.handle(row.bytes, at: now, signal: pi.trace).map(\.bytes).filter { $0[0] != 0x03 }
            let type = row.bytes[0]
            let isQueue = type == 0x0C && row.bytes[2] & 0x04 != 0
            // PD events are the plugged device's, logs the captured meter's own: not part of the protocol's shape.
            if type == 0x0C, row.bytes[2] & 0x20 != 0 || row.bytes[3] & 0x04 != 0 { continue }
            guard !real.isEmpty else { continue }
            if type == 0x44 {
                // Confirmation as captured; the raw block has the same length (the plain bytes are this meter's own).
                #expect(answers.first == real.first)
                #expect(answers.dropFirst().map(\.count) == real.dropFirst().map(\.count))
            } else {
                #expect(
                    answers.map { shape($0, isQueue: isQueue) } == real.map { shape($0, isQueue: isQueue) },
                    "request \(row.bytes.hexDigits) at \(row.micros) µs")
            }
            compared += 1
        }
        #expect(compared > 20)
        #expect(meter.violations.isEmpty)
    }
}
