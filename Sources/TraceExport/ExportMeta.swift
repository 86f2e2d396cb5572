import Foundation
import Traces

/// The sidecar that every export carries: what the numbers are, where they come from, how far to trust them.
struct ExportMeta: Encodable {
    /// Rows of one epoch in a samples file.
    struct Epoch: Encodable {
        var epoch: Int
        var firstRow: Int
        var rows: Int
    }

    struct Clock: Encodable {
        var epoch: Int
        var method: String
        var uptimeNs: Int64
        var hostNs: Int64
        var rateErrorPpm: Double
        var residualNs: Double
        var boundNs: Int64?
        var hostSteps: Int
    }

    struct Meter: Encodable {
        var serial: String
        var model: String
        var product: String
        var firmware: String
        var hardware: String
        var board: String?
        var protocolStatus: String
        var notice: String
        var virtual: Bool
        var nominalRateHz: Double
        var certificate: String?
        var clocks: [Clock]
        var file: String?
        var epochs: [Epoch]?
        var gaps: Int
        var missing: Int
    }

    var format: String
    var runId: String
    var source: String
    var harnessVersion: String
    var bench: String
    var campaign: String
    /// `raw`: no certificate was applied.
    var values = "raw"
    var units = ["uptime_ms": "ms", "host_ns": "ns", "v_uv": "uV", "i_ua": "uA", "p_uw": "uW"]
    var hostClock: String
    var originHostNs: Int64
    var utcMinusHostNs: Int64?
    var remarks: [String]
    var meters: [Meter]
    var metadata: [String: String]

    init(
        _ run: TraceDescription, format: String, epochs: [String: [Epoch]] = [:], files: [String: String] = [:]
    ) {
        self.format = format
        runId = run.runID
        source = run.source
        harnessVersion = run.harnessVersion
        bench = run.bench
        campaign = run.campaign
        hostClock = run.metadata["host_clock"] ?? "CLOCK_MONOTONIC"
        originHostNs = run.originHostNanoseconds
        utcMinusHostNs = run.utcOffsetNanoseconds
        remarks = run.remarks
        metadata = run.metadata
        meters = run.meters.map { meter in
            let gaps = run.gaps.filter { $0.gap.meter == meter.serial }
            return Meter(
                serial: meter.serial, model: meter.model, product: meter.product, firmware: meter.firmware,
                hardware: meter.hardware, board: meter.board, protocolStatus: meter.protocolStatus,
                notice: meter.notice,
                virtual: meter.isVirtual, nominalRateHz: meter.nominalRateHertz, certificate: meter.certificateJSON,
                clocks: meter.clocks.map(Clock.init), file: files[meter.serial], epochs: epochs[meter.serial],
                gaps: gaps.count, missing: gaps.reduce(0) { $0 + ($1.gap.missing ?? 0) })
        }
    }

    func json() throws -> String { try Self.encode(self, pretty: true) }

    static func compact(_ value: some Encodable) throws -> String { try encode(value, pretty: false) }

    private static func encode(_ value: some Encodable, pretty: Bool) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting =
            pretty ? [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

extension ExportMeta.Clock {
    init(_ clock: TraceClock) {
        self.init(
            epoch: clock.epoch, method: clock.method, uptimeNs: clock.uptimeNanoseconds, hostNs: clock.hostNanoseconds,
            rateErrorPpm: clock.rateErrorPPM, residualNs: clock.residualNanoseconds, boundNs: clock.boundNanoseconds,
            hostSteps: clock.steps)
    }
}
