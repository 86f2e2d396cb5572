import Traces

// The steps of a session: which request each sends, and what its reply leads to.
extension MeterSession {
    /// Where a credential can be read, in the order in which they are tried.
    static let credentialSources = [
        MemoryRange(address: MemoryMap.hardwareID, size: 12),
        MemoryRange(address: MemoryMap.serialText, size: 64),
        MemoryRange(address: MemoryMap.calibrationRecord, size: 12),
    ]
    /// Two auth attempts closer together get empty replies (by report).
    static let authPause: Int64 = 1_000_000_000

    /// Goes to `next` and sends its request.
    mutating func go(to next: Step, _ now: Int64, _ out: inout [Action]) {
        // A session that is being stopped before it streams takes the short way out.
        step = isStopping && !next.isStreaming && !next.isEnding ? .disconnect : next
        triesOfStep = 0
        perform(now, &out)
    }

    /// Sends the request of the current step.
    mutating func perform(_ now: Int64, _ out: inout [Action]) {
        switch step {
        case .connect: request(.connect, now, &out)
        case .hardwareInfo: request(.memoryRead(MemoryRange(address: MemoryMap.hardwareInfo, size: 64)), now, &out)
        case .firmwareInfo: request(.memoryRead(MemoryRange(address: MemoryMap.firmwareInfo, size: 64)), now, &out)
        case .credential(let source): request(.memoryRead(Self.credentialSources[source]), now, &out)
        case .auth(_, let credential):
            let unix = settings.unixMillisecondsAtHostZero + now / 1_000_000
            let auth = AuthRequest(
                unixMilliseconds: UInt64(max(0, unix)), credential: credential, nonce: [0, 0, 0, 0] + nextNonce())
            request(.streamingAuth(auth), now, &out)
        case .stopBefore, .finalStop, .clearStop: request(.stopGraph, now, &out)
        case .readADC: request(.getData(.adc), now, &out)
        case .start: request(.startGraph(rateIndex: settings.rateIndex), now, &out)
        case .poll, .finalPoll: poll(now, &out)
        case .disconnect, .clearDisconnect: request(.disconnect, now, &out)
        case .close: finish(nil, now, &out)
        }
    }

    mutating func request(_ command: HostCommand, _ now: Int64, _ out: inout [Action]) {
        nextID &+= 1
        let request = HostRequest(id: nextID, command)
        let frame = request.bytes
        do throws(ProtocolFailure) {
            try FrameGuard.check(frame)
        } catch {
            return finish(.frameRefused(meter: meter, error), now, &out)
        }
        postRead(&out)
        out.append(.send(frame))
        let patience =
            step.isOptional ? min(100_000_000, settings.replyTimeoutNanoseconds) : settings.replyTimeoutNanoseconds
        mode = .awaiting(Pending(request: request, sentAt: now, deadline: now + patience))
    }

    mutating func postRead(_ out: inout [Action]) {
        guard !isReadPosted else { return }
        isReadPosted = true
        out.append(.postRead(readLength: Self.readLength))
    }

    private mutating func nextNonce() -> [UInt8] {
        nonceState &+= 0x9E37_79B9_7F4A_7C15
        var z = nonceState
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        var bytes: [UInt8] = []
        bytes.append(little: z ^ z >> 31)
        return bytes
    }

    // MARK: Replies

    /// A reply that belongs to the pending request.
    mutating func answered(_ pending: Pending, _ reply: MeterReply, _ now: Int64, _ out: inout [Action]) {
        switch (step, reply) {
        case (.connect, .accept):
            afterConnect(now, &out)
        case (.connect, .error), (.connect, .reject):
            // A KM002C with a session still open answers ERROR: close that session, then try again.
            connectTries += 1
            if connectTries >= 3 { return trouble("CONNECT was refused", .reopen, now, &out) }
            tell(.info, "old_session", "the meter still has a session open; it is ended first", now, &out)
            go(to: .clearStop, now, &out)
        case (.clearStop, _), (.clearDisconnect, _): optionalStepDone(now, &out)
        case (.hardwareInfo, .memoryConfirmation(_, let range)), (.firmwareInfo, .memoryConfirmation(_, let range)),
            (.credential, .memoryConfirmation(_, let range)):
            if case .memoryRead(let asked) = pending.request.command, asked == range {
                postRead(&out)
                mode = .awaitingMemory(
                    range, got: [], id: pending.request.id, deadline: now + settings.replyTimeoutNanoseconds)
            } else {
                discard("a memory confirmation names another address", now, &out)
                keepWaiting(pending, &out)
            }
        case (.hardwareInfo, _): go(to: .firmwareInfo, now, &out)
        case (.firmwareInfo, _): identityDone(now, &out)
        case (.credential(let source), .memoryNotReadable), (.credential(let source), .reject):
            nextCredential(after: source, pause: false, now, &out)
        case (.auth(let source, _), .auth(let answer)):
            authAnswered(source, answer, pending, now, &out)
        case (.auth(let source, _), _):
            nextCredential(after: source, pause: true, now, &out)
        case (.stopBefore, .accept), (.stopBefore, .reject), (.stopBefore, .error):
            go(to: .readADC, now, &out)
        case (.readADC, .data(let data)):
            if let adc = try? data.adc() { tookADC(adc, now, &out) }
            go(to: .start, now, &out)
        case (.readADC, _): go(to: .start, now, &out)
        case (.start, .accept): beginStreaming(now, &out)
        case (.start, _): startRefused(now, &out)
        case (.poll, .reject), (.poll, .error), (.finalPoll, .reject), (.finalPoll, .error):
            sessionLost("the meter rejects polls", now, &out)
        case (.finalStop, _): go(to: .disconnect, now, &out)
        case (.disconnect, _): optionalStepDone(now, &out)
        default:
            discard("a reply of an unexpected kind", now, &out)
            keepWaiting(pending, &out)
        }
    }

