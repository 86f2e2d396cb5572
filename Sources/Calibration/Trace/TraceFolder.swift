import Foundation
package import Metrology
package import Timebase
import Traces

/// A recorded trace as files: samples.csv, packets.csv, events.csv, meta.json (telemetry.csv beside them is not needed).
package struct TraceFolder: Sendable {
    package struct Meta: Sendable, Decodable {
        package struct Calibration: Sendable, Decodable {
            package var gainV: Double
            package var u_gainV: Double
            package var offsetV: Double
            package var u_offsetV: Double
            package var gainI: Double
            package var u_gainI: Double
            package var offsetI: Double
            package var u_offsetI: Double
        }
        package var nominal_rate_hz: Double?
        package var counter_bits: Int?
        package var meter_calibration: Calibration?
    }

    package let trace: MeterTrace
    package let pairs: [MeterClock.Pair]
    package let events: BoardEvents
    package let correction: MeterCorrection
    package let remarks: [String]

    /// - Parameter read: gives the bytes of a file of the folder by name.
    /// - Throws: `badInput` with file and line.
    package init(name: String, read: (String) throws(CalibrationError) -> [UInt8]) throws(CalibrationError) {
        var remarks: [String] = []
        let metaPath = "\(name)/meta.json"
        let meta: Meta
        do {
            meta = try JSONDecoder().decode(Meta.self, from: Data(try read("meta.json")))
        } catch let error as CalibrationError {
            throw error
        } catch {
            throw .badInput(file: metaPath, line: nil, reason: "not the expected JSON: \(error)")
        }
        if let rate = meta.nominal_rate_hz, rate != 1000 {
            throw .badInput(
                file: metaPath, line: nil,
                reason: "nominal_rate_hz is \(rate); the counter's millisecond base needs 1000")
        }
        do throws(MetrologyError) {
            let samples = try DelimitedTable(
                file: "\(name)/samples.csv", bytes: try Self.bytes(read, "samples.csv"),
                required: ["seq", "v_uv", "i_ua"])
            let packets = try DelimitedTable(
                file: "\(name)/packets.csv", bytes: try Self.bytes(read, "packets.csv"),
                required: ["host_ns", "first_seq", "count"])
            (trace, pairs) = try Self.assemble(samples, packets, bits: meta.counter_bits ?? 16, &remarks)
            let table = try DelimitedTable(
                file: "\(name)/events.csv", bytes: try Self.bytes(read, "events.csv"),
                required: ["board_ns", "event", "attrs_json"])
            events = try Self.events(table)
        } catch {
            throw CalibrationError(error)
        }
        if let c = meta.meter_calibration {
            for (key, value, range) in [
                ("gainV", c.gainV, 0.9...1.1), ("gainI", c.gainI, 0.9...1.1), ("offsetV", c.offsetV, -0.1...0.1),
                ("offsetI", c.offsetI, -0.1...0.1), ("u_gainV", c.u_gainV, 0...0.05), ("u_gainI", c.u_gainI, 0...0.05),
                ("u_offsetV", c.u_offsetV, 0...0.1), ("u_offsetI", c.u_offsetI, 0...0.1),
            ] where !range.contains(value) {
                throw .badInput(
                    file: metaPath, line: nil,
                    reason: "meter_calibration.\(key) is \(value), expected \(range.lowerBound) to \(range.upperBound) "
                        + "(volts, amperes, relative)")
            }
            correction = MeterCorrection(
                voltage: ChannelCorrection(
                    gain: c.gainV, offset: c.offsetV, gainUncertainty: c.u_gainV, offsetUncertainty: c.u_offsetV),
                current: ChannelCorrection(
                    gain: c.gainI, offset: c.offsetI, gainUncertainty: c.u_gainI, offsetUncertainty: c.u_offsetI),
                temperatureDifference: 0, certificate: metaPath)
        } else {
            correction = .uncalibrated
            remarks.append("\(metaPath): no meter_calibration; the maker's limits are taken as uncertainty")
        }
        self.remarks = remarks + events.remarks
    }

    private static func bytes(
        _ read: (String) throws(CalibrationError) -> [UInt8], _ file: String
    ) throws(MetrologyError) -> [UInt8] {
        do {
            return try read(file)
        } catch {
            guard case .badInput(let path, let line, let reason) = error else {
                throw .badTable(file: file, line: nil, reason: error.description)
            }
            throw .badTable(file: path, line: line, reason: reason)
        }
    }

    private static func events(_ table: DelimitedTable) throws(MetrologyError) -> BoardEvents {
        do {
            return try BoardEvents(table: table)
        } catch {
            guard case .badInput(let path, let line, let reason) = error else {
                throw .badTable(file: table.file, line: nil, reason: error.description)
            }
            throw .badTable(file: path, line: line, reason: reason)
        }
    }

    /// Gives every sample row its unwrapped counter by the packet it came in. Packets may come late, twice or out of
    /// order; sample rows follow the packets' order.
    private static func assemble(
        _ samples: DelimitedTable, _ packets: DelimitedTable, bits: Int, _ remarks: inout [String]
    ) throws(MetrologyError) -> (MeterTrace, [MeterClock.Pair]) {
        let modulus = Int64(1) << Int64(bits)
        var unwrapper = CounterUnwrapper(bits: bits, rateHertz: 1000)
        var readings: [(tick: Int64, microvolts: Int32, microamperes: Int32)] = []
        readings.reserveCapacity(samples.rowCount)
        var pairs: [MeterClock.Pair] = []
        let (seq, volts, amperes) = (samples.index(of: "seq"), samples.index(of: "v_uv"), samples.index(of: "i_ua"))
        guard let seq, let volts, let amperes else {
            throw .badTable(file: samples.file, line: nil, reason: "missing column")
        }
        var row = 0
        var restarts = 0
        for index in 0..<packets.rowCount {
            let packet = packets.row(index)
            let host = Int64(try packet.integer("host_ns"))
            let first = Int64(try packet.integer("first_seq"))
            let count = try packet.integer("count")
            guard (0..<modulus).contains(first) else {
                throw packet.problem("first_seq is \(first), a \(bits)-bit counter lies below \(modulus)")
            }
            guard count > 0 else { throw packet.problem("count is \(count), a packet holds at least one sample") }
            guard row + count <= samples.rowCount else {
                throw packet.problem("counts \(row + count) samples so far, \(samples.file) has \(samples.rowCount)")
            }
            let last = (first + Int64(count) - 1) % modulus
            let lastTick: Int64
            switch unwrapper.unwrap(UInt32(last), arrivalNanoseconds: host) {
            case .ticks(let ticks): lastTick = ticks
            case .restarted(let ticks):
                lastTick = ticks
                restarts += 1
            }
            pairs.append(.init(meterNanoseconds: lastTick * 1_000_000, hostNanoseconds: host))
            for offset in 0..<count {
                let number = Int64(try samples.integer(row: row, column: seq))
                let expected = (first + Int64(offset)) % modulus
                guard number == expected else {
                    throw samples.problem(
                        row: row,
                        "seq is \(number); sample \(offset) of the packet at \(packets.file):\(packet.line) has \(expected)"
                    )
                }
                readings.append(
                    (
                        lastTick - Int64(count - 1 - offset),
                        Int32(clamping: try samples.integer(row: row, column: volts)),
                        Int32(clamping: try samples.integer(row: row, column: amperes))
                    ))
                row += 1
            }
        }
        guard row == samples.rowCount else {
            throw samples.problem(row: row, "this and later samples belong to no packet of \(packets.file)")
        }
        if restarts > 0 {
            remarks.append(
                "\(packets.file): the counter jumped \(restarts) times in a way that arrival times do not explain")
        }
        guard !readings.isEmpty else { throw .badTable(file: samples.file, line: nil, reason: "no samples") }
        return (MeterTrace(unsorted: readings), pairs)
    }
}
