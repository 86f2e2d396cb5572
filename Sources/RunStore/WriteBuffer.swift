import Traces

/// What waits in memory for the next commit. Pure: taking a batch empties it, an overflow becomes a gap.
struct WriteBuffer {
    /// One commit's worth of rows, in the order they came within each kind.
    struct Batch: Sendable {
        var blocks: [StoredBlock] = []
        var gaps: [Gap] = []
        var events: [RunEvent] = []
        var clocks: [ClockExchange] = []
        var closings: [SourceClosing] = []
        var markers: [MarkerRecord] = []
        var telemetry: [TelemetryRecord] = []
        var metadata: [String: String] = [:]
        var counters: [String: MeterCounters] = [:]
        var meters: [MeterRecord] = []

        var isEmpty: Bool {
            blocks.isEmpty && gaps.isEmpty && events.isEmpty && clocks.isEmpty && closings.isEmpty && markers.isEmpty
                && telemetry.isEmpty
                && metadata.isEmpty && counters.isEmpty && meters.isEmpty
        }
    }

    /// A stretch of samples that did not fit: it becomes a gap of cause `queue` when it ends.
    private struct Overflow {
        var epoch: Int
        var afterUptime: Int64
        var lastUptime: Int64
        var dropped: Int
    }

    /// Samples that may wait before further ones are dropped (and counted).
    let sampleLimit: Int
    private var batch = Batch()
    private var waitingSamples = 0
    private var open: [String: [SampleBlock]] = [:]
    private var order: [String] = []
    private var known: Set<String> = []
    private var lastUptime: [String: (epoch: Int, uptime: Int64)] = [:]
    private var overflow: [String: Overflow] = [:]

    init(sampleLimit: Int) { self.sampleLimit = sampleLimit }

    mutating func register(_ meter: MeterRecord) {
        if known.insert(meter.serial).inserted { order.append(meter.serial) }
        batch.meters.append(meter)
    }

    func knows(_ serial: String) -> Bool { known.contains(serial) }

    mutating func append(_ block: SampleBlock) {
        guard let first = block.samples.first, let last = block.samples.last else { return }
        guard waitingSamples + block.samples.count <= sampleLimit else {
            drop(block, first: first.uptimeMilliseconds, last: last.uptimeMilliseconds)
            return
        }
        endOverflow(of: block.meter, epoch: block.epoch, before: first.uptimeMilliseconds)
        open[block.meter, default: []].append(block)
        waitingSamples += block.samples.count
        lastUptime[block.meter] = (block.epoch, last.uptimeMilliseconds)
    }

    private mutating func drop(_ block: SampleBlock, first: Int64, last: Int64) {
        if overflow[block.meter]?.epoch != block.epoch {
            endOverflow(of: block.meter, epoch: nil, before: first)
            let before = lastUptime[block.meter]
            overflow[block.meter] = Overflow(
                epoch: block.epoch, afterUptime: before?.epoch == block.epoch ? before?.uptime ?? first : first,
                lastUptime: last, dropped: 0)
        }
        overflow[block.meter]?.dropped += block.samples.count
        overflow[block.meter]?.lastUptime = last
    }

    /// Turns what was dropped into a gap. With another epoch (or none) the hole ends at its own last sample.
    private mutating func endOverflow(of meter: String, epoch: Int?, before: Int64) {
        guard let lost = overflow.removeValue(forKey: meter) else { return }
        batch.gaps.append(
            Gap(
                meter: meter, epoch: lost.epoch, afterUptimeMilliseconds: lost.afterUptime,
                beforeUptimeMilliseconds: lost.epoch == epoch ? before : lost.lastUptime, missing: lost.dropped,
                cause: .queue))
    }

    mutating func append(_ gap: Gap) { batch.gaps.append(gap) }
    mutating func append(_ event: RunEvent) { batch.events.append(event) }
    mutating func append(_ exchange: ClockExchange) { batch.clocks.append(exchange) }
    mutating func append(_ closing: SourceClosing) { batch.closings.append(closing) }
    mutating func append(_ marker: MarkerRecord) { batch.markers.append(marker) }
    mutating func append(_ telemetry: TelemetryRecord) { batch.telemetry.append(telemetry) }
    mutating func set(_ key: String, _ value: String) { batch.metadata[key] = value }
    mutating func set(_ counters: MeterCounters, of meter: String) { batch.counters[meter] = counters }

    /// Everything but samples: an acknowledged marker must not cut the samples into small rows.
    mutating func takeRecords() -> Batch {
        defer { batch = Batch() }
        return batch
    }

    /// Everything, samples grouped into rows of at most `rowLimit` samples (one reply is never split).
    /// `final` also turns a running overflow into its gap.
    mutating func takeAll(rowLimit: Int, final: Bool = false) -> Batch {
        if final {
            for meter in Array(overflow.keys) { endOverflow(of: meter, epoch: nil, before: 0) }
        }
        for serial in order {
            var row: [SampleBlock] = []
            var samples = 0
            for reply in open[serial] ?? [] {
                if let first = row.first, first.epoch != reply.epoch || samples + reply.samples.count > rowLimit {
                    batch.blocks.append(StoredBlock(meter: serial, epoch: first.epoch, replies: row))
                    row = []
                    samples = 0
                }
                row.append(reply)
                samples += reply.samples.count
            }
            if let first = row.first {
                batch.blocks.append(StoredBlock(meter: serial, epoch: first.epoch, replies: row))
            }
        }
        open.removeAll(keepingCapacity: true)
        waitingSamples = 0
        return takeRecords()
    }
}