    /// A step that need not be answered has been, or its time is over.
    mutating func optionalStepDone(_ now: Int64, _ out: inout [Action]) {
        switch step {
        case .clearStop: go(to: .clearDisconnect, now, &out)
        case .clearDisconnect:
            step = .connect
            beginDrain(now, &out)
        default: drainAndClose(now, &out)
        }
    }

    private mutating func afterConnect(_ now: Int64, _ out: inout [Action]) {
        isAuthenticated = false
        hasSeenLevel = false
        authAttempts = 0
        if profile.readsIdentity, !hasReadIdentity { return go(to: .hardwareInfo, now, &out) }
        identityDone(now, &out)
    }

    private mutating func identityDone(_ now: Int64, _ out: inout [Action]) {
        if profile.readsIdentity, !hasReadIdentity {
            hasReadIdentity = true
            out.append(.identity(hardware: hardware, firmware: firmware))
        }
        go(to: mayAuthenticate ? .credential(0) : .stopBefore, now, &out)
    }

    /// All ciphertext of a memory read is there.
    mutating func memoryArrived(_ range: MemoryRange, _ cipherText: [UInt8], _ now: Int64, _ out: inout [Action]) {
        let memory: [UInt8]
        do throws(ProtocolFailure) {
            memory = try range.decrypt(cipherText)
        } catch {
            discard(error.description, now, &out)
            return stepTimedOut("a readable memory block", now, &out)
        }
        switch step {
        case .hardwareInfo:
            hardware = try? IdentityText(decoding: memory)
            go(to: .firmwareInfo, now, &out)
        case .firmwareInfo:
            firmware = try? IdentityText(decoding: memory)
            identityDone(now, &out)
        case .credential(let source):
            step = .auth(source, Array(memory.prefix(AuthRequest.credentialSize)))
            triesOfStep = 0
            if authAttempts > 0 {
                mode = .pausing(until: now + Self.authPause)
            } else {
                perform(now, &out)
            }
        default: perform(now, &out)
        }
    }

    private mutating func authAnswered(
        _ source: Int, _ answer: AuthReply, _ pending: Pending, _ now: Int64, _ out: inout [Action]
    ) {
        authAttempts += 1
        guard answer.level >= 1 else { return nextCredential(after: source, pause: true, now, &out) }
        if case .streamingAuth(let asked) = pending.request.command, asked != answer.echo {
            tell(
                .warning, "auth_echo", "the meter granted level \(answer.level) but did not return the request's bytes",
                now, &out)
        }
        isAuthenticated = true
        go(to: .stopBefore, now, &out)
    }

    private mutating func nextCredential(after source: Int, pause: Bool, _ now: Int64, _ out: inout [Action]) {
        if pause { authAttempts = max(authAttempts, 1) }
        guard source + 1 < Self.credentialSources.count else {
            tell(.error, "auth_refused", "no credential of the meter was accepted", now, &out)
            if !hasStreamed, recoveries >= 1 { return finish(.authRefused(meter: meter), now, &out) }
            return trouble("authentication was refused", .reopen, now, &out)
        }
        tell(.warning, "auth_retry", "credential \(source + 1) was refused, the next one is tried", now, &out)
        go(to: .credential(source + 1), now, &out)
    }

    private mutating func startRefused(_ now: Int64, _ out: inout [Action]) {
        if !isAuthenticated, !mayAuthenticate {
            guard settings.readsUnverifiedMemory else {
                return finish(.unverifiedMemory(meter: meter), now, &out)
            }
            tell(
                .warning, "unverified_memory_read",
                "START_GRAPH was refused without authentication; the hardware id is read as on a KM003C, which nobody has tried "
                    + "on this model", now, &out)
            mayAuthenticate = true
            return go(to: .credential(0), now, &out)
        }
        startTries += 1
        tell(.warning, "start_refused", "START_GRAPH was refused", now, &out)
        // A graph may still run: stop, then start once more. Some firmware wants a new session now and then.
        if startTries == 1 { return go(to: .stopBefore, now, &out) }
        if !hasStreamed, recoveries >= 2 { return finish(.startRefused(meter: meter), now, &out) }
        trouble("START_GRAPH was refused twice", .reconnect, now, &out)
    }

    private mutating func beginStreaming(_ now: Int64, _ out: inout [Action]) {
        hasStreamed = true
        step = .poll
        startTries = 0
        samplesBy = now + watchdog
        if isStopping { return go(to: .finalStop, now, &out) }
        if let every = settings.adcEveryNanoseconds { nextADC = now + every }
        nextTurn = turn(after: now)
        postRead(&out)
        mode = .streaming
        tell(.info, "streaming", "the meter samples at rate index \(settings.rateIndex)", now, &out)
    }

    /// Longest time without a sample: the setting, or four steps at slow rates.
    var watchdog: Int64 { max(settings.watchdogNanoseconds, 4 * ledger.stepMilliseconds * 1_000_000) }

    /// The first turn of this meter's absolute schedule after `now`.
    func turn(after now: Int64) -> Int64 {
        let period = settings.pollPeriodNanoseconds
        let phase = settings.pollPhaseNanoseconds % period
        return ((now - phase) / period + 1) * period + phase
    }

    mutating func tookADC(_ adc: ADCReading, _ now: Int64, _ out: inout [Action]) {
        latestADC = adc
        out.append(.adc(adc, atNanoseconds: now))
    }
}
