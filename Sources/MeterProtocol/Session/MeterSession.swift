import Traces

/// One meter from open to close, as a value: an event goes in, actions come out. No clock, no I/O, no waiting inside.
///
/// The owner (a bus thread) feeds every event of the meter and carries out the actions in order; after each call it reads
/// `deadlineNanoseconds` and sends `.timer` when that time has come. One read is always posted before a request goes out;
/// one request is under way at a time; polls keep an absolute schedule, so that lateness never adds up.
///
/// Steps of a session: drain, CONNECT, identity texts, hardware id, STREAMING_AUTH, STOP_GRAPH, one ADC reading (the only
/// chance for a temperature), START_GRAPH, polls; at the end one more poll, STOP_GRAPH, DISCONNECT, drain, close.
package struct MeterSession: Sendable {
    /// Longer than any reply and a multiple of the packet size.
    package static let readLength = 4096

    package let meter: String
    package let profile: MeterProfile
    package let settings: Settings
    package internal(set) var ledger: SampleLedger
    package internal(set) var traffic = Traffic()
    /// Model and firmware as the meter's memory names them, once read.
    package internal(set) var hardware: IdentityText?
    package internal(set) var firmware: IdentityText?
    /// Newest ADC reading.
    package internal(set) var latestADC: ADCReading?

    var mode: Mode = .idle
    var step: Step = .connect
    var isReadPosted = false
    var isChannelOpen = false
    var isStopping = false
    var stopDeadline: Int64 = .max
    var nextID: UInt8 = 0
    var triesOfStep = 0
    var connectTries = 0
    var startTries = 0
    var recoveries = 0
    var reopens = 0
    var absentSince: Int64?
    var lastTrouble = ""
    var hasStreamed = false
    var hasReadIdentity = false
    var mayAuthenticate: Bool
    var isAuthenticated = false
    var authAttempts = 0
    var nonceState: UInt64
    var hasSeenLevel = false
    var nextTurn: Int64 = 0
    var nextADC: Int64 = .max
    var samplesBy: Int64 = 0
    var graphRestartsInRow = 0

    /// What the session waits for.
    enum Mode: Sendable, Equatable {
        case idle
        /// The owner was asked to open.
        case opening
        /// Waiting to ask for an open.
        case backingOff(until: Int64)
        /// Reading until nothing has come for a while, then `step`.
        case draining(quietUntil: Int64, hardUntil: Int64)
        case awaiting(Pending)
        /// The raw data of a memory read.
        case awaitingMemory(MemoryRange, got: [UInt8], id: UInt8, deadline: Int64)
        /// Waiting before `step`.
        case pausing(until: Int64)
        /// Between two polls.
        case streaming
        /// Transfers are being cancelled; then the recovery goes on.
        case settling(until: Int64, then: Recovery)
        case finished
    }

    struct Pending: Sendable, Equatable {
        var request: HostRequest
        var sentAt: Int64
        var deadline: Int64
    }

    enum Step: Sendable, Equatable {
        case connect
        /// Ending a session that an earlier program left open, after CONNECT was answered with ERROR.
        case clearStop, clearDisconnect
        case hardwareInfo, firmwareInfo, credential(Int), auth(Int, [UInt8]), stopBefore, readADC, start
        case poll, finalPoll, finalStop, disconnect, close

        var isPoll: Bool { self == .poll || self == .finalPoll }
        /// A graph may be running.
        var isStreaming: Bool { isPoll || self == .finalStop }
        /// The end of a session: it goes on however the meter answers.
        var isEnding: Bool { [.finalStop, .disconnect, .close].contains(self) }
        /// Steps that go on after 100 ms whether or not the meter answers.
        var isOptional: Bool { [.clearStop, .clearDisconnect, .disconnect].contains(self) }
    }

    enum Recovery: Sendable, Equatable {
        /// The same step again, after a drain.
        case retry
        /// From CONNECT on the same channel.
        case reconnect
        /// Close, back off, open.
        case reopen
    }

    /// - Parameters:
    ///   - meter: serial, or port path where the meter has none; names every record.
    ///   - settings: the rate must be in the profile; the poll period is held to 20...30 ms.
    /// - Precondition: the profile has the rate.
    package init(meter: String, profile: MeterProfile, settings: Settings = Settings()) {
        guard let rate = profile.rate(index: settings.rateIndex) else {
            preconditionFailure("rate index \(settings.rateIndex) is not in the profile of \(profile.name)")
        }
        var held = settings
        held.pollPeriodNanoseconds = min(max(settings.pollPeriodNanoseconds, 20_000_000), 30_000_000)
        self.meter = meter
        self.profile = profile
        self.settings = held
        ledger = SampleLedger(meter: meter, stepMilliseconds: rate.stepMilliseconds)
        mayAuthenticate = profile.auth == .required
        nonceState = settings.nonceSeed
    }

    package var account: SampleAccount { ledger.account }

    package var condition: Condition {
        switch mode {
        case .finished: .finished
        case _ where isStopping: .stopping
        case .idle: .idle
        case .opening: hasStreamed ? .recovering : .opening
        case .backingOff: absentSince == nil ? .recovering : .absent
        case .streaming: .streaming
        case .awaiting where step == .poll: .streaming
        case .draining, .awaiting, .awaitingMemory, .pausing, .settling: recoveries == 0 ? .connecting : .recovering
        }
    }

    /// When `.timer` is due, host ns; nil: nothing to wait for but events.
    package var deadlineNanoseconds: Int64? {
        let own: Int64? =
            switch mode {
            case .idle, .opening, .finished: nil
            case .backingOff(let until), .pausing(let until), .settling(let until, _): until
            case .draining(let quiet, let hard): min(quiet, hard)
            case .awaiting(let pending): pending.deadline
            case .awaitingMemory(_, _, _, let deadline): deadline
            case .streaming: nextTurn
            }
        guard isStopping, mode != .finished else { return own }
        return min(own ?? .max, stopDeadline)
    }

    /// Takes one event and says what to do.
    package mutating func handle(_ event: Event) -> [Action] {
        var out: [Action] = []
        guard mode != .finished else { return out }
        switch event {
        case .start(let now):
            guard mode == .idle else { break }
            if let notice = profile.notice {
                tell(.warning, "protocol_unverified", notice, now, &out)
            }
            mode = .opening
            out.append(.open)
        case .opened(let now): opened(now, &out)
        case .openFailed(let failure, let now): openFailed(failure, now, &out)
        case .channel(.sent): break
        case .channel(.received(let bytes, let now)):
            isReadPosted = false
            received(bytes, now, &out)
        case .channel(.failed(let failure, let now)): transferFailed(failure, now, &out)
        case .timer(let now): timerFired(now, &out)
        case .lost(let now): if isChannelOpen { deviceLost(now, &out) }
        case .returned(let now):
            if case .backingOff = mode {
                tell(.info, "device_seen", "a device with this serial is plugged in", now, &out)
                mode = .opening
                out.append(.open)
            }
        case .stop(let now): stop(now, &out)
        }
        return out
    }

    func tell(_ severity: RunEvent.Severity, _ kind: String, _ text: String, _ now: Int64, _ out: inout [Action]) {
        out.append(
            .event(RunEvent(atNanoseconds: now, severity: severity, source: meter, kind: kind, text: text)))
    }

    mutating func emit(_ outputs: [SampleLedger.Output], _ now: Int64, _ out: inout [Action]) {
        for output in outputs {
            switch output {
            case .block(let block): out.append(.samples(block))
            case .gap(let gap): out.append(.gap(gap))
            case .restarted(let epoch):
                tell(
                    .warning, "meter_rebooted",
                    "the meter's clock has restarted (unplugged or rebooted): epoch \(epoch) begins", now, &out)
            }
        }
    }
}
