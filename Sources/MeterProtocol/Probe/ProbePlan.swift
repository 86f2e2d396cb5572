/// The read-only identification of a meter, safe on hardware that nobody has tried: a script as a pure state machine.
///
/// Use: open the meter, feed `.opened` and every channel event, carry out the actions in order, send `.timer` when
/// `deadlineNanoseconds` has come. At `.save` write `transcript` (a capture file that `wattbench decode` reads) before going
/// on: what follows may, on an unknown model, need a replug. After `.finished` show `findings`.
///
/// The script: drain, CONNECT, GET_DATA ADC, STOP, START at 2 samples/s without authentication, polls, STOP, one poll more,
/// DISCONNECT, save. On a model whose memory map is known, or with `readsMemory`, it goes on: CONNECT, identity texts,
/// hardware id, auth, START, polls, STOP, DISCONNECT, save. Nothing in it writes.
package struct ProbePlan: Sendable {
    package enum Event: Sendable, Equatable {
        case opened(atNanoseconds: Int64)
        case channel(ChannelEvent)
        case timer(atNanoseconds: Int64)
        /// Ctrl-C: end the session politely and save.
        case stop(atNanoseconds: Int64)
    }

    package enum Action: Sendable, Equatable {
        case postRead(readLength: Int)
        case send([UInt8])
        case cancel
        case clearHalt
        /// Write the transcript now.
        case save
        /// One exchange, for showing progress.
        case said(String)
        case close
        case finished
    }

    enum Item: Sendable, Equatable {
        case drain
        case ask(HostCommand, note: Note)
        case authenticate
        case pause(Int64)
        case save
    }

    /// Which finding the reply to a request fills.
    enum Note: Sendable, Equatable {
        case connect, adc, stopIdle, startWithout, startAfter, poll, pollAfterStop, disconnect, hardware, firmware
        case hardwareID, auth, none
    }

    package private(set) var transcript = Transcript()
    package private(set) var findings = ProbeFindings()
    package let readsMemory: Bool

    private var script: [Item]
    private var now: Int64 = 0
    private var deadline: Int64?
    private var waiting: (request: HostRequest, note: Note)?
    private var memory: (range: MemoryRange, got: [UInt8])?
    private var credential: [UInt8]?
    private var isDraining = false
    private var isReadPosted = false
    private var isGraphRunning = false
    private var isOver = false
    private var nextID: UInt8 = 0
    private let unixMillisecondsAtHostZero: Int64
    private static let patience: Int64 = 500_000_000
    private static let quiet: Int64 = 50_000_000

    /// - Parameters:
    ///   - allowsMemoryReads: the explicit flag: read the hardware id also on a model whose memory map is not known.
    ///   - endpoints: addresses for the transcript.
    package init(
        profile: MeterProfile, allowsMemoryReads: Bool = false, outEndpoint: UInt8 = 0x01, inEndpoint: UInt8 = 0x81,
        unixMillisecondsAtHostZero: Int64 = 0
    ) {
        readsMemory = profile.status != .unverified || allowsMemoryReads
        self.unixMillisecondsAtHostZero = unixMillisecondsAtHostZero
        transcript.outEndpoint = outEndpoint
        transcript.inEndpoint = inEndpoint
        let polls = (0..<6).flatMap { _ in [Item.pause(500_000_000), .ask(.getData(.adcQueue), note: .poll)] }
        func run(_ start: Note) -> [Item] {
            [.ask(.startGraph(rateIndex: 0), note: start)] + polls + [
                .ask(.stopGraph, note: .none), .ask(.getData(.adcQueue), note: .pollAfterStop),
                .ask(.disconnect, note: .disconnect), .drain, .save,
            ]
        }
        script =
            [
                .drain, .ask(.connect, note: .connect), .ask(.getData(.adc), note: .adc),
                .ask(.stopGraph, note: .stopIdle),
            ] + run(.startWithout)
        if readsMemory {
            script +=
                [
                    .ask(.connect, note: .connect),
                    .ask(.memoryRead(MemoryRange(address: MemoryMap.hardwareInfo, size: 64)), note: .hardware),
                    .ask(.memoryRead(MemoryRange(address: MemoryMap.firmwareInfo, size: 64)), note: .firmware),
                    .ask(.memoryRead(MemoryRange(address: MemoryMap.hardwareID, size: 12)), note: .hardwareID),
                    .authenticate,
                ] + run(.startAfter)
        }
    }

    package var deadlineNanoseconds: Int64? { isOver ? nil : deadline }

    /// Takes one event and says what to do.
    package mutating func handle(_ event: Event) -> [Action] {
        guard !isOver else { return [] }
        var out: [Action] = []
        switch event {
        case .opened(let at):
            now = at
            advance(&out)
        case .channel(.sent(let at)):
            now = at
            transcript.sent(at)
        case .channel(.received(let bytes, let at)):
            now = at
            isReadPosted = false
            transcript.received(bytes, at, status: 0)
            received(bytes, &out)
        case .channel(.failed(let failure, let at)):
            now = at
            failed(failure, &out)
        case .timer(let at):
            now = max(now, at)
            if let due = deadline, at >= due { timedOut(&out) }
        case .stop(let at):
            now = max(now, at)
            findings.failure = "stopped by the user"
            script = [.ask(.stopGraph, note: .none), .ask(.disconnect, note: .disconnect), .drain, .save]
            (waiting, memory, isDraining) = (nil, nil, false)
            advance(&out)
        }
        return out
    }

    private mutating func advance(_ out: inout [Action]) {
        deadline = nil
        guard let item = script.first else { return end(&out) }
        script.removeFirst()
        switch item {
        case .drain:
            isDraining = true
            postRead(&out)
            deadline = now + Self.quiet
        case .pause(let length):
            // Pauses belong to the polls of a graph; without one they are skipped.
            if isGraphRunning { deadline = now + length } else { advance(&out) }
        case .save:
            out.append(.save)
            advance(&out)
        case .authenticate:
            guard let credential else { return advance(&out) }
            let unix = UInt64(max(0, unixMillisecondsAtHostZero + now / 1_000_000))
            send(
                .streamingAuth(
                    AuthRequest(
                        unixMilliseconds: unix, credential: credential, nonce: [UInt8](repeating: 0, count: 12))),
                .auth, &out)
        case .ask(let command, let note):
            if note == .poll, !isGraphRunning { return advance(&out) }
            send(command, note, &out)
        }
    }

    private mutating func send(_ command: HostCommand, _ note: Note, _ out: inout [Action]) {
        nextID &+= 1
        let request = HostRequest(id: nextID, command)
        let frame = request.bytes
        guard (try? FrameGuard.check(frame)) != nil else { return advance(&out) }
        postRead(&out)
        out.append(.send(frame))
        transcript.sending(frame, now)
        waiting = (request, note)
        deadline = now + Self.patience
    }

    private mutating func postRead(_ out: inout [Action]) {
        guard !isReadPosted else { return }
        isReadPosted = true
        transcript.readPosted(now)
        out.append(.postRead(readLength: MeterSession.readLength))
    }

    private mutating func received(_ bytes: [UInt8], _ out: inout [Action]) {
        if isDraining {
            if findings.connectReply == nil { findings.staleBytes += bytes.count }
            deadline = now + Self.quiet
            return postRead(&out)
        }
        if let (range, got) = memory {
            let joined = got + bytes
            memory = (range, joined)
            guard joined.count >= range.cipherLength else { return postRead(&out) }
            memoryArrived(range, Array(joined.prefix(range.cipherLength)), &out)
            return
        }
        guard let (request, note) = waiting, !bytes.isEmpty else { return postRead(&out) }
        let reply = try? MeterReply(decoding: bytes)
        guard let reply, reply.id == nil || reply.id == request.id else {
            findings.unexpectedReplies += 1
            out.append(
                .said(
                    "\(request.command.label): unexpected \(bytes.count) bytes \(bytes.prefix(16).map { $0 }.hexDigits)"
                ))
            return postRead(&out)
        }
        out.append(.said("\(request.command.label) → \(reply.label)"))
        if case .memoryConfirmation(_, let range) = reply {
            memory = (range, [])
            deadline = now + Self.patience
            return postRead(&out)
        }
        fill(note, reply, bytes)
        waiting = nil
        advance(&out)
    }

    private mutating func fill(_ note: Note, _ reply: MeterReply, _ bytes: [UInt8]) {
        switch note {
        case .connect: findings.connectReply = reply.label
        case .stopIdle: findings.stopWhenIdleReply = reply.label
        case .startWithout, .startAfter:
            if note == .startWithout {
                findings.startWithoutAuthReply = reply.label
            } else {
                findings.startAfterAuthReply = reply.label
            }
            if case .accept = reply {
                isGraphRunning = true
                findings.sampleUptimesMilliseconds = []
            }
        case .disconnect:
            findings.disconnectReply = reply.label
            isGraphRunning = false
        case .adc:
            guard case .data(let data) = reply, let payload = data.payload(of: .adc) else { return }
            findings.adcPayloadBytes = payload.bytes.count
            guard let adc = try? ADCReading(decoding: payload.bytes) else { return }
            findings.adcVbusMicrovolts = adc.vbusMicrovolts
            findings.adcIbusMicroamperes = adc.ibusMicroamperes
            findings.temperatureCelsius = adc.temperatureCelsius
        case .poll, .pollAfterStop:
            guard case .data(let data) = reply, let samples = try? data.queue() else { return }
            if note == .poll {
                findings.sampleUptimesMilliseconds += samples.map(\.uptimeMilliseconds)
            } else if isGraphRunning {
                findings.samplesAfterStop = samples.count
            }
        case .auth:
            guard case .auth(let answer) = reply else { return }
            findings.authLevel = answer.level
            findings.authReplyWord = hex(bytes.little(UInt16.self, at: 2))
        case .hardware, .firmware, .hardwareID, .none: break
        }
    }

    private mutating func memoryArrived(_ range: MemoryRange, _ cipherText: [UInt8], _ out: inout [Action]) {
        let plain = try? range.decrypt(cipherText)
        switch waiting?.note {
        case .hardware:
            let text = plain.flatMap { try? IdentityText(decoding: $0) }
            findings.model = text?.model
            findings.hardwareVersion = text?.version
        case .firmware: findings.firmwareVersion = plain.flatMap { try? IdentityText(decoding: $0) }?.version
        case .hardwareID: credential = plain
        default: break
        }
        (memory, waiting) = (nil, nil)
        advance(&out)
    }

    private mutating func timedOut(_ out: inout [Action]) {
        isDraining = false
        if let (request, note) = waiting {
            out.append(.said("\(request.command.label): no reply"))
            if note == .disconnect { isGraphRunning = false }
        }
        (memory, waiting) = (nil, nil)
        advance(&out)
    }

    private mutating func failed(_ failure: BusFailure, _ out: inout [Action]) {
        transcript.received([], now, status: failure.linuxStatus)
        if failure == .cancelled {
            isReadPosted = false
            return
        }
        out.append(.said("transfer failed: \(failure)"))
        findings.failure = "transfer failed: \(failure)"
        if failure == .stall, !script.isEmpty {
            out += [.cancel, .clearHalt]
            isReadPosted = false
            deadline = now + Self.quiet
            return
        }
        script = [.save]
        (waiting, memory) = (nil, nil)
        advance(&out)
    }

    private mutating func end(_ out: inout [Action]) {
        isOver = true
        out += [.close, .finished]
    }
}
