package import Traces

/// A meter as an export describes it.
package struct TraceMeter: Sendable, Equatable {
    package var serial: String
    package var model: String
    package var product: String
    package var firmware: String
    package var hardware: String
    package var board: String?
    /// `verified` or `unverified`.
    package var protocolStatus: String
    package var notice: String
    package var isVirtual: Bool
    package var nominalRateHertz: Double
    /// The certificate as JSON text; nil: none. Values stay raw either way and the export says so.
    package var certificateJSON: String?
    /// How each epoch's uptime was placed on the host clock.
    package var clocks: [TraceClock]

    package init(
        serial: String, model: String, product: String = "", firmware: String = "", hardware: String = "",
        board: String? = nil, protocolStatus: String, notice: String = "", isVirtual: Bool = false,
        nominalRateHertz: Double = 1000, certificateJSON: String? = nil, clocks: [TraceClock] = []
    ) {
        self.serial = serial
        self.model = model
        self.product = product
        self.firmware = firmware
        self.hardware = hardware
        self.board = board
        self.protocolStatus = protocolStatus
        self.notice = notice
        self.isVirtual = isVirtual
        self.nominalRateHertz = nominalRateHertz
        self.certificateJSON = certificateJSON
        self.clocks = clocks
    }
}

/// How the uptime of one epoch of a meter was placed on the host clock.
package struct TraceClock: Sendable, Equatable {
    package var epoch: Int
    /// `lower_envelope` (fitted), or `reply_completion` where there were too few replies for a fit.
    package var method: String
    /// Uptime and host time of the first sample, ns.
    package var uptimeNanoseconds: Int64
    package var hostNanoseconds: Int64
    /// Host seconds per meter second, less one, ppm.
    package var rateErrorPPM: Double
    package var residualNanoseconds: Double
    /// No host time is wrong by more than this, ns; nil if nobody can say.
    package var boundNanoseconds: Int64?
    /// Steps of the host clock found and cut.
    package var steps: Int

    package init(
        epoch: Int, method: String, uptimeNanoseconds: Int64, hostNanoseconds: Int64, rateErrorPPM: Double,
        residualNanoseconds: Double, boundNanoseconds: Int64?, steps: Int
    ) {
        self.epoch = epoch
        self.method = method
        self.uptimeNanoseconds = uptimeNanoseconds
        self.hostNanoseconds = hostNanoseconds
        self.rateErrorPPM = rateErrorPPM
        self.residualNanoseconds = residualNanoseconds
        self.boundNanoseconds = boundNanoseconds
        self.steps = steps
    }
}

/// Samples of one meter in one epoch, column by column; all columns have the same length.
package struct TraceChunk: Sendable, Equatable {
    package var epoch: Int
    /// Meter uptime, ms.
    package var uptimeMilliseconds: [Int64] = []
    /// Host clock, ns, by the meter's clock fit.
    package var hostNanoseconds: [Int64] = []
    package var vbusMicrovolts: [Int32] = []
    package var ibusMicroamperes: [Int32] = []
    /// Bits of `TraceFlag`.
    package var flags: [UInt8] = []

    package init(epoch: Int) { self.epoch = epoch }

    package var count: Int { uptimeMilliseconds.count }

    package mutating func append(
        uptimeMilliseconds uptime: Int64, hostNanoseconds host: Int64, vbusMicrovolts v: Int32,
        ibusMicroamperes i: Int32, flags bits: UInt8 = 0
    ) {
        uptimeMilliseconds.append(uptime)
        hostNanoseconds.append(host)
        vbusMicrovolts.append(v)
        ibusMicroamperes.append(i)
        flags.append(bits)
    }
}

/// Bits of the flags column.
package enum TraceFlag {
    /// The host time comes from a clock without a bound.
    package static let clockUncertain: UInt8 = 2
    /// First sample after a gap.
    package static let afterGap: UInt8 = 4

    package static let names = ["clock_uncertain": Int(clockUncertain), "after_gap": Int(afterGap)]
}

/// A hole of one meter. Times where known, on the clocks of its samples.
package struct TraceGap: Sendable, Equatable {
    package var gap: Gap
    /// Host time of the last sample before and the first after, ns; nil across a reboot.
    package var afterHostNanoseconds: Int64?
    package var beforeHostNanoseconds: Int64?

    package init(gap: Gap, afterHostNanoseconds: Int64?, beforeHostNanoseconds: Int64?) {
        self.gap = gap
        self.afterHostNanoseconds = afterHostNanoseconds
        self.beforeHostNanoseconds = beforeHostNanoseconds
    }
}

/// A phase on the host clock with the bound of its edges.
package struct TracePhase: Sendable, Equatable {
    package var phase: Phase
    /// No edge is wrong by more than this, ns; nil if nobody can say.
    package var boundNanoseconds: Int64?
    /// Part of the partition of its node's time (sums to the whole), or laid over it (`envelope`, `nested`).
    package var role: String

    package init(phase: Phase, boundNanoseconds: Int64?, role: String) {
        self.phase = phase
        self.boundNanoseconds = boundNanoseconds
        self.role = role
    }
}

/// What stands once for a whole run or selection.
package struct TraceDescription: Sendable, Equatable {
    package var runID: String
    /// Path or name of the run file.
    package var source: String
    package var harnessVersion: String
    package var bench: String
    package var campaign: String
    /// All metadata of the run, as stored.
    package var metadata: [String: String]
    /// Host time that relative times count from, ns: the first sample of the run.
    package var originHostNanoseconds: Int64
    /// UTC less host clock, ns; nil if the run has no UTC (a virtual clock).
    package var utcOffsetNanoseconds: Int64?
    /// Sentences that a reader of the export must know.
    package var remarks: [String]
    package var meters: [TraceMeter]
    package var gaps: [TraceGap]
    package var phases: [TracePhase]
    package var events: [RunEvent]

    package init(
        runID: String, source: String, harnessVersion: String, bench: String, campaign: String = "",
        metadata: [String: String] = [:], originHostNanoseconds: Int64, utcOffsetNanoseconds: Int64?,
        remarks: [String] = [], meters: [TraceMeter], gaps: [TraceGap] = [], phases: [TracePhase] = [],
        events: [RunEvent] = []
    ) {
        self.runID = runID
        self.source = source
        self.harnessVersion = harnessVersion
        self.bench = bench
        self.campaign = campaign
        self.metadata = metadata
        self.originHostNanoseconds = originHostNanoseconds
        self.utcOffsetNanoseconds = utcOffsetNanoseconds
        self.remarks = remarks
        self.meters = meters
        self.gaps = gaps
        self.phases = phases
        self.events = events
    }

    /// UTC of a host time, ns since 1970; nil without UTC.
    package func utc(_ host: Int64) -> Int64? { utcOffsetNanoseconds.map { host + $0 } }

    /// The time axis of formats that want one absolute column: UTC where known, else the host clock.
    package func absolute(_ host: Int64) -> Int64 { host + (utcOffsetNanoseconds ?? 0) }
}

/// A run or a selection of one, as exporters see it: a description and streams of samples.
package protocol TraceSource {
    var description: TraceDescription { get }
    /// Calls `body` with the samples of a meter in order, a chunk at a time, never across an epoch.
    func forEachChunk(of serial: String, _ body: (TraceChunk) throws -> Void) throws
}
