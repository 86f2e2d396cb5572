import ArgumentParser
import Bench
import Campaign
import Foundation
import MarkerServer
import MeterDriver
import MeterProtocol
import RunStore
import Synchronization

struct Record: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Records meters, marks of nodes, or both into a run file; nothing else.",
        discussion: """
            All meters that the USB stack shows, or those named with --meter. --markers listens for marker lines on TCP \
            and for clock exchange on the same UDP port. Ctrl-C ends the recording; the file is complete.

            Examples:
              wattbench record --duration 10s -o run.wbrun
              wattbench record --no-meters --markers tcp://127.0.0.1:7077 --duration 5m -o marks.wbrun
            """
    )

    @Option(help: "How long to record, such as 10s, 5m, 2h; without it until Ctrl-C.")
    var duration: String?

    @Option(name: .shortAndLong, help: "Run file to create.")
    var output: String

    @Option(name: .customLong("meter"), help: "Serial (or port path) of a meter to record; may be repeated.")
    var meters: [String] = []

    @Flag(help: "Record no meters, only marks.")
    var noMeters = false

    @Option(help: "Listen for marks: tcp://HOST:PORT (port 0: any free one).")
    var markers: String?

    @Option(help: "Token that nodes from beyond loopback must send.")
    var markersToken: String?

    @Option(help: "bench.yaml whose copy goes into the run file.")
    var bench: String?

    @Flag(help: "Say what would be recorded, then stop.")
    var dryRun = false

    @Flag(help: "Print JSON.")
    var json = false

    private struct Result: Encodable {
        struct Meter: Encodable {
            var serial: String
            var model: String
            var protocolStatus: String
            var received: Int
            var missing: Int
            var repeated: Int
            var reconnects: Int
        }
        var file: String
        var meters: [Meter]
        var markersStored: Int?
        var markersPort: Int?
    }

    func validate() throws {
        if noMeters, !meters.isEmpty { throw ValidationError("--no-meters and --meter exclude each other.") }
        if noMeters, markers == nil { throw ValidationError("--no-meters needs --markers: nothing would be recorded.") }
    }

    func run() async throws {
        let length = try duration.map(DurationText.nanoseconds)
        var plan = RecordingPlan(
            path: output, meters: noMeters ? nil : (meters.isEmpty ? .all : .named(meters)),
            markerToken: markersToken, metadata: ["harness": "wattbench"])
        do throws(MarkerServerError) {
            plan.markers = try markers.map { text throws(MarkerServerError) in try MarkerEndpoint(parsing: text) }
        } catch {
            throw ExitFailure(.badInput, "\(error)")
        }
        if let bench {
            let text = try CampaignFiles.text(bench)
            do throws(SettingsError) {
                plan.bench = try BenchFile(yaml: text, file: bench)
            } catch {
                throw ExitFailure(.badInput, "\(error)")
            }
        }
        if dryRun {
            print(
                "would record \(noMeters ? "no meters" : meters.isEmpty ? "all meters" : meters.joined(separator: ", ")) "
                    + "into \(output)\(duration.map { " for \($0)" } ?? " until Ctrl-C")")
            return
        }
        var settings = HubSettings()
        if let bench = plan.bench { settings.session.pollPeriodNanoseconds = Int64(bench.pollMilliseconds) * 1_000_000 }
        settings.durationNanoseconds = length
        let hub = noMeters ? nil : MeterHub(rules: DeviceRules(), settings: settings)
        let recording = try await start(plan, hub)
        if let port = recording.markerPort { CalibrationFiles.note("listening for marks on port \(port)") }
        for notice in Set(recording.meters.compactMap(\.profile.notice)).sorted() { CalibrationFiles.note(notice) }
        let interrupted = await wait(for: length, recording)
        let report = await recording.stop()
        try tell(report, recording.markerPort)
        if let failure = report.failure { throw ExitFailure(.benchNotReady, "\(failure)") }
        if !report.totals.imbalances.isEmpty {
            throw ExitFailure(.ruleFailed, report.totals.imbalances.joined(separator: "\n"))
        }
        if interrupted, length != nil {
            throw ExitFailure(.interrupted, "interrupted; \(output) holds what was recorded")
        }
    }

    private func start(_ plan: RecordingPlan, _ hub: MeterHub?) async throws -> Recording {
        do {
            return try await Recording.start(plan, hub: hub)
        } catch let error as DriverFailure {
            throw ExitFailure(.benchNotReady, "\(error)")
        } catch let error as RunStoreError {
            throw ExitFailure(.badInput, "\(error)")
        } catch let error as MarkerServerError {
            throw ExitFailure(.badInput, "\(error)")
        }
    }

    /// Waits until the time is over, the hub has ended, the disk fails, or Ctrl-C (then true).
    private func wait(for length: Int64?, _ recording: Recording) async -> Bool {
        let interrupts = Interrupts()
        defer { interrupts.end() }
        let line = ProgressLine()
        let begin = HostTime.nowNanoseconds
        while !interrupts.happened, recording.failure == nil {
            let passed = HostTime.nowNanoseconds - begin
            if await recording.hubHasEnded { break }
            // With meters the hub counts the time, from the moment when all of them have brought samples.
            if noMeters, let length, passed >= length { break }
            let counters = recording.snapshot()
            let received = counters.map(\.received).reduce(0, +)
            let missing = counters.map(\.missing).reduce(0, +)
            let left = length.map { ", about \(ProgressLine.duration(max(0, Double($0 - passed) * 1e-9))) left" } ?? ""
            if passed > 2_000_000_000 {
                line.show(
                    "\(ProgressLine.duration(Double(passed) * 1e-9)): \(received) samples, \(missing) missing, "
                        + "\(recording.markerCounters?.stored ?? 0) marks\(left)")
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
        line.end()
        return interrupts.happened
    }

    private func tell(_ report: RecordingReport, _ port: Int?) throws {
        let result = Result(
            file: report.path,
            meters: report.totals.meters.map {
                .init(
                    serial: $0.meter.name, model: $0.meter.model, protocolStatus: $0.meter.profile.status.rawValue,
                    received: $0.received, missing: $0.missing, repeated: $0.account.repeated,
                    reconnects: $0.traffic.reconnects)
            }, markersStored: report.markers?.stored, markersPort: port)
        if json {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(result), as: UTF8.self))
            return
        }
        for meter in result.meters {
            print(
                "\(meter.serial) \(meter.model) (\(meter.protocolStatus)): \(meter.received) samples, \(meter.missing) missing, "
                    + "\(meter.repeated) repeated, \(meter.reconnects) reconnects")
        }
        if let stored = result.markersStored { print("\(stored) marks") }
        print(result.file)
    }
}
