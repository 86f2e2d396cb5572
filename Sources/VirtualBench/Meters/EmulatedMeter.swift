import Glibc
import MeterProtocol

/// A frame that an emulated meter sends, and when it is ready.
package struct TimedFrame: Sendable, Equatable {
    package var bytes: [UInt8]
    /// ns after the request, bus time for the bytes not included.
    package var delay: Int64
}

/// A POWER-Z meter as a state machine over frames (protocol reference section 18): bytes in, timed bytes out.
///
/// It knows nothing of USB; `USBPort` carries its frames. Samples are made lazily, when somebody looks.
package struct EmulatedMeter: Sendable {
    package let truth: MeterTruth
    package internal(set) var counts = MeterCounts()
    package internal(set) var violations: [Violation] = []
    /// Filled only while `recordsSamples` is set; whoever writes the truth file empties it.
    package var sampleLog: [SampleTruth] = []
    package var recordsSamples = false

    // session
    package internal(set) var isConnected = false
    package internal(set) var level: UInt8 = 0
    var lastCommandAt: Int64?
    var lastAuthAt: Int64?
    var ownCounter: UInt8 = 6
    /// A refused START, a refused or levelless auth: set by the fault script.
    var rejectStarts = 0
    var refuseAuths = 0
    var levelZeroAuths = 0

    // clock
    var poweredAt: Int64
    var uptimeStart: Int64

    // graph
    package internal(set) var rateIndex: Int?
    var nextTick: Int64 = 0
    var lastGraphStop: (at: Int64, rate: Int)?
    var ring = SampleRing()

    // converter
    var noise: SeededGenerator
    var jitter: SeededGenerator
    var conversionOrigin: Int64
    var nextConversion: Int64 = 0
    var held = Held()
    var block = Block()
    var idleGrid: Int64 = -1

    /// What the converter last gave on each channel: true means and readings.
    struct Held: Sendable {
        var volts = 0.0
        var amps = 0.0
        var microvolts: Int32 = 0
        var microamperes: Int32 = 0
    }

    /// The running and the last complete one-second block.
    struct Block: Sendable {
        var count = 0
        var volts: Int64 = 0
        var amps: Int64 = 0
        var averageMicrovolts: Int32 = 0
        var averageMicroamperes: Int32 = 0
    }

    /// Milliseconds between samples by rate index 0…3.
    static let periods: [Int64] = [500, 100, 20, 1]

    package init(truth: MeterTruth, seed: UInt64, poweredAt: Int64) {
        self.truth = truth
        self.poweredAt = poweredAt
        uptimeStart = Int64(truth.uptimeStartMilliseconds)
        noise = SeededGenerator(seed: seed, purpose: "converter \(truth.serial)")
        jitter = SeededGenerator(seed: seed, purpose: "latency \(truth.serial)")
        conversionOrigin = poweredAt - nanoseconds(noise.uniform(0, 2) * truth.conversionSeconds)
    }

    // MARK: clock

    private var rate: Double { 1 + truth.clockPPM * 1e-6 }

    /// The unwrapped uptime counter at a host time, ms.
    package func uptime(at time: Int64) -> Int64 {
        uptimeStart + Int64((Double(time - poweredAt) * rate * 1e-6).rounded(.down))
    }

    /// Host time of a tick of the counter, ns.
    package func time(ofUptime uptime: Int64) -> Int64 {
        poweredAt + Int64((Double(uptime - uptimeStart) * 1e6 / rate).rounded(.up))
    }

    /// When the session lapses if nothing more is sent; nil if there is no session.
    package var nextEvent: Int64? {
        guard isConnected, let last = lastCommandAt else { return nil }
        return last + Int64(truth.idleTimeoutSeconds * 1e9 / rate)
    }

    /// Brings the sample generator up to `time`, and ends a lapsed session. Returns what the meter sends by itself.
    package mutating func advance(to time: Int64, signal: PowerTrace) -> [TimedFrame] {
        if let lapse = nextEvent, lapse <= time {
            generate(to: lapse, signal: signal)
            counts.idleTimeouts += 1
            let farewell = endSession()
            generate(to: time, signal: signal)
            return [farewell]
        }
        generate(to: time, signal: signal)
        return []
    }

    /// Session over: level 0, graph off. Returns the meter's own DISCONNECT.
    mutating func endSession() -> TimedFrame {
        isConnected = false
        level = 0
        rateIndex = nil
        lastCommandAt = nil
        ownCounter &+= 1
        return TimedFrame(bytes: MeterReply.disconnect(id: ownCounter).bytes, delay: 0)
    }

    /// Power cycle: everything but the identity is gone; the uptime starts at 0 unless it is to be kept.
    package mutating func reboot(at time: Int64, keepUptime: Bool) {
        counts.reboots += 1
        let kept = uptime(at: time)
        isConnected = false
        level = 0
        rateIndex = nil
        lastCommandAt = nil
        lastGraphStop = nil
        clearRing()
        uptimeStart = keepUptime ? kept : 0
        poweredAt = time
        conversionOrigin = time
        nextConversion = 0
        idleGrid = -1
        block = Block()
    }

    mutating func clearRing() { settle(ring.takeAll(), as: .cleared) }

    mutating func settle(_ entries: some Collection<SampleRing.Entry>, as fate: SampleTruth.Fate) {
        switch fate {
        case .sent: counts.sent += entries.count
        case .overwritten: counts.overwritten += entries.count
        case .cleared: counts.cleared += entries.count
        }
        guard recordsSamples else { return }
        for entry in entries {
            var truth = entry.truth
            truth.fate = fate
            sampleLog.append(truth)
        }
    }
}
