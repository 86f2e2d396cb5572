import Foundation
import Testing

/// The program as a user runs it: a campaign on the virtual bench, then everything that is made from its run file.
@Suite struct FirstLightTests {
    struct Finished {
        var status: Int32
        var output: String
        var errors: String
    }

    static let program: URL = {
        // The test bundle and the program are built into the same folder.
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        while folder.path != "/", !FileManager.default.isExecutableFile(atPath: folder.path + "/wattbench") {
            folder.deleteLastPathComponent()
        }
        return folder.appendingPathComponent("wattbench")
    }()

    static func run(_ arguments: String...) async throws -> Finished { try await run(arguments) }

    static func run(_ arguments: [String]) async throws -> Finished {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        async let printed = everything(from: output)
        async let told = everything(from: errors)
        let (outputBytes, errorBytes) = await (printed, told)
        process.waitUntilExit()
        return Finished(
            status: process.terminationStatus, output: String(decoding: outputBytes, as: UTF8.self),
            errors: String(decoding: errorBytes, as: UTF8.self))
    }

    /// Reads to the end on a thread of its own: the threads of the task pool are few and other tests need them.
    static func everything(from pipe: Pipe) async -> Data {
        let handle = pipe.fileHandleForReading
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: handle.readDataToEndOfFile()) }
        }
    }

    static let bench = """
        wattbench: 1
        name: two
        virtual: {seed: 11}
        markers: tcp://127.0.0.1:0
        boards:
        """
        + (1...2).map { number in
            """

              - name: pi0\(number)
                node: edge-\(number)
                meter: VB000\(number)
                region: CHPD
                carbon_g_per_kwh: 100
                cable_ohm: 0.09
                u_cable_ohm: 0.006
                lines:
                  - {role: shutdown_request, chip: virtual, offset: \(2 * number)}
                  - {role: global_en, chip: virtual, offset: \(2 * number + 1)}
            """
        }.joined()

    static let campaign = """
        wattbench: 1
        name: short
        stages:
          - {kind: baseline, seconds: 4}
          - kind: steps
            step_s: 3
            settle_s: 0.5
            points: [{f_mhz: 600, cores: 0}, {f_mhz: 1500, cores: 4}, {f_mhz: 1500, cores: 1}, {f_mhz: 1000, cores: 2}, {f_mhz: 1500, cores: 0}, {f_mhz: 600, cores: 3}]
          - {kind: sleep, hold_s: 4}
          - {kind: workload, rounds: 2, round_s: 20, batches_per_round: [10, 30]}
        """

    @Test func aCampaignOnTheVirtualBenchEndsInEnergiesModelsAndAReport() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wattbench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (plan, bench, out) = (folder.path + "/campaign.yaml", folder.path + "/bench.yaml", folder.path + "/out")
        try Self.campaign.write(toFile: plan, atomically: true, encoding: .utf8)
        try Self.bench.write(toFile: bench, atomically: true, encoding: .utf8)

        let campaign = try await Self.run("campaign", "run", plan, "--bench", bench, "--emulate", "-o", out)
        #expect(campaign.status == 0, "\(campaign.errors)")
        #expect(campaign.output.contains(" 0 missing"), "\(campaign.output)")
        #expect(campaign.output.contains("unverified for this model"), "the KM001C notice travels")
        let run = out + "/runs/run-001.wbrun"

        let info = try await Self.run("info", run, "--json")
        let meters = try #require(try Self.object(info.output)["meters"] as? [[String: Any]])
        #expect(meters.count == 2)
        #expect(meters.allSatisfy { $0["missing"] as? Int == 0 && $0["model"] as? String == "KM001C" })

        let analyze = try await Self.run("analyze", run, "--json")
        #expect(analyze.status == 0, "\(analyze.errors)")
        try Self.compare(try Self.object(analyze.output), truthFolder: out + "/truth")

        let models = try await Self.run(
            "calibrate", "models", run, "-o", folder.path + "/out/models.json", "--truth", out + "/truth")
        #expect(models.status == 0, "\(models.errors)")

        let report = try await Self.run("report", out, "-o", out + "/report.html")
        #expect(report.status == 0, "\(report.errors)")
        let page = try String(contentsOfFile: out + "/report.html", encoding: .utf8)
        #expect(page.contains("nothing in this report was measured on hardware"))
        #expect(page.contains("inside ± U"))
    }

    /// Every marked kind of phase within 0.5 % of what the virtual bench knows it used.
    static func compare(_ analysis: [String: Any], truthFolder: String) throws {
        let rows = try String(contentsOfFile: truthFolder + "/spans.csv", encoding: .utf8)
            .split(whereSeparator: \.isNewline).map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        let header = try #require(rows.first?.map(String.init))
        func column(_ name: String) throws -> Int { try #require(header.firstIndex(of: name)) }
        let (node, kind, joules) = (try column("node"), try column("kind"), try column("meter_j"))
        var truth: [String: Double] = [:]
        for row in rows.dropFirst() { truth["\(row[node]) \(row[kind])", default: 0] += Double(row[joules]) ?? .nan }
        var compared = 0
        for board in try #require(analysis["boards"] as? [[String: Any]]) {
            let name = try #require(board["node"] as? String)
            for line in try #require(board["kinds"] as? [[String: Any]]) {
                let key = "\(name) \(line["kind"] as? String ?? "")"
                guard let expected = truth[key], !key.hasSuffix("idle"), !key.hasSuffix("await_work") else { continue }
                let measured = try #require(line["energy_j"] as? Double)
                let u = try #require(line["u_energy_j"] as? Double)
                // Phases of a few tenths of a second carry their borders' uncertainty, which is stated.
                #expect(
                    abs(measured / expected - 1) < 0.005 || abs(measured - expected) < 2 * u,
                    "\(key): \(measured) J, true \(expected) J")
                compared += 1
            }
        }
        #expect(compared >= 12)
    }

    static func object(_ json: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    }

    struct BadCall: Sendable {
        var arguments: [String]
        var status: Int32
        init(_ arguments: String..., status: Int32) {
            self.arguments = arguments
            self.status = status
        }
    }

    @Test(arguments: [
        BadCall("analyze", "/nowhere.wbrun", status: 2),
        BadCall("report", "/nowhere", "-o", "/nowhere/report.html", status: 2),
        BadCall("campaign", "check", "/nowhere.yaml", "--bench", "/nowhere.yaml", status: 2),
        BadCall("record", "--no-meters", "-o", "/nowhere/run.wbrun", status: 2),
        BadCall("deta", "build", "--bench", "/nowhere.yaml", "--models", "/nowhere", "-o", "/nowhere/i", status: 2),
        BadCall("nonsense", status: 2),
    ])
    func badInputEndsWithASentenceAndItsExitCode(call: BadCall) async throws {
        let finished = try await Self.run(call.arguments)
        #expect(finished.status == call.status, "\(finished.errors)")
        #expect(!finished.errors.isEmpty)
    }
}
