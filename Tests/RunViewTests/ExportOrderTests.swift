import Foundation
import RunStore
import Testing
import TraceExport
import Traces

@testable import RunView

@Suite struct ExportOrderTests {
    let folder: String
    let path: String

    init() throws {
        folder = NSTemporaryDirectory() + "/runview-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        path = folder + "/run.wbrun"
    }

    /// A run of one meter whose clock is 40 ppm fast, with a hole of 100 samples and markers of a node on this host.
    private func record(hostBoot: String = "4987cb3ccadb") async throws {
        let writer = try RunWriter(
            creating: path, metadata: ["bench": "desk"], settings: .init(hostClockIsMonotonic: false))
        try writer.register(
            MeterRecord(serial: "../evil", model: "KM003C", protocolStatus: .verified, isVirtual: true))
        var random = SystemRandomNumberGenerator()
        for reply in 0..<500 where reply != 250 && reply != 251 {
            let first = Int64(reply) * 50
            let samples = (0..<50).map {
                Sample(
                    uptimeMilliseconds: 1000 + first + Int64($0), vbusMicrovolts: 5_000_000 + Int32($0),
                    ibusMicroamperes: -Int32(reply))
            }
            let taken = host(ofUptime: 1000 + first + 49)
            let delay = Int64.random(in: 200_000...3_000_000, using: &random)
            try writer.append(
                SampleBlock(
                    meter: "../evil", epoch: 0, requestedAtNanoseconds: taken + delay - 150_000,
                    completedAtNanoseconds: taken + delay, samples: samples))
        }
        try writer.append(
            Gap(
                meter: "../evil", epoch: 0, afterUptimeMilliseconds: 13_499, beforeUptimeMilliseconds: 13_600,
                missing: 100, cause: .overrun))
        try writer.append(
            RunEvent(
                atNanoseconds: 5_000_000_000_000, severity: .info, source: "me", kind: "note", text: "=1+1, \"so\""))
        try writer.setMetadata("host_boot", hostBoot)
        let marks: [(Int64, String, String)] = [
            (1, "begin", "local_train"), (2, "end", "local_train"), (3, "begin", "model_upload"),
            (4, "end", "model_upload"),
        ]
        for (sequence, edge, phase) in marks {
            let mono = host(ofUptime: 2000 * sequence)
            try writer.append(
                MarkerRecord(
                    identity: .init(node: "edge-0", boot: "4987cb3ccadb", source: "1-a", sequence: sequence),
                    receivedAtNanoseconds: mono + 1_000_000, transport: "tcp",
                    line: """
                        {"v":1,"node":"edge-0","boot":"4987cb3ccadb","src":"1-a","seq":\(sequence),"mono":\(mono),\
                        "t":"mark","ev":"\(edge)","ph":"\(phase)","span":\((sequence + 1) / 2),"round":1}
                        """))
        }
        try await writer.finish()
    }

    /// Truth: uptime 1000 ms is host 5000 s; the meter's second is 40 ppm long.
    private func host(ofUptime uptime: Int64) -> Int64 {
        5_000_000_000_000 + Int64((Double(uptime - 1000) * 1e6 * (1 + 40e-6)).rounded())
    }

    private func order(_ name: String, from: Int64? = nil, to: Int64? = nil) -> ExportOrder {
        ExportOrder(
            run: path, format: "csv", folder: folder + "/" + name,
            selection: RunSelection(fromNanoseconds: from, toNanoseconds: to), options: ExportOptions())
    }

    private func lines(_ name: String) throws -> [String] {
        try String(contentsOfFile: folder + "/" + name, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test func theSamplesFileHasTheAgreedColumnsAndTheTrueTimes() async throws {
        try await record()
        let result = try order("out").execute()
        #expect(result.samples == 24_900)
        let rows = try lines("out/samples__.._evil.csv")
        #expect(rows.first == "uptime_ms,host_ns,v_uv,i_ua")
        #expect(rows.count == 24_901)
        for row in rows.dropFirst() {
            let cells = try row.split(separator: ",").map { try #require(Int64($0)) }
            #expect(cells.count == 4)
            // The smallest delay (0.2 ms) stays in the mapping; everything above it is taken out.
            let error = cells[1] - host(ofUptime: cells[0])
            #expect(error > 0 && error < 500_000)
        }
        #expect(try lines("out/gaps.csv").count == 2)
        #expect(try lines("out/gaps.csv")[1].hasSuffix(",100,overrun"))
        #expect(try lines("out/events.csv")[1] == "5000000000000,info,me,note,\"'=1+1, \"\"so\"\"\"")
        let phases = try lines("out/phases.csv")
        #expect(
            phases.contains {
                $0.hasPrefix("edge-0,local_train,1,1,\(host(ofUptime: 2000)),\(host(ofUptime: 4000)),0,marked")
            })
        let meta = try String(contentsOfFile: folder + "/out/meta.json", encoding: .utf8)
        #expect(meta.contains("\"method\" : \"lower_envelope\""))
        #expect(!FileManager.default.fileExists(atPath: folder + "/out/meta.json.partial"))
        #expect(throws: ExportError.self) { try order("out").execute() }
    }

    @Test func twoHalvesAreTheWhole() async throws {
        try await record()
        _ = try order("whole").execute()
        _ = try order("a", to: 12_345_678_901).execute()
        _ = try order("b", from: 12_345_678_901).execute()
        let whole = try lines("whole/samples__.._evil.csv").dropFirst()
        let halves = try lines("a/samples__.._evil.csv").dropFirst() + lines("b/samples__.._evil.csv").dropFirst()
        #expect(Array(whole) == Array(halves))
        #expect(try lines("a/gaps.csv").count == 1)
        #expect(try lines("b/gaps.csv").count == 2)
        #expect(throws: ExportError.self) { try order("c", from: 90_000_000_000).execute() }
        #expect(throws: ExportError.self) {
            try ExportOrder(
                run: path, format: "csv", folder: folder, selection: RunSelection(meters: ["nobody"]),
                options: ExportOptions()
            ).execute()
        }
    }

    @Test func aNodeWithoutAClockIsNamedAndLeftOut() async throws {
        try await record(hostBoot: "000000000000")
        let result = try order("out").execute()
        #expect(result.phases == 0)
        #expect(result.remarks.contains { $0.contains("edge-0") && $0.contains("no clock exchange") })
    }
}
