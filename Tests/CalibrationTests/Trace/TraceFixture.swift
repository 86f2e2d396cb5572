import Foundation
import Testing

@testable import Calibration

/// The recording `trace-dev`, optionally changed before it is read.
struct TraceFixture {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/trace-dev")

    struct Sample {
        var seq: Int
        var v: Int
        var i: Int
    }
    struct Packet {
        var host: Int64
        var first: Int
        var samples: [Sample]
    }

    var packets: [Packet]
    var events: String
    var meta: String

    init() throws {
        func text(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: Self.folder.appending(path: name)), as: UTF8.self)
        }
        var samples: [Sample] = []
        var last = Sample(seq: 0, v: 0, i: 0)
        var next = 0
        for line in try text("samples.compact").utf8.split(separator: 10) {
            if line.first == UInt8(ascii: "@") {
                next = try #require(Int(String(decoding: line.dropFirst(), as: UTF8.self)))
                continue
            }
            let comma = try #require(line.firstIndex(of: UInt8(ascii: ",")))
            let v = line[line.startIndex..<comma]
            let i = line[line.index(after: comma)...]
            if !v.isEmpty { last.v = try #require(Int(String(decoding: v, as: UTF8.self))) }
            if !i.isEmpty { last.i = try #require(Int(String(decoding: i, as: UTF8.self))) }
            last.seq = next % 65536
            next += 1
            samples.append(last)
        }
        packets = []
        var row = 0
        for line in try text("packets.csv").split(separator: "\n").dropFirst() {
            let fields = line.split(separator: ",")
            let count = try #require(Int(fields[3]))
            packets.append(
                Packet(
                    host: try #require(Int64(fields[1])), first: try #require(Int(fields[2])),
                    samples: Array(samples[row..<row + count])))
            row += count
        }
        events = try text("events.csv")
        meta = try text("meta.json")
    }

    func bytes(_ name: String) throws(CalibrationError) -> [UInt8] {
        switch name {
        case "samples.csv":
            var text = "seq,v_uv,i_ua\n"
            for packet in packets { for s in packet.samples { text += "\(s.seq),\(s.v),\(s.i)\n" } }
            return Array(text.utf8)
        case "packets.csv":
            var text = "packet,host_ns,first_seq,count\n"
            for (number, p) in packets.enumerated() { text += "\(number),\(p.host),\(p.first),\(p.samples.count)\n" }
            return Array(text.utf8)
        case "events.csv": return Array(events.utf8)
        case "meta.json": return Array(meta.utf8)
        default: throw .badInput(file: name, line: nil, reason: "no such file")
        }
    }

    func analysis() throws -> TraceAnalysis {
        try TraceAnalysis(TraceFolder(name: "trace") { name throws(CalibrationError) in try self.bytes(name) })
    }
}

struct TraceTruth: Decodable {
    struct Phase: Decodable {
        var name: String
        var index: Int
        var energy_meter_J: Double
    }
    struct Batch: Decodable { var mean_energy_J: Double }
    struct Transitions: Decodable {
        var P_sleep_meter_W: Double
        var shutdown_latency_s: Double
        var shutdown_energy_meter_J: Double
        var wake_latency_s: Double
        var rail_latency_s: Double
        var wake_energy_meter_J: Double
    }
    struct Clock: Decodable {
        var meter_skew_ppm: Double
        var board_drift_ppm: Double
    }
    var phases: [Phase]
    var batch: Batch
    var transitions: Transitions
    var clock: Clock
    var total_energy_meter_J: Double

    static func load() throws -> TraceTruth {
        try JSONDecoder().decode(
            TraceTruth.self, from: Data(contentsOf: TraceFixture.folder.appending(path: "truth.json")))
    }
}
